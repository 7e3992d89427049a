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
# # Solutions of lesson 11
#
# [![Open in Colab](../images/open-in-colab.svg)](https://colab.research.google.com/github/two-towers-course/two-towers/blob/main/notebooks/solutions/11_retrieve_with_in_batch_negatives.ipynb) [![Launch Binder](../images/launch-binder.svg)](https://mybinder.org/v2/gh/two-towers-course/two-towers/main?urlpath=lab/tree/notebooks/solutions/11_retrieve_with_in_batch_negatives.ipynb)
#
# These are solutions of the [exercises of lesson 11](../11_retrieve_with_in_batch_negatives.ipynb#Exercises). Try them
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
# A solution starts where the lesson has trained on its validation part, so we run the lesson up to there, without its
# output.

# %%
from recsys_utils.lessons import run_lesson

run_lesson("11", globals(), until="Evaluate on the test")

# %% [markdown]
# ## Exercise 1. Another batch
#
# The functions of the lesson read `BATCH` when they are called. A batch of $B$ pairs has $B^2$ scores, and an epoch has
# one batch for every $B$ pairs: $B$ scores a pair.

# %%
rows = []
for BATCH in (64, 256, 1024):
    _, curve = train_model(InBatchSoftmaxLogQ, validation_split.train, EPOCHS, task=validation_task)
    batches = len(validation_split.train) // BATCH
    rows.append({"batch": BATCH, "scores in an epoch": batches * BATCH**2, "NDCG@10": curve["NDCG@10"].iloc[-1]})
BATCH = 256
by_batch = pd.DataFrame(rows)
results_table(by_batch)

# %%
ratio = by_batch["scores in an epoch"].iloc[-1] / by_batch["scores in an epoch"].iloc[0]
assert 15 < ratio < 17, "16 times the batch should be 16 times the scores"
assert np.ptp(by_batch["NDCG@10"]) < 0.015, "the batch should matter little here"

# %% [markdown]
# More negatives a row cost more and bring little here. What is left out is the rate: each batch could have its own.

# %% [markdown]
# ## Exercise 2. Ids alone
#
# A movie that training never saw has no vector of its own: without features, all such movies have the same score.


# %%
class IdTower(CandidateTower):
    def call(self, movies):
        return self.item(self.index(movies["item_id"]))  # (batch, dim)


class IdModel(InBatchSoftmaxLogQ):
    def __init__(self, item_ids):
        super().__init__(item_ids)
        self.candidate_tower = IdTower(item_ids)


id_model, _ = train_model(IdModel, validation_split.train, EPOCHS, task=validation_task)

# %% [markdown]
# We ask for the choices of everybody, and for new movies among new movies.

# %%
unseen = validation_task.popularity == 0  # (n_items,)
rows, new_task = metrics.ask_for(validation_task, unseen)
among_new = new_task._replace(
    items=new_task.items[unseen], seen=new_task.seen[:, unseen], relevant=new_task.relevant[:, unseen]
)
with_features, ids_alone = score(validated), score(id_model)  # (n_users, n_items)
for name, scores in {"features and ids": with_features, "ids alone": ids_alone}.items():
    every, new = (
        metrics.evaluate_ranking(scores, validation_task),
        metrics.evaluate_ranking(scores[rows][:, unseen], among_new),
    )
    print(
        f"{name}: NDCG@10 {every.ndcg.mean():.3f}; mean reciprocal rank of new among new movies {new.reciprocal_rank.mean():.3f}"
    )

# %%
new_scores = {
    name: scores[rows][:, unseen]
    for name, scores in {"ids alone": ids_alone, "features and ids": with_features}.items()
}
assert np.ptp(new_scores["ids alone"], axis=1).max() < 1e-4, "without features, new movies should all score the same"
found = {name: metrics.evaluate_ranking(scores, among_new).reciprocal_rank for name, scores in new_scores.items()}
results_table(comparison.compare(found, "ids alone").drop(columns="seed_spread"))

# %% [markdown]
# ## Exercise 3. An index with popularity
#
# The plain model is trained on the same part. Then $q_i\cdot c_j+\log q_j$ is the dot product of $(q_i, 1)$ and
# $(c_j, \log q_j)$.

# %%
plain_model, _ = train_model(InBatchSoftmax, validation_split.train, EPOCHS)
share = validation_task.popularity / validation_task.popularity.sum()  # (n_items,)
log_share = np.log(np.maximum(share, 1e-6)).astype(np.float32)
long_candidates = np.hstack([plain_model.candidate_tower(catalogue), log_share[:, None]])  # (n_items, dim + 1)
long_queries = np.hstack([plain_model.query_tower(users), np.ones((len(users), 1), np.float32)])  # (n_users, dim + 1)
added = score(plain_model) + log_share  # (n_users, n_items)
assert np.allclose(long_queries @ long_candidates.T, added, atol=1e-4), "one dot product should do"
found = {"plain": score(plain_model), "from the longer vectors": long_queries @ long_candidates.T}
print({name: round(metrics.evaluate_ranking(each, validation_task).ndcg.mean(), 3) for name, each in found.items()})

# %% [markdown]
# Any index of dot products can serve it.

# %% [markdown]
# ## Exercise 4. Less popularity
#
# What the lesson calls popularity is how many users had rated a recommended movie.

# %%
less = {off: metrics.evaluate_ranking(score(validated) - off * log_share, validation_task) for off in (0, 0.25, 0.5)}
rows = [(off, each.ndcg.mean(), each.popularity, each.coverage) for off, each in less.items()]
results_table(pd.DataFrame(rows, columns=["log q taken off", "NDCG@10", "popularity", "coverage"]))

# %%
low, high = comparison.bootstrap_interval(less[0.5].ndcg - less[0].ndcg)
print(f"NDCG@10 at 0.5, less that at 0: {low:.3f} to {high:.3f}")
assert less[0.5].popularity < less[0].popularity / 2, "it should halve the popularity"
assert high < 0, "and cost hits"

# %% [markdown]
# Less popularity costs hits, because what users choose is popular. At ranking, the dial is in sight; in a plain in-batch
# loss it is set to one, unasked.
