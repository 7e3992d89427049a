# ---
# jupyter:
#   jupytext:
#     formats: notebooks//ipynb,notebooks/scripts//py:percent
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
# # Retrieve movies with in-batch negatives
#
# [![Open in Colab](images/open-in-colab.svg)](https://colab.research.google.com/github/two-towers-course/two-towers/blob/main/notebooks/11_retrieve_with_in_batch_negatives.ipynb) [![Launch Binder](images/launch-binder.svg)](https://mybinder.org/v2/gh/two-towers-course/two-towers/main?urlpath=lab/tree/notebooks/11_retrieve_with_in_batch_negatives.ipynb)
#
# **What you'll do**: train a two-tower model that picks ten movies out of 9,066 for each of 671 users, and save it as an
# index that answers with movie ids.
#
# **What you'll learn**
#
# - how a batch of positive pairs supplies its own negatives, by hand and in TensorFlow Recommenders (TFRS);
# - why the plain in-batch softmax loses to a list of popular movies, and the one line that turns it;
# - how to leave seen movies out, and to save an index.
#
# **What you'll need**: [Lesson 03](03_rank_with_classic_baselines.ipynb) for the baselines and the metrics of a ranking;
# one minute; 1.5 GB of memory.

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
# TFRS needs Keras 2. `set_up` asks for it, for one thread an operation, and for the same model each time.

# %% tags=["model"]
from recsys_utils.setup import set_up

set_up(keras=2, deterministic=True, threads=1)

# %% tags=["model"]
import json
import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import tensorflow as tf
import tensorflow_recommenders as tfrs

from recsys_utils import baselines, comparison, diagram, leaderboard, metrics, splits
from recsys_utils.columns import GENRES, ITEM_ID, TITLE, USER_ID, YEAR
from recsys_utils.datasets import files, item_vectors, movielens
from recsys_utils.display import results_table

# %% [markdown]
# You can change these. The last two, of the model with logQ, were chosen on validation.

# %% tags=["parameters"]
SEEDS = [1, 2, 3]
USER = 95  # whose recommendations we look at
DIM = 64
BATCH = 256
EPOCHS = 3
LEARNING_RATE = 0.05

# %%
default = (SEEDS, DIM, BATCH, EPOCHS, LEARNING_RATE) == ([1, 2, 3], 64, 256, 3, 0.05)

# %% [markdown]
# ## Data: every rating is a choice
#
# We take a rating as a sign that the user watched. So every training rating is a positive pair, whatever its stars, and
# there are no negatives. Each user's last 20 % is the test, the last 20 % of the rest the validation part, on which all
# is chosen.

# %%
movies = movielens.load_movielens()

# %% tags=["model"]
items = movies.items
test_split = splits.split_by_time(movies.ratings)
validation_split = splits.split_by_time(test_split.train)
test_task = metrics.make_ranking_task(*test_split, items=items[ITEM_ID])
validation_task = metrics.make_ranking_task(*validation_split, items=items[ITEM_ID])
users = test_task.users  # (n_users,)
catalogue = {
    "item_id": items[ITEM_ID].to_numpy(),  # (n_items,)
    "year": items[YEAR].to_numpy(),  # (n_items,), 0 where unknown
    "genres": items[GENRES].str.get_dummies("|").to_numpy(np.float32),  # (n_items, n_genres) of 0 and 1
}

# %% tags=["nbval-check-output"]
print(f"{len(users):,} users, {len(items):,} movies")
print(f"{len(validation_split.train):,} pairs to choose by, {len(validation_split.test):,} to judge the choice")
print(f"{len(test_split.train):,} pairs to train the chosen models, {len(test_split.test):,} to test them")
test_split.train.head(3)

