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
# # Retrieve films with in-batch negatives
#
# [![Open in Colab](images/open-in-colab.svg)](https://colab.research.google.com/github/two-towers-course/two-towers/blob/main/notebooks/11_retrieve_with_in_batch_negatives.ipynb) [![Launch Binder](images/launch-binder.svg)](https://mybinder.org/v2/gh/two-towers-course/two-towers/main?urlpath=lab/tree/notebooks/11_retrieve_with_in_batch_negatives.ipynb)
#
# **What you'll do**: Train a two-tower model that picks ten movies out of 9,066 for each of 671 users, and save it as
# an index that answers with movie ids.
#
# **What you'll learn**
# - how a batch of positive pairs supplies its own negatives, with the loss worked by hand and equal to TensorFlow
#   Recommenders' (TFRS);
# - why the plain in-batch softmax loses to a list of popular movies, and the one line that turns it;
# - how to keep seen movies out, and how to save an index and get the same answers back.
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
# TFRS is written for Keras 2, so `set_up` asks TensorFlow for it, and for operations that give the same model each time.

# %% tags=["model"]
from recsys_utils.setup import set_up

set_up(keras=2, deterministic=True)
import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import tensorflow as tf
import tensorflow_recommenders as tfrs

from recsys_utils import baselines, comparison, diagram, leaderboard, metrics, splits
from recsys_utils.columns import GENRES, ITEM_ID, TITLE, USER_ID, YEAR
from recsys_utils.datasets import item_vectors, movielens
from recsys_utils.display import results_table

# %% [markdown]
# The sizes of the model and of its training, which you can change.

# %% tags=["parameters"]
SEED = 1
DIM = 64
BATCH = 1024
EPOCHS = 6
LEARNING_RATE = 0.05

# %% [markdown]
# ## Data: every rating is a choice
#
# A retrieval model learns from what people chose, not from how many stars they gave: someone who rates a film watched
# it. So every training rating is one positive pair, and there are no negatives anywhere. Each person's last 20 % is the
# test. The last 20 % of what remains is the validation part, on which we choose; the test is for the end.

# %%
movies = movielens.load_movielens()

# %% tags=["model"]
items = movies.items
test_split = splits.split_by_time(movies.ratings)
validation_split = splits.split_by_time(test_split.train)
test_task = metrics.make_ranking_task(*test_split, items=items[ITEM_ID])
validation_task = metrics.make_ranking_task(*validation_split, items=items[ITEM_ID])
users = test_task.users  # (671,)

# %% tags=["nbval-check-output"]
print(f"{len(users):,} people, {len(items):,} films")
print(f"{len(validation_split.train):,} pairs to choose a model by, {len(validation_split.test):,} to judge the choice")
print(f"{len(test_split.train):,} pairs to train the chosen model on, {len(test_split.test):,} to test it")
test_split.train.head(3)

# %% [markdown]
# MovieLens tells us nothing about people except what they chose, but films come with a year and with genres.

# %% tags=["model"]
catalogue = {
    "item_id": items[ITEM_ID].to_numpy(),  # (n_items,)
    "year": items[YEAR].to_numpy(),  # (n_items,), 0 where unknown
    "genres": items[GENRES].str.get_dummies("|").to_numpy(np.float32),  # (n_items, n_genres) of 0 and 1
}

# %% tags=["nbval-check-output"]
print({name: column.shape for name, column in catalogue.items()})
items.head(3)

# %% [markdown]
# ## The batch is the negative set
#
# The **[query tower](../docs/glossary.md#query-tower)** turns a person into a vector $q_i$, the **[candidate
# tower](../docs/glossary.md#candidate-tower)** turns a film into a vector $c_j$, and
# their dot product is the score $s_{ij} = q_i \cdot c_j$. Take a batch of pairs, each a person and the film they chose.
# Score everybody against every film in the batch: the choices lie on the diagonal, and what lies off it was chosen by
# somebody else. Those are the negatives. Each row is a multiple-choice question, so the loss is a softmax
# cross-entropy:
#
# $$\mathcal{L} = -\sum_i \log \frac{e^{s_{ii}}}{\sum_j e^{s_{ij}}}$$
#
# Two pairs are enough to work it by hand. Ann chose a little-known film, Ben a blockbuster, and the model would offer
# the blockbuster to both.

