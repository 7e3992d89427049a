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
of_batch = []
for BATCH in (64, 256, 1024):
    _, curve = train_model(InBatchSoftmaxLogQ, validation_split.train, EPOCHS, task=validation_task)
    in_epoch = len(validation_split.train) // BATCH * BATCH**2
    of_batch.append({"batch": BATCH, "scores in an epoch": in_epoch, "NDCG@10": curve["NDCG@10"].iloc[-1]})
BATCH = 256
by_batch = pd.DataFrame(of_batch)
results_table(by_batch)

# %%
ratio = by_batch["scores in an epoch"].iloc[-1] / by_batch["scores in an epoch"].iloc[0]
assert 15 < ratio < 17, "16 times the batch should be 16 times the scores"
assert np.ptp(by_batch["NDCG@10"]) < 0.015, "the batch should matter little here"

# %% [markdown]
# More negatives a row cost more and bring little here, with one seed. What is left out is the rate: each batch could have
# its own.

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
# We ask for new movies among new movies. Where all scores are the same, a list shows the order of the catalogue, which is
# no model's merit. So we put the ties of ids alone into random order, twenty times.

# %%
unrated = validation_task.popularity == 0  # (n_items,)
asking, new_task = metrics.ask_for(validation_task, unrated)
among_new = new_task._replace(
    items=new_task.items[unrated], seen=new_task.seen[:, unrated], relevant=new_task.relevant[:, unrated]
)
by_ids = score(id_model)[asking][:, unrated]  # (n_rows, n_new)
by_features = score(validated)[asking][:, unrated]  # (n_rows, n_new)
assert np.ptp(by_ids, axis=1).max() < 1e-4, "without features, new movies should all score the same"
assert np.ptp(by_features, axis=1).min() > 0.01, "with features they should not"

# %%
rng = np.random.default_rng(SEEDS[0])
ties = [metrics.evaluate_ranking(rng.random(by_ids.shape), among_new).reciprocal_rank for _ in range(20)]
reciprocal_rank = {
    "ids alone, ties in random order": np.stack(ties),  # (20, n_rows)
    "features and ids": metrics.evaluate_ranking(by_features, among_new).reciprocal_rank,  # (n_rows,)
}
of_new = comparison.compare(reciprocal_rank, "ids alone, ties in random order")
results_table(of_new.rename(columns={"mean": "mean reciprocal rank", "seed_spread": "spread of the orders"}))

# %%
assert of_new["low"].iloc[-1] > 0, "features should rank new movies better than chance"

# %% [markdown]
# Period and genres rank new movies better than chance; ids alone are chance.

# %% [markdown]
# ## Exercise 3. An index with popularity
#
# The lesson holds this model after its test. We stopped before that, so we make it once more, on all training pairs. Its
# score $q_i\cdot c_j+\log q_j$ is the dot product of the longer vectors $(q_i, 1)$ and $(c_j, \log q_j)$.

# %%
at_best = best.loc["plain, log q added"]
plain_model, _ = train_model(InBatchSoftmax, test_split.train, int(at_best["epoch"]), at_best["rate"])
log_share = np.log(np.maximum(share, 1e-6)).astype(np.float32)  # (n_items,)
long_candidates = np.hstack([plain_model.candidate_tower(catalogue), log_share[:, None]])  # (n_items, dim + 1)
index = tfrs.layers.factorized_top_k.BruteForce(k=10)
index = index.index(tf.constant(long_candidates), tf.constant(catalogue["item_id"]))

# %%
of_user = np.flatnonzero(users == USER)  # (1,)
long_query = np.hstack([plain_model.query_tower(users[of_user]), np.ones((1, 1), np.float32)])  # (1, dim + 1)
seen_ids = catalogue["item_id"][test_task.seen[of_user].toarray()[0]]
answer = index.query_with_exclusions(tf.constant(long_query), tf.constant(seen_ids[None]))[1].numpy()[0]  # (10,)
by_index = np.searchsorted(catalogue["item_id"], answer)  # (10,)
added = score(plain_model)[of_user] + log_share  # (1, n_items)
by_score = metrics.recommend(added, test_task.seen[of_user])[0]  # (10,)
titles = items[TITLE].to_numpy()
results_table(pd.DataFrame({"the index": titles[by_index], "scores plus log_share": titles[by_score]}))

# %%
assert np.allclose(added[0, by_index], added[0, by_score], atol=1e-4), "one dot product should do"
assert len(set(by_index)) == 10 and not np.isin(answer, seen_ids).any(), "ten movies, none of them seen"

# %% [markdown]
# Any index of dot products can serve it.

# %% [markdown]
# ## Exercise 4. Less popularity
#
# What the lesson calls popularity is how many users had rated a recommended movie. A movie without a rating has no share.
# If we clipped it and took its logarithm off, all such movies would rise furthest; we leave them where they are.

# %%
shares = validation_task.popularity / validation_task.popularity.sum()  # (n_items,) of the validation training part
log_known = np.log(np.where(unrated, 1, shares)).astype(np.float32)  # (n_items,), 0 for a movie without a rating
less, never_rated = {}, {}
for off in (0, 0.25, 0.5, 1):
    scores = score(validated) - off * log_known  # (n_users, n_items)
    less[off] = metrics.evaluate_ranking(scores, validation_task)
    never_rated[off] = unrated[metrics.recommend(scores, validation_task.seen)].mean()
shown = [(off, each.ndcg.mean(), each.popularity, each.coverage, never_rated[off]) for off, each in less.items()]
results_table(pd.DataFrame(shown, columns=["log q taken off", "NDCG@10", "popularity", "coverage", "never rated"]))

# %%
low, high = comparison.bootstrap_interval(less[0.5].ndcg - less[0].ndcg)
print(f"NDCG@10 at 0.5, less that at 0: {low:.3f} to {high:.3f}")
assert less[0.5].popularity < 0.75 * less[0].popularity, "it should cost a quarter of the popularity"
assert high < 0, "and cost hits"
assert max(never_rated.values()) < 0.02, "hardly any recommended movie should be one that nobody had rated"
assert less[1].popularity < less[0.5].popularity / 2 and less[1].ndcg.mean() < less[0.5].ndcg.mean(), "all costs more"

# %% [markdown]
# Less popularity costs hits, because what users choose is popular. The lists are not filled with movies that nobody had
# rated: these did not move. At ranking we choose how much $\log q$ to take off; the plain loss takes off all of it.