# %% [markdown]
# ## The batch is the negative set
#
# The **[query tower](../docs/glossary.md#query-tower)** turns a user into a vector $q_i$, the **[candidate
# tower](../docs/glossary.md#candidate-tower)** a movie into a vector $c_j$, and their dot product is the score
# $s_{ij}=q_i\cdot c_j$. Take a batch of pairs, each a user and the movie they chose. Score every user against every
# movie of the batch: the choices lie on the diagonal. What lies off it was chosen by somebody else; those are the
# negatives. Each row is a multiple-choice question, so the loss is a softmax cross-entropy:
#
# $$\mathcal{L} = -\sum_i \log \frac{e^{s_{ii}}}{\sum_j e^{s_{ij}}}$$
#
# Ann chose a little-known movie, Ben a blockbuster, and the model would offer the blockbuster to both.

# %% tags=["nbval-check-output"]
queries = np.array([[2, 3], [0, 3]], dtype=np.float32)  # (batch, dim): Ann, Ben
candidates = np.array([[1, 0], [0, 1]], dtype=np.float32)  # (batch, dim): little-known movie, blockbuster
scores = queries @ candidates.T  # (batch, batch)
pd.DataFrame(scores, index=["Ann", "Ben"], columns=["little-known movie", "blockbuster"])

# %% [markdown]
# Ann's row has the right answer one point behind, which costs $\log(1 + e^{3-2})$. Ben's has it three points ahead,
# which costs $\log(1 + e^{0-3})$. TFRS returns their sum.

# %% tags=["nbval-check-output"]
plain_loss = np.log(1 + np.exp(3 - 2)) + np.log(1 + np.exp(0 - 3))
by_tfrs = float(tfrs.tasks.Retrieval()(queries, candidates))
print(f"by hand {plain_loss:.4f}, TFRS {by_tfrs:.4f}")
assert np.isclose(plain_loss, by_tfrs, atol=1e-5), "the loss worked by hand should be TFRS's"

# %% [markdown]
# It is a **sum**, so gradients grow with the batch. Adagrad, our optimizer, divides by the size of past gradients, so the
# rate need not shrink as the batch grows.
#
# If Ann and Ben had chosen the *same* movie, each would have it as the right answer and as a negative: an **[accidental
# hit](../docs/glossary.md#accidental-hit)**. `remove_accidental_hits` takes it out, which here leaves nothing to get wrong.

# %% tags=["nbval-check-output"]
same_movie = np.array([[1, 0], [1, 0]], dtype=np.float32)  # (batch, dim): Ann and Ben chose one movie
kept = float(tfrs.tasks.Retrieval()(queries, same_movie))
removed = float(tfrs.tasks.Retrieval(remove_accidental_hits=True)(queries, same_movie, candidate_ids=np.array([7, 7])))
print(f"accidental hit kept: loss {kept:.4f}, removed: {removed:.4f}")
assert np.isclose(removed, 0, atol=1e-5), "without its accidental hit a row of one movie has nothing to get wrong"

# %% [markdown]
# ## The towers
#
# The brackets give the number of ids, periods or genres.

# %%
movie = {"movie id": len(items), "period of five years": 24, "genres": catalogue["genres"].shape[1]}
diagram.draw_two_towers(
    diagram.Tower("query tower", {"user id": len(users)}, [f"Embedding {DIM}"]),
    diagram.Tower("candidate tower", movie, [f"three embeddings of {DIM}, added"]),
    meet="dot product, all pairs of the batch",
    loss="softmax over the batch",
)

# %% [markdown]
# The query tower is a look-up: a user id becomes a row number, the row number a vector.


# %% tags=["model"]
def make_query_tower():
    index = tf.keras.layers.IntegerLookup(vocabulary=users)  # row 0 is for unknown ids
    return tf.keras.Sequential([index, tf.keras.layers.Embedding(len(users) + 1, DIM)])


# %% [markdown]
# The candidate tower adds three vectors: the movie's, its period's, and the sum of its genres'. A movie that training
# never saw has the vector of the unknown id plus what its period and genres say.