# %% tags=["nbval-check-output"]
queries = np.array([[2, 3], [0, 3]], dtype=np.float32)  # (batch, dim): Ann, Ben
candidates = np.array([[1, 0], [0, 1]], dtype=np.float32)  # (batch, dim): little-known film, blockbuster
scores = queries @ candidates.T  # (batch, batch)
pd.DataFrame(scores, index=["Ann", "Ben"], columns=["little-known film", "blockbuster"])

# %% [markdown]
# Ann's row has the right answer one point behind, which costs $\log(1 + e^{3 - 2})$. Ben's has it three points ahead,
# which costs $\log(1 + e^{0 - 3})$. TFRS gives the sum of the two.

# %% tags=["nbval-check-output"]
by_hand = np.log(1 + np.exp(3 - 2)) + np.log(1 + np.exp(0 - 3))
by_tfrs = float(tfrs.tasks.Retrieval()(queries, candidates))
print(f"by hand {by_hand:.4f}, TFRS {by_tfrs:.4f}")
assert np.isclose(by_hand, by_tfrs, atol=1e-5), "the loss worked by hand should be TFRS's"

# %% [markdown]
# It is a **sum**, not a mean: every pair is a question of its own and pulls with the same weight in a full batch and in
# a short one. The price is that the gradient grows with the batch, and with plain gradient descent the best learning
# rate would shrink as the batch grows. We use Adagrad, which divides by the size of past gradients.
#
# One trap is left. If Ann and Ben had chosen the *same* film, each would have it as the right answer and as a negative:
# an **[accidental hit](../docs/glossary.md#accidental-hit)**. `remove_accidental_hits` takes it out of the row. Here it
# was the only negative, so nothing is
# left to get wrong.

# %% tags=["nbval-check-output"]
same_film = np.array([[1, 0], [1, 0]], dtype=np.float32)  # (batch, dim): Ann and Ben chose one film
masked = tfrs.tasks.Retrieval(remove_accidental_hits=True)
kept = float(tfrs.tasks.Retrieval()(queries, same_film))
removed = float(masked(queries, same_film, candidate_ids=np.array([7, 7])))
print(f"accidental hit kept: loss {kept:.4f}, removed: {removed:.4f}")
assert np.isclose(removed, 0, atol=1e-5), "without its accidental hit a row of one film has nothing to get wrong"

# %% [markdown]
# How often does that happen to us? With films drawn by their share of the training pairs, a row meets its own film
# among the other rows this often:

# %% tags=["nbval-check-output"]
share = test_task.popularity / test_task.popularity.sum()  # (n_items,) share of the training pairs
accidents = 1023 * (share**2).sum()
print(f"{accidents:.2f} accidental hits a row in a batch of 1,024")

# %% [markdown]
# ## The towers
#
# Two towers, and the one place where they meet. In brackets stands how many numbers, or ids, go in.

# %%
movie = {"movie id": len(catalogue["item_id"]), "period of five years": 24, "genres": catalogue["genres"].shape[1]}
diagram.draw_two_towers(
    diagram.Tower("query tower", {"user id": len(users)}, [f"Embedding {DIM}"]),
    diagram.Tower("candidate tower", movie, [f"three embeddings of {DIM}, added"]),
    meet="dot product, all pairs of the batch",
    loss="softmax over the batch",
)

# %% [markdown]
# The query tower is a look-up: a raw user id becomes a row number, the row number a vector.


# %% tags=["model"]
def make_query_tower():
    index = tf.keras.layers.IntegerLookup(vocabulary=users)  # row 0 is for unknown ids
    return tf.keras.Sequential([index, tf.keras.layers.Embedding(len(users) + 1, DIM)])


# %% [markdown]
# The candidate tower adds three vectors: one for the film, one for its period of five years, and the sum of its
# genres'. The features start at zero and earn their weight. A film that training never saw has the vector of the
# unknown id plus what its period and genres say.


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

    def call(self, films):
        item = self.item(self.index(films["item_id"]))  # (batch, dim)
        period = self.period(self.period_index(films["year"]))  # (batch, dim)
        return item + period + self.genres(films["genres"])  # (batch, dim)


# %% [markdown]
# The model runs both towers over a batch and hands the vectors to the task. The film ids go along, so that accidental
# hits are removed.


