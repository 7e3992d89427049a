# ---
# jupyter:
#   jupytext:
#     formats: notebooks/solutions//ipynb,notebooks/scripts/solutions//py:percent
#     notebook_metadata_filter: kernelspec,jupytext,-jupytext.text_representation.jupytext_version,-jupytext.text_representation.format_version
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Solutions of lesson 14
#
# [![Open in Colab](../images/open-in-colab.svg)](https://colab.research.google.com/github/two-towers-course/two-towers/blob/main/notebooks/solutions/14_encode_watch_history.ipynb) [![Launch Binder](../images/launch-binder.svg)](https://mybinder.org/v2/gh/two-towers-course/two-towers/main?urlpath=lab/tree/notebooks/solutions/14_encode_watch_history.ipynb)
#
# These are solutions of the [exercises of lesson 14](../14_encode_watch_history.ipynb#Exercises). Try them
# yourself first. Other answers can be right, too: compare what yours find.

# %% [markdown]
# On Colab this installs the course; elsewhere it does nothing.

# %% tags=["colab"]
import os
import subprocess
import sys
from importlib import metadata, util

if util.find_spec("recsys_utils") is None:
    course = "two-towers[lessons] @ https://github.com/two-towers-course/two-towers/archive/refs/heads/main.zip"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", os.getenv("TWO_TOWERS_SOURCE", course)]
    before = {one.name: f"{one.name}=={one.version}" for one in reversed([*metadata.distributions()])}
    done = subprocess.run([*pip, "-c", "/dev/stdin"], input="\n".join(before.values()), capture_output=True, text=True)
    if done.returncode:  # pip cannot leave all that is here as it is
        done = subprocess.run(pip, capture_output=True, text=True)
    assert done.returncode == 0, f"pip could not install the course:\n{done.stderr}"
    replaced = {*before.values()} - {f"{one.name}=={one.version}" for one in metadata.distributions()}
    assert not replaced, f"restart the session and run again: pip has replaced {', '.join(sorted(replaced))}"
    print("The course is installed.")

# %% [markdown]
# A solution starts where the lesson has its towers and its training, so we run the lesson up to there, without its
# output.

# %%
from recsys_utils.lessons import run_lesson

run_lesson("14", globals(), until="From ids to sequences, rung by rung")


# %%
def measure(model):
    return metrics.evaluate_ranking(score(model, log), validation_task).ndcg  # (n_users,)


start = count_vectors(log, SMALL_DIM)
small, _ = train_model(log, RecencyTower, start=start)
whole = measure(small)

# %% [markdown]
# ## Exercise 1. A shorter memory
#
# The functions of the lesson look `LENGTH` up when they are called, so a new value is enough.

# %%
memory = {}  # NDCG@10, (n_users,) each
for LENGTH in (5, 20):
    memory[f"{LENGTH} movies"] = measure(train_model(log, RecencyTower, start=start)[0])
LENGTH = 50
memory["50 movies"] = whole
shorter = comparison.compare(memory, "50 movies").drop(columns="seed_spread").set_index("model")
results_table(shorter.reset_index())

# %%
assert abs(shorter["difference"]["20 movies"]) < 0.02, "twenty movies should do about as well as fifty"

# %% [markdown]
# The weights of the older movies are small, so that leaving them out changes little.

# %% [markdown]
# ## Exercise 2. Take it apart

# %%
parts = {"without logQ": {"logq": False}, "own movies among the negatives": {"own_movies_out": False}}
parts["one table of movie vectors"] = {"one_table": True}
drawn = 0.05 * np.random.default_rng(1).standard_normal(start.shape, dtype=np.float32)
drawn *= np.isin(np.arange(n_movies), log.movie)[:, None]  # a movie without training events keeps a zero
parts["start drawn at random"] = {"start": drawn}
without = {name: measure(train_model(log, RecencyTower, **{"start": start} | part)[0]) for name, part in parts.items()}
apart = comparison.compare({"whole": whole} | without, "whole").drop(columns="seed_spread").set_index("model")
results_table(apart.reset_index())

# %%
assert apart["verdict"]["without logQ"] == "worse", "logQ should matter"

# %% [markdown]
# Without logQ, at logQ's learning rate, the tower is clearly worse: the more popular a movie, the more batches push it
# down. What the other parts are worth to a small tower after three epochs, the verdicts say.

# %% [markdown]
# ## Exercise 3. Shuffle the ties
#
# A random part of a second, added to each time, puts movies of the same second in random order. The model stays as it is.

# %%
shuffled = []
for seed in SEEDS:
    part_of_second = np.random.default_rng(seed).random(len(validation_split.train))
    mixed = validation_split.train.assign(**{TIMESTAMP: validation_split.train[TIMESTAMP] + part_of_second})
    shuffled.append(metrics.evaluate_ranking(score(small, make_log(mixed)), validation_task).ndcg)
ties = comparison.compare({"by movie id": whole, "at random": shuffled}, "by movie id").set_index("model")
results_table(ties.reset_index())

# %%
assert abs(ties["difference"]["at random"]) < 0.01, "the order of ties in the history should change little"

# %% [markdown]
# Neighbouring steps have similar weights, so their exchange changes the query little. The tower itself was trained on
# ties ordered by movie id.

# %% [markdown]
# ## Exercise 4. Let it attend
#
# The latest movie asks, and movies that go with it weigh more: what goes with what is learnt. With $M = 0$ all factors
# are 1, so training starts at the recency tower.


# %%
class AttentionTower(RecencyTower):
    def __init__(self, movies, dim):
        super().__init__(movies, dim)
        self.match = tf.Variable(tf.zeros((dim, dim)))

    def weigh(self, window):
        h = self.movies(window["movie"])  # (n_windows, n_read, dim)
        latest = tf.tensordot(h[:, LENGTH - 1 :], self.match, 1)  # (n_windows, width, dim) of the movie before
        agreement = tf.matmul(latest, h, transpose_b=True) / np.sqrt(self.dim)  # (n_windows, width, n_read)
        return super().weigh(window) * tf.exp(agreement)


# %%
trained = {"recency": RecencyTower, "attention": AttentionTower}
attending = {
    name: [measure(train_model(log, tower, seed=seed, start=start)[0]) for seed in SEEDS]
    for name, tower in trained.items()
}
attention = comparison.compare(attending, "recency").set_index("model")
results_table(attention.reset_index())

# %%
assert abs(attention["difference"]["attention"]) < 0.02, "attention should change little here"

# %% [markdown]
# With the short histories here the data cannot tell what attention adds. `make sequences` measures it where histories are
# longer.