# %% tags=["model"]
class CandidateTower(tf.keras.Model):
    def __init__(self, item_ids):
        super().__init__()
        periods = list(range(1905, 2020, 5))
        self.index = tf.keras.layers.IntegerLookup(vocabulary=item_ids)  # row 0 is for unknown ids
        self.item = tf.keras.layers.Embedding(len(item_ids) + 1, DIM)
        self.period_index = tf.keras.layers.Discretization(bin_boundaries=periods)
        self.period = tf.keras.layers.Embedding(len(periods) + 1, DIM, embeddings_initializer="zeros")
        self.genres = tf.keras.layers.Dense(DIM, use_bias=False, kernel_initializer="zeros")

    def call(self, movies):
        item = self.item(self.index(movies["item_id"]))  # (batch, dim)
        period = self.period(self.period_index(movies["year"]))  # (batch, dim)
        return item + period + self.genres(movies["genres"])  # (batch, dim)


# %% [markdown]
# The model hands a batch's vectors to TFRS's task, with movie ids for accidental hits.


# %% tags=["model"]
class InBatchSoftmax(tfrs.Model):
    def __init__(self, item_ids):
        super().__init__()
        self.query_tower, self.candidate_tower = make_query_tower(), CandidateTower(item_ids)
        self.batch_loss = tf.keras.metrics.Mean("batch_loss")
        self.task = tfrs.tasks.Retrieval(remove_accidental_hits=True, loss_metrics=[self.batch_loss])

    def compute_loss(self, batch, training=False):
        queries = self.query_tower(batch["user_id"])  # (batch, dim)
        candidates = self.candidate_tower(batch)  # (batch, dim)
        return self.task(queries, candidates, candidate_ids=batch["item_id"])


# %% [markdown]
# ## Train
#
# Each epoch shuffles the row numbers and gathers a batch at a time. Each pair carries its movie's share of all pairs, for
# later.