# %% tags=["model"]
class InBatchSoftmax(tfrs.Model):
    def __init__(self, item_ids):
        super().__init__()
        self.query_tower = make_query_tower()
        self.candidate_tower = CandidateTower(item_ids)
        self.batch_loss = tf.keras.metrics.Mean("batch_loss")
        self.task = tfrs.tasks.Retrieval(remove_accidental_hits=True, loss_metrics=[self.batch_loss])

    def compute_loss(self, batch, training=False):
        queries = self.query_tower(batch["user_id"])  # (batch, dim)
        candidates = self.candidate_tower(batch)  # (batch, dim)
        return self.task(queries, candidates, candidate_ids=batch["item_id"])


# %% tags=["nbval-check-output"]
model = InBatchSoftmax(catalogue["item_id"])
print("queries", model.query_tower(users).shape, "candidates", model.candidate_tower(catalogue).shape)

# %% [markdown]
# ## Train
#
# A batch is read by shuffled row numbers: shuffle the numbers, cut them into batches, gather the rows. That moves whole
# batches, where shuffling the rows themselves would move them one by one. Beside the person and the film, each pair
# carries the film's share of the training pairs, which we need later.


# %% tags=["model"]
def read_batches(train):
    position = np.searchsorted(catalogue["item_id"], train[ITEM_ID])
    count = np.bincount(position, minlength=len(items))  # (n_items,) training pairs of each film
    pairs = {name: tf.constant(column[position]) for name, column in catalogue.items()}
    pairs["user_id"] = tf.constant(train[USER_ID])
    pairs["share"] = tf.constant((count / len(train))[position], tf.float32)
    rows = tf.data.Dataset.range(len(train)).shuffle(len(train), seed=SEED)
    return rows.batch(BATCH, drop_remainder=True).map(
        lambda batch: {name: tf.gather(column, batch) for name, column in pairs.items()}
    )


# %% [markdown]
# After training, one matrix product scores everybody against the whole catalogue.


# %% tags=["model"]
def score(model):
    queries = model.query_tower(users)  # (n_users, dim)
    candidates = model.candidate_tower(catalogue)  # (n_items, dim)
    return tf.matmul(queries, candidates, transpose_b=True).numpy()  # (n_users, n_items)


# %% [markdown]
# TFRS offers `FactorizedTopK` to do this while it trains. We leave it out: at each step it would score every pair
# against all the films, about nine times the work of the batch itself. (If you put it in while the task gets
# `candidate_ids`, its candidates need ids as well.) Scoring once an epoch is enough. For the loss, `fit` would report
# the epoch's last batch; the metric that we gave the task averages over all of them.


# %% tags=["model"]
def train_model(model_class, train, epochs, task=None):
    tf.keras.utils.set_random_seed(SEED)
    model = model_class(np.unique(train[ITEM_ID]))
    model.compile(optimizer=tf.keras.optimizers.Adagrad(LEARNING_RATE))
    batches = read_batches(train)
    curve = []
    for epoch in range(1, epochs + 1):
        loss = model.fit(batches, verbose=0).history["batch_loss"][0] / BATCH  # the loss of one pair
        ndcg = metrics.evaluate_ranking(score(model), task).ndcg.mean() if task else np.nan
        curve.append({"epoch": epoch, "loss": loss, "ndcg": ndcg})
    return model, pd.DataFrame(curve)


# %%
assert 8 < len(items) / 1024 < 10, "the catalogue should be about nine batches"

# %% [markdown]
# Before we look at any model, the baseline: the same most popular films for everybody.

# %% tags=["nbval-check-output"]
popular = metrics.evaluate_ranking(np.tile(validation_task.popularity, (len(users), 1)), validation_task)
print(f"most popular, validation: NDCG@10 {popular.ndcg.mean():.3f}")

# %% [markdown]
# And now the plain [in-batch softmax](../docs/glossary.md#in-batch-softmax).

# %%
_, plain_curve = train_model(InBatchSoftmax, validation_split.train, EPOCHS, validation_task)
results_table(plain_curve)

# %% [markdown]
# The loss falls, so the towers learn. And yet the model is far behind a list of popular films that knows nothing about
# anybody.

# %%
assert plain_curve["loss"].is_monotonic_decreasing, "training should lower the loss"
assert plain_curve["ndcg"].max() < popular.ndcg.mean(), "plain should lose to most popular here"

# %% [markdown]
# ## Why it loses, and the one line that turns it
#
# Look at what the loss sees. A popular film is in almost every batch, so it is a negative for almost everybody, almost
# every time. A little-known film is hardly ever one. With large batches the score that minimises the loss is not how
# likely a person is to choose the film, but how much *likelier than everybody else*:
#
# $$s_{ij} = \log \frac{p(j \mid i)}{q_j} + \text{a constant of row } i$$
#
# where $q_j$ is film $j$'s share of the training pairs: the probability that one draw from them is film $j$. The repair
# is to subtract $\log q_j$ from the score **in training only**. Then it is $s_{ij} - \log q_j$ that learns the ratio,
# and $s_{ij}$ learns $\log p(j \mid i)$, the thing we rank by. This is the **[logQ
# correction](../docs/glossary.md#logq-correction)** (Bengio and Senécal,
# 2008; Yi et al., 2019).
#
# The sign is easy to get wrong, so work it on Ann and Ben. Say that the blockbuster has a share of 0.4 and the
# little-known film of 0.1. Logarithms of shares are negative, so subtracting them lifts both films, the rare one more.

# %% tags=["nbval-check-output"]
shares = np.array([0.1, 0.4], dtype=np.float32)  # (batch,): the little-known film, the blockbuster
corrected = scores - np.log(shares)  # (batch, batch)
ann = np.log(1 + np.exp(corrected[0, 1] - corrected[0, 0]))
ben = np.log(1 + np.exp(corrected[1, 0] - corrected[1, 1]))
by_tfrs = float(tfrs.tasks.Retrieval()(queries, candidates, candidate_sampling_probability=shares))
print(f"by hand {ann + ben:.4f}, TFRS {by_tfrs:.4f}")
assert np.isclose(ann + ben, by_tfrs, atol=1e-5), "TFRS should subtract log q"

# %% [markdown]
# What does that do to the blockbuster? In Ann's row it is the negative, and the gradient pushes a negative down with
# the force of its softmax share.

# %% tags=["nbval-check-output"]
push = tf.nn.softmax(scores)[0, 1].numpy()
corrected_push = tf.nn.softmax(corrected)[0, 1].numpy()
print(f"push on the blockbuster: {push:.2f} plain, {corrected_push:.2f} corrected")
assert corrected_push < push, "the correction should spare the popular film"

# %% [markdown]
# A film that turns up as a negative four times as often is pushed less hard each time. In TFRS the whole repair is one
# argument, the last line of this model; TFRS takes the logarithm and subtracts it.


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
# Everything else stays as it was: the towers, the seed, the batches, the learning rate. The rate was chosen for the
# corrected model. [Lesson 12](12_correct_sampling_bias.ipynb) gives the plain model a rate of its own; it does better
# there, and it still does not pass most popular.

# %%
_, logq_curve = train_model(InBatchSoftmaxLogQ, validation_split.train, EPOCHS, validation_task)
results_table(logq_curve)

# %% [markdown]
# In the figure, see on the left that both models learn what they are asked (the two losses have different logits, so
# compare their slopes, not their heights). On the right, see that only the corrected one was asked the right thing: it
# is above the dashed line from the first epoch.

# %%
figure, (left, right) = plt.subplots(1, 2)
for name, curve in [("plain", plain_curve), ("with logQ", logq_curve)]:
    left.plot(curve["epoch"], curve["loss"], marker="o")
    right.plot(curve["epoch"], curve["ndcg"], marker="o", label=name)
right.axhline(popular.ndcg.mean(), color="C6", linestyle="--", label="most popular")
left.set(title="Training loss", xlabel="epoch", ylabel="loss of one pair (nats)")
right.set(title="Validation", xlabel="epoch", ylabel="NDCG@10", ylim=(0, 0.15))
figure.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncols=3)
assert logq_curve["ndcg"].min() > popular.ndcg.mean(), "with logQ every epoch should beat most popular"

# %% [markdown]
# ## Evaluate on the test
#
# The validation part chooses the number of epochs, for each model its own best. (Size, batch and learning rate were
# chosen on it too, beforehand, for the model with logQ.) Then each model is trained again, on all the training pairs.


# %%
def train_at_best(model_class, curve):
    epochs = int(curve.loc[curve["ndcg"].idxmax(), "epoch"])
    start = time.perf_counter()
    model, _ = train_model(model_class, test_split.train, epochs)
    return model, time.perf_counter() - start


plain_model, plain_seconds = train_at_best(InBatchSoftmax, plain_curve)
logq_model, logq_seconds = train_at_best(InBatchSoftmaxLogQ, logq_curve)