# %% tags=["model"]
def read_batches(train, seed):
    position = np.searchsorted(catalogue["item_id"], train[ITEM_ID])
    count = np.bincount(position, minlength=len(items))  # (n_items,) training pairs of each movie
    pairs = {name: tf.constant(column[position]) for name, column in catalogue.items()}
    pairs["user_id"] = tf.constant(train[USER_ID])
    pairs["share"] = tf.constant((count / len(train))[position], tf.float32)
    shuffle = tf.random.Generator.from_seed(seed)
    rows = tf.data.Dataset.from_tensors(0).map(lambda _: tf.argsort(shuffle.uniform([len(train)])))  # (n_pairs,)
    rows = rows.rebatch(BATCH, drop_remainder=True)  # (batch,), a fresh order each epoch
    batches = rows.map(lambda batch: {name: tf.gather(column, batch) for name, column in pairs.items()})
    return batches.apply(tf.data.experimental.assert_cardinality(len(train) // BATCH))


# %% [markdown]
# One matrix product scores all users against the whole catalogue. TFRS's `FactorizedTopK` ranks it for each batch's users,
# so we leave it out.


# %% tags=["model"]
def score(model):
    queries = model.query_tower(users)  # (n_users, dim)
    candidates = model.candidate_tower(catalogue)  # (n_items, dim)
    return tf.matmul(queries, candidates, transpose_b=True).numpy()  # (n_users, n_items)


# %% [markdown]
# `steps_per_execution` runs a whole epoch inside TensorFlow. The metric that we gave the task averages over the epoch;
# `fit`'s own loss is the last batch's.


# %% tags=["model"]
def train_model(model_class, train, epochs, rate=LEARNING_RATE, seed=SEEDS[0], task=None):
    tf.keras.utils.set_random_seed(seed)
    model, batches = model_class(np.unique(train[ITEM_ID])), read_batches(train, seed)
    model.compile(optimizer=tf.keras.optimizers.Adagrad(rate), steps_per_execution=len(batches))
    curve = []
    for epoch in range(1, epochs + 1):
        loss = model.fit(batches, verbose=0).history["batch_loss"][0] / BATCH  # the loss of one pair
        ndcg = metrics.evaluate_ranking(score(model), task).ndcg.mean() if task else np.nan
        curve.append({"epoch": epoch, "loss": loss, "NDCG@10": ndcg})
    return model, pd.DataFrame(curve)


# %% [markdown]
# [NDCG@10](../docs/glossary.md#ndcg) is 1 if a user's next choices fill the top of the list, 0 if none is in it.
# `data/in_batch_grid.json`, written by `tools/tune_in_batch.py`, holds it on validation for every learning rate and epoch,
# a mean over six seeds (plain: one). Here is most popular, one list for everybody, and the plain [in-batch
# softmax](../docs/glossary.md#in-batch-softmax) at its best epoch:

# %%
grid = json.loads(files.course_file("in_batch_grid.json").read_text(encoding="utf-8"))
tried = pd.DataFrame(grid["tried"], columns=grid["columns"])  # a row a way, rate and epoch
best = pd.DataFrame(grid["chosen"], columns=grid["columns"]).set_index("way").sort_index()
by_rate = tried.pivot_table("NDCG@10", "way", "rate", aggfunc="max")  # (n_ways, n_rates)
popular = metrics.evaluate_ranking(baselines.rank_with_popularity(validation_task), validation_task).ndcg.mean()
print(f"most popular: {popular:.3f}")
results_table(by_rate.loc[["plain"]].dropna(axis=1).reset_index())

# %% [markdown]
# At none of these rates does it reach 90 % of most popular.

# %%
assert by_rate.loc["plain"].max() < 0.9 * popular, "plain should lose to most popular"

# %% [markdown]
# ## Why it loses, and the one line that turns it
#
# The more popular a movie, the more batches have it as a negative. So the score that minimises the loss is not how likely
# a user is to choose a movie, but how much *likelier than everybody else*:
#
# $$s_{ij} = \log \frac{p(j \mid i)}{q_j} + \text{a constant of row } i$$
#
# Here $q_j$ is movie $j$'s **share** of the training pairs: the chance that *one draw* is movie $j$. (The chance to be
# in a batch is $1-(1-q_j)^B$.) So subtract $\log q_j$ from the score **in training only**. Then $s_{ij}-\log q_j$ learns
# the ratio, and $s_{ij}$ learns $\log p(j \mid i)$, by which we rank. This is the **[logQ
# correction](../docs/glossary.md#logq-correction)** (Bengio and Senécal, 2008; Yi et al., 2019); [Lesson
# 12](12_correct_sampling_bias.ipynb) derives it.

# %% tags=["nbval-check-output"]
share = test_task.popularity / test_task.popularity.sum()  # (n_items,) of the training pairs
in_batch = np.sort(1 - (1 - share) ** BATCH)  # (n_items,) the share of batches that a movie is in
print(f"in a batch: most popular {in_batch[-1]:.0%}, 50th {in_batch[-50]:.0%}, median {np.median(in_batch):.1%}")

# %% [markdown]
# Mind the sign. Logarithms of shares are negative, so subtracting them lifts both movies, the rare one more:

# %% tags=["nbval-check-output"]
shares = np.array([0.1, 0.4], dtype=np.float32)  # (batch,): the little-known movie, the blockbuster
corrected = scores - np.log(shares)  # (batch, batch)
logq_loss = (np.logaddexp.reduce(corrected, axis=1) - np.diag(corrected)).sum()
by_tfrs = float(tfrs.tasks.Retrieval()(queries, candidates, candidate_sampling_probability=shares))
print(f"by hand {logq_loss:.4f}, TFRS {by_tfrs:.4f}")
push = [tf.nn.softmax(each)[0, 1].numpy() for each in (scores, corrected)]
print(f"push on the blockbuster in Ann's row: {push[0]:.2f} plain, {push[1]:.2f} corrected")
assert np.isclose(logq_loss, by_tfrs, atol=1e-5), "TFRS should subtract log q"
assert push[1] < push[0], "the correction should spare the popular movie"

# %% [markdown]
# The gradient pushes a negative down by its softmax share: what comes more often is now pushed less hard each time. In
# TFRS the repair is one argument:


# %% tags=["model"]
class InBatchSoftmaxLogQ(InBatchSoftmax):
    def compute_loss(self, batch, training=False):
        queries = self.query_tower(batch["user_id"])  # (batch, dim)
        candidates = self.candidate_tower(batch)  # (batch, dim)
        return self.task(
            queries,
            candidates,
            candidate_ids=batch["item_id"],
            candidate_sampling_probability=batch["share"],  # the one line
        )


# %% [markdown]
# There is another repair: if the plain model has learnt $\log p - \log q$, add $\log q$ back when we **rank**. That is
# logQ training, too, of a model whose score has $\log q$ built in as a fixed bias. Give each query a 1 more and each
# candidate its $\log q$; in the corrected loss $\log q$ cancels, and the plain loss is left.

# %%
with_bias = np.hstack([candidates, np.log(shares)[:, None]])  # (batch, dim + 1)
with_one = np.hstack([queries, np.ones((2, 1), np.float32)])  # (batch, dim + 1)
cancelled = float(tfrs.tasks.Retrieval()(with_one, with_bias, candidate_sampling_probability=shares))
assert np.isclose(cancelled, plain_loss, atol=1e-5), "a bias of log q and its correction should cancel"

# %% [markdown]
# So the repairs differ in who knows popularity: a fixed bias, or vectors that have to learn it. Each way gets its own rate
# and epochs: the fewest within 0.0005 of its best, none at an end:

# %%
results_table(by_rate.reset_index())

# %%
ends, at_best = tried.groupby("way")[["rate", "epoch"]], best[["rate", "epoch"]]
assert ((ends.min() < at_best) & (at_best < ends.max())).all(axis=None), "the choice should lie inside the grid"
assert not default or (EPOCHS, LEARNING_RATE) == (best["epoch"]["logQ"], best["rate"]["logQ"])

# %% [markdown]
# Train with logQ once, to check the grid:

# %%
validated, curve = train_model(InBatchSoftmaxLogQ, validation_split.train, EPOCHS, task=validation_task)
results_table(curve)

# %% [markdown]
# See both repairs above the dashed line from the first epoch; the plain model never is.

# %%
figure, axes = plt.subplots()
beside = ((0, 8), (-90, -20), (0, -26))  # where a label stands, in points
for (way, rate), offset, colour in zip(best["rate"].items(), beside, ("C0", "C1", "C2"), strict=True):
    line = tried[(tried["way"] == way) & (tried["rate"] == rate)]
    axes.plot(line["epoch"], line["NDCG@10"], marker=".", color=colour)
    at, seeds = (best["epoch"][way], best["NDCG@10"][way]), line.filter(like="seed").notna().all().sum()
    axes.annotate(f"{way} (rate {rate:g}, seeds: {seeds})", at, offset, textcoords="offset points", color=colour)
    assert (line["NDCG@10"] > popular).all() if way != "plain" else (line["NDCG@10"] < popular).all(), way
axes.axhline(popular, color="C6", linestyle="--")
axes.text(tried["epoch"].max(), popular, "most popular", color="C6", ha="right", va="bottom")
axes.set(title="Validation, best rate each", xlabel="epoch", ylabel="NDCG@10", xticks=range(0, 21, 5), ylim=(0, 0.15))
expected = tried[(tried["way"] == "logQ") & (tried["rate"] == LEARNING_RATE)]["NDCG@10"].head(EPOCHS)
assert not default or np.allclose(curve["NDCG@10"], expected, atol=0.01), "the grid should be what training gives"

# %% [markdown]
# ## Evaluate on the test
#
# We train on all training pairs, the plain model with one seed, both repairs with three, and read the test once, with the
# [tuned](../docs/glossary.md#tuned-baseline) rivals of [Lesson 03](03_rank_with_classic_baselines.ipynb).

# %%
WAYS = {  # the name in the table, the model, and whether log q is added when ranking
    "plain": ("in-batch softmax", InBatchSoftmax, False),
    "plain, log q added": ("log q added when ranking", InBatchSoftmax, True),
    "logQ": ("in-batch softmax + logQ", InBatchSoftmaxLogQ, False),
}
chosen = {way: (int(best["epoch"][way]), best["rate"][way]) for way in WAYS} | {"logQ": (EPOCHS, LEARNING_RATE)}
log_share = np.log(np.maximum(share, 1e-6)).astype(np.float32)  # (n_items,), clipped where TFRS clips
models, results, seconds = {}, {}, {}
for way, (name, model_class, added) in WAYS.items():
    start, trained = time.perf_counter(), SEEDS[:1] if way == "plain" else SEEDS
    models[name] = [train_model(model_class, test_split.train, *chosen[way], seed)[0] for seed in trained]
    seconds[name] = (time.perf_counter() - start) / len(trained)
    results[name] = [metrics.evaluate_ranking(score(model) + added * log_share, test_task) for model in models[name]]

# %%
for name, of_seeds in baselines.load_rival_lists().items():  # iALS and BPR have three
    results[name] = [metrics.evaluate_lists(lists, test_task) for lists in of_seeds]
ndcg = {name: np.stack([each.ndcg for each in of_seeds]) for name, of_seeds in results.items()}  # (n_seeds, n_users)
ours = "in-batch softmax + logQ"
table = comparison.compare(ndcg, ours).set_index("model").sort_values("mean")
shown = {name: (of_seeds[0].coverage, round(of_seeds[0].popularity)) for name, of_seeds in results.items()}
shown = pd.DataFrame.from_dict(shown, "index", columns=["coverage", "popularity"])

# %% [markdown]
# The difference is to our model with logQ, paired by user, with intervals that [Holm's
# correction](../docs/glossary.md#holm-correction) widens: "better" is a row that beats our model. `coverage` is the share
# of the catalogue that anybody is shown, `popularity` how many users had rated a recommended movie; both are the first
# seed's.

# %%
results_table(table.rename(columns={"mean": "NDCG@10", "seed_spread": "seed spread"}).join(shown).reset_index())

# %% [markdown]
# Our model also reads period and genres, and still the data cannot tell it from item CF, iALS and EASE, nor one repair
# from the other. It beats most popular and the plain softmax clearly; BPR and recently popular by a hair: their intervals
# end near zero. EASE that fades and item to next item win: they read the order of time. The plain model recommends what
# few users know.

# %%
verdict, popularity = table["verdict"], shown["popularity"]
assert not default or (verdict[["most popular", "in-batch softmax"]] == "worse").all(), "logQ should beat both"
assert not default or popularity["in-batch softmax"] < popularity[ours] / 2, "plain should recommend what few know"
assert not default or table.loc[["BPR", "recently popular"], "high"].abs().max() < 0.005, "a hair"
alike = table.loc[["item CF", "iALS", "EASE", "log q added when ranking"]]
assert not default or (alike["low"].max() < 0.005 and alike["high"].min() > -0.005), "too close to call"
assert not default or (verdict[["EASE that fades", "item to next item"]] == "better").all(), "the order should count"

# %% [markdown]
# ## Recommend, and keep seen movies out
#
# The last movies that user 95 gave five stars:

# %% tags=["nbval-check-output"]
history = test_split.train[test_split.train[USER_ID] == USER].merge(items, on=ITEM_ID)
history.query("rating == 5")[[TITLE, YEAR, GENRES]].tail(5)

# %% [markdown]
# A model's favourites are first of all what the user has chosen already. Leave it out.

# %%
logq_model, plain_model = models[ours][0], models["in-batch softmax"][0]
logq_scores, plain_scores = score(logq_model), score(plain_model)  # (n_users, n_items)
of_user, titles = np.flatnonzero(users == USER), items[TITLE].to_numpy()
unseen = metrics.recommend(logq_scores[of_user], test_task.seen[of_user])[0]  # (10,)
lists = {
    "logQ, all movies": metrics.top_k(logq_scores[of_user], 10)[0],
    "logQ, seen movies left out": unseen,
    "plain, seen movies left out": metrics.recommend(plain_scores[of_user], test_task.seen[of_user])[0],
}
results_table(pd.DataFrame({name: titles[columns] for name, columns in lists.items()}))

# %%
favourites = metrics.top_k(logq_scores, 10)  # (n_users, 10)
seen_share = np.take_along_axis(test_task.seen.toarray(), favourites, axis=1).mean()
print(f"Of all users' ten favourites, {seen_share:.0%} had been seen.")
assert not default or seen_share > 0.5, "most of a model's favourites should be movies the user has seen"

# %% [markdown]
# ## Save an index that answers with movie ids
#
# An **[index](../docs/glossary.md#index)** holds the movies' vectors and ids; at request time only the query tower runs.
# `BruteForce` compares with every movie, which is exact. `query_with_exclusions` fetches `k` more than it leaves out. We
# pad the histories, with an id that no movie has, to one width: it is fixed once the index is saved.

# %%
vectors = logq_model.candidate_tower(catalogue)  # (n_items, dim)
brute_force = tfrs.layers.factorized_top_k.BruteForce(logq_model.query_tower, k=10)
index = brute_force.index(vectors, tf.constant(catalogue["item_id"]))
n_seen = test_task.seen.sum(axis=1)  # (n_users,)


def seen_by(user_id):
    return catalogue["item_id"][test_task.seen[np.flatnonzero(users == user_id)].indices]


def ask(index, user_id):
    padded = np.pad(seen_by(user_id), (0, n_seen.max() - len(seen_by(user_id))), constant_values=-1)
    return index.query_with_exclusions(tf.constant([user_id]), tf.constant(padded[None]))[1].numpy()[0]  # (10,)


# %% [markdown]
# Call the index once before saving it, so that TensorFlow has traced what to save.

# %% tags=["nbval-check-output"]
import tempfile

asked = [USER, users[n_seen.argmax()], *users[:20]]  # the second has the longest history
before = [ask(index, user_id) for user_id in asked]  # each (10,)
with tempfile.TemporaryDirectory() as folder:
    tf.saved_model.save(index, folder)
    reloaded = tf.saved_model.load(folder)
after = [ask(reloaded, user_id) for user_id in asked]
n_new = [len(np.setdiff1d(ids, seen_by(user_id))) for ids, user_id in zip(after, asked, strict=True)]
print(f"same lists after saving and loading: {np.array_equal(before, after)}; movies not seen: {min(n_new)} of 10 each")
assert np.array_equal(before, after) and min(n_new) == 10, "ten unseen movies each, saved or loaded"

# %%
by_index = np.searchsorted(catalogue["item_id"], after[0])  # (10,)
assert np.allclose(logq_scores[of_user, by_index], logq_scores[of_user, unseen], rtol=1e-4), "as the product ranks"

# %% [markdown]
# ## What goes wrong, and why
#
# **Counts instead of shares.** TFRS cuts `candidate_sampling_probability` off at 1, whose logarithm is 0: given counts, it
# corrects nothing and says nothing.

# %% tags=["nbval-check-output"]
counts = np.array([10, 40], dtype=np.float32)  # what gave the shares 0.1 and 0.4
with_counts = float(tfrs.tasks.Retrieval()(queries, candidates, candidate_sampling_probability=counts))
print(f"with counts {with_counts:.4f}, without correction {plain_loss:.4f}, with shares {logq_loss:.4f}")
assert np.isclose(with_counts, plain_loss, atol=1e-5), "counts should be the same as no correction"

# %% [markdown]
# **Duplicates.** An index made from pairs holds a movie once for everybody who chose it. Index the catalogue.

# %%
pair_ids = test_split.train[ITEM_ID].to_numpy()  # (n_pairs,)
index_of_pairs = tfrs.layers.factorized_top_k.BruteForce(logq_model.query_tower, k=10)
index_of_pairs.index(tf.gather(vectors, np.searchsorted(catalogue["item_id"], pair_ids)), tf.constant(pair_ids))
_, pair_list = index_of_pairs(tf.constant([USER]))  # (1, 10)
assert len(set(after[0])) == 10, "an index of the catalogue should not repeat itself"
assert len(set(pair_list[0].numpy())) < 10, "an index of pairs should"
pd.Series(titles[np.searchsorted(catalogue["item_id"], pair_list[0])]).value_counts().rename("times recommended")

# %% [markdown]
# ## In practice
#
# - **New users.** Unknown ids share one vector that was never trained. In [Lesson 14](14_encode_watch_history.ipynb) the
#   query tower reads what users did.
# - **The batch.** An epoch's scores grow with the batch. On several machines, negatives are those of one machine.
# - **Padding** to the longest history makes every user pay for it; group histories by length.
# - **The shares** can be estimated from a stream while training (Yi et al., 2019).
#
# The course's leaderboard gets the first seed's figures, [Lesson 16](16_compare_embeddings.ipynb) the movies' vectors.


# %%
def time_query(model, added=0):
    candidates = model.candidate_tower(catalogue).numpy()  # (n_items, dim), at hand before anybody asks
    return leaderboard.query_milliseconds(
        lambda row: candidates @ model.query_tower(users[[row]]).numpy()[0] + added, test_task
    )


board = leaderboard.Leaderboard("11")
for name, _, added in WAYS.values():
    figures = {"ranking": results[name][0], "train_seconds": seconds[name]}
    shown_as = f"in-batch softmax, {name}" if added else name
    board.add(shown_as, "two-tower", **figures, query_ms=time_query(models[name][0], added * log_share))
board.save()
item_vectors.save_item_vectors("11", catalogue["item_id"], vectors.numpy())

# %% [markdown]
# ## Check yourself
#
# 1. Where do the negatives come from, and why do they cost nothing?
#
# <details><summary>Answer</summary>
#
# From the other pairs of the batch, whose vectors have been computed already.
#
# </details>
#
# 2. You turn the batch from 256 into 512. What happens to the loss that TFRS returns, and to the scores computed per
#    epoch?
#
# <details><summary>Answer</summary>
#
# The loss sums twice as many rows, each with more wrong answers: it more than doubles. Half as many batches have four
# times the scores each: twice as many.
#
# </details>
#
# 3. Why is $q_j$ the share per draw, and not the chance that the movie is in the batch?
#
# <details><summary>Answer</summary>
#
# A movie can be in a batch several times, each time as a negative. On average a batch holds it $B q_j$ times, and the
# constant $B$ cancels in the softmax.
#
# </details>
#
# 4. In which of the two repairs do the saved vectors know popularity?
#
# <details><summary>Answer</summary>
#
# With logQ in training. Exercise 3 puts it into the others.
#
# </details>
#
# ## Exercises
#
# 1. **Another batch.** Train with logQ on the validation part, one seed, with `BATCH` of 64 and of 1024. Aim: 16 times the
#    scores in an epoch, NDCG@10 within 0.015 of each other.
# 2. **Ids alone.** In a copy of `CandidateTower`, return `item` alone. Aim: all movies that training never saw have the
#    same score; with features they do not.
# 3. **An index with popularity.** Without training: put the longer vectors of `models["log q added when ranking"][0]`
#    into `BruteForce`. Aim: for user 95, the list that `metrics.recommend` gives for its scores plus `log_share`.
# 4. **Less popularity.** Without training: on validation, take a half of $\log q$ off the scores with logQ, with the
#    shares of the validation training part; leave movies that it lacks as they are. Aim: a quarter less popularity. What
#    does NDCG@10 pay?
#
# [Solutions](solutions/11_retrieve_with_in_batch_negatives.ipynb)
#
# ## Takeaways
#
# - The batch is the negative set: the loss is a softmax over its movies, by hand as in TFRS.
# - The plain softmax, at its own best rate and epoch, lost to most popular: it learns what is *unusually* yours.
# - One argument, the shares, turned it. So did $\log q$ added when ranking; the data could not tell the two apart.
# - Nor could the data tell our model from tuned iALS and EASE; rivals that read the order of time won.
# - Most favourites had been seen. The index left them out and still answered with ten.
#
# **Next**: [Lesson 12](12_correct_sampling_bias.ipynb) takes sampling bias apart.
#
# **References**
#
# - Y. Bengio, J.-S. Senécal (2008). Adaptive importance sampling to accelerate training of a neural probabilistic
#   language model. *IEEE Transactions on Neural Networks* 19(4).
# - X. Yi et al. (2019). Sampling-bias-corrected neural modeling for large corpus item recommendations. *RecSys*.