# %% [markdown]
# Two more rows answer to the same table. One is [iALS](../docs/glossary.md#ials), a matrix factorisation for choices
# from
# [Lesson 03](03_rank_with_classic_baselines.ipynb). The other tests our explanation: if the plain model has learnt
# $\log p - \log q$, then adding $\log q$ back when we *rank* should repair it without any training.

# %%
plain_scores, logq_scores = score(plain_model), score(logq_model)  # (n_users, n_items)
log_share = np.log(np.maximum(share, 1e-6), dtype=np.float32)  # (n_items,), clipped where TFRS clips
scores_of = {
    "most popular": np.tile(share.astype(np.float32), (len(users), 1)),
    "in-batch softmax": plain_scores,
    "in-batch softmax, log q added when ranking": plain_scores + log_share,
    "in-batch softmax + logQ": logq_scores,
    "iALS": baselines.rank_with_ials(test_task),
}
results = {name: metrics.evaluate_ranking(scores, test_task) for name, scores in scores_of.items()}
results_table(pd.DataFrame([{"model": name} | result.summary() for name, result in results.items()]))

# %% [markdown]
# `low` and `high` bound NDCG@10 with 95 % confidence, `coverage` is the share of the catalogue that anybody is shown,
# and `popularity` is how many people had rated a recommended film. The plain model has the widest coverage and
# recommends films that hardly anybody knows. One line moves it beyond most popular and within 15 % of iALS. Adding
# $\log q$ back at the end does at least 90 % as well, so the explanation holds.

# %%
ndcg = {name: result.ndcg for name, result in results.items()}  # each (n_users,)
mean = {name: values.mean() for name, values in ndcg.items()}
plain, logq, ials = "in-batch softmax", "in-batch softmax + logQ", "iALS"
added_back = "in-batch softmax, log q added when ranking"
assert mean[plain] < mean["most popular"], "plain should lose to most popular here"
assert mean[added_back] > 0.9 * mean[logq], "log q should explain what plain lacks"
assert mean[logq] > 1.35 * mean["most popular"], "logQ should beat most popular by at least 35 %"
assert mean[logq] > 0.85 * mean[ials], "logQ should come within 15 % of iALS"
assert results[plain].popularity < results[logq].popularity < results["most popular"].popularity
assert results[plain].coverage == max(result.coverage for result in results.values()), "plain covers most"

# %% [markdown]
# Is a difference more than luck? Both models answer for the same people, so take the difference person by person and
# bootstrap its mean. An interval without zero in it tells the two models apart. Look at the last two rows: are 671
# users enough to tell the model from iALS, and from the plain model with $\log q$ added when ranking? A negative interval
# there says that the repair when ranking is the better of the two; but each model was trained with one seed.

# %%
rows = []
for other in ["most popular", plain, ials, added_back]:
    low, high = comparison.bootstrap_interval(ndcg[logq] - ndcg[other])
    rows.append({"logQ minus": other, "NDCG@10": mean[logq] - mean[other], "low": low, "high": high})
differences = pd.DataFrame(rows)
assert differences["low"].iloc[0] > 0, "logQ's gain over most popular should be more than luck"
results_table(differences)

# %% [markdown]
# ## Recommend, and keep seen films out
#
# User 95 likes horror. These are the last films of theirs that got the full five stars.

# %% tags=["nbval-check-output"]
person = 95
history = test_split.train.query("user_id == @person").merge(items, on=ITEM_ID)
history.query("rating == 5")[[TITLE, YEAR, GENRES]].tail(6)

# %% [markdown]
# A model's favourites are first of all what a person has chosen already: that is what it was trained to score high. A
# recommender has to leave those out. On the left are the best ten of all films, on the right the best ten that user 95
# has not rated.

# %%
row = np.searchsorted(users, person)
all_films = metrics.top_k(logq_scores[[row]], 10)[0]  # (10,)
unseen_films = metrics.recommend(logq_scores[[row]], test_task.seen[[row]], 10)[0]  # (10,)
titles = items[TITLE].to_numpy()
results_table(pd.DataFrame({"all films": titles[all_films], "seen films left out": titles[unseen_films]}))

# %% [markdown]
# It is the same for everybody. This is the share of films already seen among the ten best of all, over all people.

# %%
best = metrics.top_k(logq_scores, 10)  # (n_users, 10)
seen_share = np.take_along_axis(test_task.seen.toarray(), best, axis=1).mean()
print(f"{seen_share:.0%} of the ten best had been seen")
assert seen_share > 0.5, "most of a model's favourites should be films the person has seen"

# %% [markdown]
# And here is what the other models would show user 95. Most popular knows nothing of horror; the plain model knows, and
# digs up films that few have heard of.

# %%
shown = {}
for name in ["most popular", plain, logq]:
    shown[name] = titles[metrics.recommend(scores_of[name][[row]], test_task.seen[[row]], 10)[0]]
results_table(pd.DataFrame(shown))

# %% [markdown]
# ## Save an index that answers with film ids
#
# The candidate tower has done its work once its vectors are computed: an **[index](../docs/glossary.md#index)** holds
# them beside the ids, and at
# request time only the query tower runs. `BruteForce` compares a query with every film, which is exact.

# %%
vectors = logq_model.candidate_tower(catalogue)  # (n_items, dim)
brute_force = tfrs.layers.factorized_top_k.BruteForce(logq_model.query_tower, k=10)
index = brute_force.index(vectors, tf.constant(catalogue["item_id"]))

# %% [markdown]
# `query_with_exclusions` takes the ids to leave out. Its width is fixed once the index is saved, so we pad every
# history to the longest with an id that no film has.

# %%
longest = test_task.seen.sum(axis=1).max()


def ask(index, user_id):
    row = np.searchsorted(users, user_id)
    seen = catalogue["item_id"][test_task.seen[[row]].indices]
    padded = np.pad(seen, (0, longest - len(seen)), constant_values=-1)
    _, item_ids = index.query_with_exclusions(tf.constant([user_id]), tf.constant(padded[None]))
    return item_ids[0].numpy()  # (10,)


titles[np.searchsorted(catalogue["item_id"], ask(index, person))].tolist()

# %% [markdown]
# Now save it, load it, and ask both. Two things to know: call the index once before saving, so that TensorFlow has
# traced what to save; and the `k` of that call is the `k` for good.

# %% tags=["nbval-check-output"]
import tempfile

with tempfile.TemporaryDirectory() as folder:
    tf.saved_model.save(index, folder)
    reloaded = tf.saved_model.load(folder)
people = [person, *users[:20]]
same = [np.array_equal(ask(index, user_id), ask(reloaded, user_id)) for user_id in people]
print(f"{sum(same)} of {len(people)} lists are the same after saving and loading")
assert all(same), "the reloaded index should return the same films"
found = np.searchsorted(catalogue["item_id"], ask(reloaded, person))  # (10,)
by_product, by_index = logq_scores[row, unseen_films], logq_scores[row, found]
assert np.allclose(by_index, by_product, rtol=1e-4), "the index should rank as the matrix product does"

# %% [markdown]
# ## What goes wrong, and why
#
# Popular films pushed down and seen films recommended are the two great ones, and both are repaired above. Two more go
# by in silence.
#
# **Counts instead of shares.** TFRS cuts `candidate_sampling_probability` off at 1. Hand it counts and every film gets
# a probability of 1, whose logarithm is 0: nothing is corrected and nothing is said.

# %% tags=["nbval-check-output"]
counts = np.array([10, 40], dtype=np.float32)  # what gave the shares 0.1 and 0.4
with_counts = float(tfrs.tasks.Retrieval()(queries, candidates, candidate_sampling_probability=counts))
without = float(tfrs.tasks.Retrieval()(queries, candidates))
print(f"with counts {with_counts:.4f}, without any correction {without:.4f}, with shares {by_tfrs:.4f}")
assert np.isclose(with_counts, without, atol=1e-5), "counts should be the same as no correction"

# %% [markdown]
# **Duplicates.** An index made from interactions holds a film once for everybody who chose it, and the best ten are one
# film ten times. Index the catalogue, where each film stands once.

# %%
chosen = np.searchsorted(catalogue["item_id"], test_split.train[ITEM_ID])  # (n_pairs,)
index_of_pairs = tfrs.layers.factorized_top_k.BruteForce(logq_model.query_tower, k=10)
index_of_pairs.index(tf.gather(vectors, chosen), tf.constant(test_split.train[ITEM_ID]))
_, item_ids = index_of_pairs(tf.constant([person]))
assert len(set(item_ids[0].numpy())) < 10, "an index of pairs should repeat itself"
assert len(set(ask(index, person))) == 10, "an index of the catalogue should not"
pd.Series(titles[np.searchsorted(catalogue["item_id"], item_ids[0])]).value_counts().rename("times recommended")

# %% [markdown]
# ## In practice
#
# **New people.** Every unknown id shares one vector that was never trained, so all new people get the same arbitrary
# list. The cure is a query tower that reads what a user has done instead of who they are:
# [Lesson 14](14_encode_watch_history.ipynb) builds it, and [Lesson 15](15_start_cold.ipynb) tries it on new users.
#
# **New films.** They are scored by period and genres alone. That is not a corner case:

# %% tags=["nbval-check-output"]
new_films = ~np.isin(test_split.test[ITEM_ID], test_split.train[ITEM_ID])
print(f"{new_films.mean():.1%} of the test's choices are films that training never saw")

# %% [markdown]
# **The batch.** A larger batch has more negatives and a score matrix that grows with its square. On several machines
# the negatives are those of one machine, not of all.
#
# **The shares.** Ours are counted once. Where the catalogue changes by the hour, they are estimated while training (Yi
# et al., 2019).
#
# **The split.** Cutting each user's history by time lets one user's future train what another's past is tested on.
# [Lesson 03](03_rank_with_classic_baselines.ipynb) asks what that is worth.
#
# The rows below go to the course's leaderboard, with the time that one person waits, and the film vectors to
# [Lesson 16](16_compare_embeddings.ipynb), which asks what they hold to be near.


# %%
def time_query(model):
    candidates = model.candidate_tower(catalogue).numpy()  # (n_items, dim), at hand before anybody asks
    return leaderboard.query_milliseconds(
        lambda row: candidates @ model.query_tower(users[[row]]).numpy()[0], test_task
    )


board = leaderboard.Leaderboard("11")
for name, model, seconds in [(plain, plain_model, plain_seconds), (logq, logq_model, logq_seconds)]:
    figures = {"ranking": results[name], "train_seconds": seconds, "query_ms": time_query(model)}
    board.add(name, "two-tower", **figures)
board.save()
item_vectors.save_item_vectors("11", catalogue["item_id"], vectors.numpy())

# %% [markdown]
# ## Exercises
#
# 1. Set `BATCH` to 128 and to 4096. What changes in NDCG@10, and what in the time that an epoch takes? Why?
# 2. In a copy of `CandidateTower`, return `item` alone. How many epochs does the model with logQ now need for the same
#    NDCG@10 on the validation part?
# 3. An index has no room for "$\log q$ added when ranking". Or has it? Append $\log q$ to the plain model's film
#    vectors and a 1 to its queries, and get the table's third row from `BruteForce`.
# 4. In a copy of the model, scale both towers' vectors to length 1 and give the task `temperature=0.1`. What happens to
#    the popularity of what is recommended, and why can unit vectors not simply make popular films long?
#
# ## Takeaways
#
# - The batch is the negative set: the loss is a softmax over the batch's films, summed over its rows, and worked by
#   hand it equals TFRS's.
# - Plain in-batch softmax learns what is unusually yours. It lost to most popular; adding $\log q$ back showed why.
# - Subtracting $\log q$ in training, one argument, put the same towers at least 35 % above most popular and within 15 %
#   of iALS.
# - Most of a model's favourites had been seen: leave them out. The saved index did, and gave the same films back.
#
# **Next.** [Lesson 12](12_correct_sampling_bias.ipynb) takes sampling bias apart: temperature, hard and mixed
# negatives. [Lesson 16](16_compare_embeddings.ipynb) compares the film vectors of this lesson with others.
#
# **References**
#
# - Y. Bengio and J.-S. Senécal, *Adaptive importance sampling to accelerate training of a neural probabilistic language
#   model*, IEEE Transactions on Neural Networks 19(4), 2008. [doi](https://doi.org/10.1109/TNN.2007.912312)
# - X. Yi et al., *Sampling-bias-corrected neural modeling for large corpus item recommendations*, RecSys 2019.
#   [doi](https://doi.org/10.1145/3298689.3346996)
# - Y. Hu, Y. Koren and C. Volinsky, *Collaborative filtering for implicit feedback datasets*, ICDM 2008.
#   [doi](https://doi.org/10.1109/ICDM.2008.22)
# - F. M. Harper and J. A. Konstan, *The MovieLens datasets: history and context*, ACM TiiS 5(4), 2015.
#   [doi](https://doi.org/10.1145/2827872)
