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
# # Rewrite in-batch softmax retrieval in Keras 3
#
# [![Open in Colab](images/open-in-colab.svg)](https://colab.research.google.com/github/two-towers-course/two-towers/blob/main/notebooks/13_rewrite_retrieval_in_keras_3.ipynb) [![Launch Binder](images/launch-binder.svg)](https://mybinder.org/v2/gh/two-towers-course/two-towers/main?urlpath=lab/tree/notebooks/13_rewrite_retrieval_in_keras_3.ipynb)
#
# **What you'll do**: move the retrieval model of [Lesson 11](11_retrieve_with_in_batch_negatives.ipynb) from TensorFlow
# Recommenders (TFRS) and Keras 2 to Keras 3, and prove that it is still the same model.
#
# **What you'll learn**
#
# - the in-batch softmax, corrected, in thirteen lines, written for any backend;
# - which of keras-rs's layers do what TFRS does, and where Adagrad differs;
# - how to move weights, and how to save an index;
# - what the errors mean that people search for, and when to move.
#
# **What you'll need**: [Lesson 11](11_retrieve_with_in_batch_negatives.ipynb) for the in-batch softmax and logQ; one
# minute and 1.5 GB of memory.

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
# The imports, all but Keras:

# %% tags=["model"]
import os
import subprocess
import sys
import tempfile
import time
from importlib import import_module, util
from pathlib import Path

import numpy as np
import pandas as pd

from recsys_utils import baselines, comparison, diagram, metrics, splits

# %% tags=["model"]
from recsys_utils.columns import GENRES, ITEM_ID, TITLE, USER_ID, YEAR
from recsys_utils.datasets import movielens
from recsys_utils.display import results_table
from recsys_utils.setup import set_up

# %% [markdown]
# You can change these. The sizes and the rate are lesson 11's:

# %% tags=["parameters"]
SEEDS = [1, 2, 3]
DIM, BATCH, EPOCHS, LEARNING_RATE = 64, 256, 3, 0.05
HARD, MARGIN = 64, 0.01  # hard negatives of a row; a difference in NDCG@10 that would matter to us
USER = 95  # whose recommendations we look at

# %%
default = (SEEDS, DIM, BATCH, EPOCHS, LEARNING_RATE, MARGIN) == ([1, 2, 3], 64, 256, 3, 0.05, 0.01)  # for some claims

# %% [markdown]
# ## Lesson 11, in a process of its own
#
# `tf.keras` is one Keras a process, chosen when it is first used; this course keeps one Keras to a notebook, so TFRS
# gets a process of its own. It needs Keras 2, which `tf.keras` is if `TF_USE_LEGACY_KERAS` is set to 1 *before*
# TensorFlow is imported. So a second Python runs a program with that variable, and leaves its results in a file:

# %%
IMPORTS = "import timeit, numpy as np; from recsys_utils import lessons; from recsys_utils.datasets import movielens\n"
TEMPORARY = tempfile.TemporaryDirectory()  # removed at the end
FOLDER = Path(TEMPORARY.name)
SETTINGS = {"DIM": DIM, "BATCH": BATCH, "EPOCHS": EPOCHS, "LEARNING_RATE": LEARNING_RATE}


def run_apart(program, result, **environment):
    start = f"{IMPORTS}SEEDS, HARD, SETTINGS, RESULT = {SEEDS}, {HARD}, {SETTINGS}, {str(FOLDER / result)!r}\n"
    command = [sys.executable, "-c", start + program]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return np.load(FOLDER / result)


# %% [markdown]
# The program trains lesson 11's model with logQ, once a seed. [`borrow`](../docs/your_own_data.md) brings that lesson's
# code.

# %%
TRAIN_11 = """
lesson = lessons.borrow("11", movies=movielens.load_movielens(), **SETTINGS)
train, saved = lesson.test_split.train, {"ndcg": [], "loss": []}
for seed in SEEDS:
    model, curve = lesson.train_model(lesson.InBatchSoftmaxLogQ, train, lesson.EPOCHS, seed=seed)
    saved["ndcg"].append(lesson.metrics.evaluate_ranking(lesson.score(model), lesson.test_task).ndcg)
    saved["loss"].append(curve["loss"])  # of one pair, by epoch
"""

# %% [markdown]
# It times three more epochs. Then it feeds one batch to TFRS's loss in three ways, saves the last model's weights, and
# takes a step of Adagrad, for later.

# %%
COMPARE = """
batches, tf = lesson.read_batches(train, seed), lesson.tf
saved["seconds"] = np.median(timeit.repeat(lambda: model.fit(batches, verbose=0), number=1, repeat=3))
batch = next(iter(batches))
vectors = model.query_tower(batch["user_id"]), model.candidate_tower(batch)
share, movie = {"candidate_sampling_probability": batch["share"]}, {"candidate_ids": batch["item_id"]}
hits, hard = {"remove_accidental_hits": True}, {"num_hard_negatives": HARD}
cases = [({}, share), (hits, share | movie), (hits | hard, share | movie)]
saved["losses"] = [lesson.tfrs.tasks.Retrieval(**options)(*vectors, **given) for options, given in cases]
saved |= {f"weight {place}": weight.numpy() for place, weight in enumerate(model.trainable_weights)}
gradient, table = tf.IndexedSlices(tf.ones(4), tf.constant([0, 0, 0, 1]), [2]), tf.Variable([0.0, 0.0])
tf.keras.optimizers.Adagrad(1.0).apply_gradients([(gradient, table)])
np.savez(RESULT, **saved, **batch, moved=table.numpy(), scores=lesson.score(model))
"""

# %%
by_tfrs = run_apart(TRAIN_11 + COMPARE, "tfrs.npz", TF_USE_LEGACY_KERAS="1")

# %% [markdown]
# Now this process becomes Keras 3. `KERAS_BACKEND` may name JAX instead of TensorFlow, as below.

# %% tags=["model"]
set_up(keras=3, deterministic=True, threads=1)

import keras
import keras_rs
from keras import layers, ops

# %% [markdown]
# ## The data
#
# MovieLens as in lesson 11: each training rating is a pair of a user and a movie they chose; each user's last fifth is
# the test.

# %%
movies = movielens.load_movielens()

# %% tags=["model"]
items = movies.items
test_split = splits.split_by_time(movies.ratings)
validation_split = splits.split_by_time(test_split.train)
test_task = metrics.make_ranking_task(*test_split, items=items[ITEM_ID])
train, users = test_split.train, test_task.users

# %% [markdown]
# Layers such as `IntegerLookup` run on TensorFlow alone. We look ids up before training, with NumPy, and number them as
# that layer does: from 1, with 0 for the unknown. `describe` makes the columns of the catalogue and of the training pairs.


# %% tags=["model"]
def look_up(ids, known):
    place = np.searchsorted(known, ids).clip(max=len(known) - 1)
    return np.where(known[place] == ids, place + 1, 0).astype("int32")  # (n,)


# %% tags=["model"]
def describe(train):
    catalogue = {
        "movie": look_up(items[ITEM_ID].to_numpy(), np.unique(train[ITEM_ID])),  # (n_items,), 0 if training lacks it
        "period": np.digitize(items[YEAR], range(1905, 2020, 5)).astype("int32"),  # (n_items,) five years each
        "genres": items[GENRES].str.get_dummies("|").to_numpy("float32"),  # (n_items, n_genres) of 0 and 1
    }
    row = np.searchsorted(items[ITEM_ID], train[ITEM_ID])  # (n_pairs,)
    share = (np.bincount(row) / len(train))[row].astype("float32")  # (n_pairs,) of the pair's movie
    pairs = {name: column[row] for name, column in catalogue.items()}
    return catalogue, pairs | {"user": look_up(train[USER_ID].to_numpy(), users), "share": share}


# %% tags=["nbval-check-output"]
catalogue, pairs = describe(train)
print({name: column.shape for name, column in pairs.items()})
train.head(3)

# %% [markdown]
# ## The loss in thirteen lines
#
# The [in-batch softmax](../docs/glossary.md#in-batch-softmax): a batch holds pairs of a user $i$ and a movie. Each user's
# movie is the right answer; the others' movies are the wrong ones. $q_j$ is the share of movie $j$ among the pairs, for
# the [logQ correction](../docs/glossary.md#logq-correction). The [accidental
# hits](../docs/glossary.md#accidental-hit) $H_i$ of row $i$, another row's pair with the same movie, are left out:
#
# $$\mathcal{L} = -\sum_i \log \frac{e^{\ell_{ii}}}{\sum_{j \notin H_i} e^{\ell_{ij}}}, \qquad
# \ell_{ij} = u_i \cdot v_j - \log q_j$$
#
# [Lesson 11](11_retrieve_with_in_batch_negatives.ipynb) shows what it does, and
# [Lesson 12](12_correct_sampling_bias.ipynb) why. `hard` is for [hard negatives](../docs/glossary.md#hard-negative): keep
# each row's highest wrong scores. TFRS clips shares, so we do. `keras.ops` is NumPy's interface on any backend.


# %% tags=["model"]
def in_batch_softmax(queries, candidates, share=None, movie=None, hard=None):
    logits = ops.matmul(queries, ops.transpose(candidates))  # (batch, batch)
    own = ops.eye(ops.shape(logits)[0], dtype="bool")  # (batch, batch)
    if share is not None:
        logits = logits - ops.log(ops.clip(share, 1e-6, 1.0))
    right = ops.diagonal(logits)  # (batch,)
    if movie is not None:
        same = ops.equal(movie[:, None], movie)  # (batch, batch)
        logits = ops.where(same & ~own, -1e30, logits)  # no softmax gives these a share
    if hard is not None:
        hardest, _ = ops.top_k(ops.where(own, -1e30, logits), hard)  # (batch, hard)
        logits = ops.concatenate([right[:, None], hardest], axis=1)  # (batch, 1 + hard)
    return ops.sum(ops.logsumexp(logits, axis=1) - right)


# %% [markdown]
# Two pairs by hand. The first user's right answer is one point behind the wrong one, the second's is three ahead:

# %% tags=["nbval-check-output"]
two = np.array([[2, 3], [0, 3]], dtype="float32")  # (user, movie): scores, since the movies are unit vectors
by_hand, loss = np.log(1 + np.exp(3 - 2)) + np.log(1 + np.exp(0 - 3)), float(in_batch_softmax(two, np.eye(2)))
print(f"by hand {by_hand:.4f}, with keras.ops {loss:.4f}")
assert np.isclose(loss, by_hand, atol=1e-5), "the loss worked by hand should be Keras's"

# %% [markdown]
# ## The towers
#
# The towers look up one vector of the user, and three of the movie:

# %%
sizes = len(users) + 1, int(catalogue["movie"].max()) + 1, catalogue["genres"].shape[1]
diagram.draw_two_towers(
    diagram.Tower("query tower", {"user": sizes[0]}, [f"Embedding {DIM}"]),
    diagram.Tower("candidate tower", {"movie": sizes[1], "period": 24, "genres": sizes[2]}, ["three vectors, added"]),
    meet="dot product, all pairs of the batch",
    loss="softmax over the batch, in keras.ops",
)

# %% [markdown]
# As functional models they can be saved without a class of our own:


# %% tags=["model"]
def make_towers(n_users, n_movies, n_genres):
    user, movie, period = (keras.Input(shape=(), dtype="int32", name=name) for name in ("user", "movie", "period"))
    query_tower = keras.Model(user, layers.Embedding(n_users, DIM)(user))
    genres = keras.Input(shape=(n_genres,), name="genres")
    vectors = [
        layers.Embedding(n_movies, DIM)(movie),  # (batch, dim), as the next two
        layers.Embedding(24, DIM, embeddings_initializer="zeros")(period),
        layers.Dense(DIM, use_bias=False, kernel_initializer="zeros")(genres),
    ]
    return query_tower, keras.Model({"movie": movie, "period": period, "genres": genres}, layers.add(vectors))


# %% [markdown]
# The whole model runs both, and hands their vectors to the loss. In TFRS, `compute_loss` gets the batch. In Keras 3 it
# gets the outputs as well:


# %% tags=["model"]
class TwoTowers(keras.Model):
    def __init__(self, query_tower, candidate_tower, loss_of_batch=in_batch_softmax):
        super().__init__()
        self.query_tower, self.candidate_tower, self.loss_of_batch = query_tower, candidate_tower, loss_of_batch

    def call(self, batch):
        movie = {name: batch[name] for name in ("movie", "period", "genres")}
        return self.query_tower(batch["user"]), self.candidate_tower(movie)  # (batch, dim) each

    def compute_loss(self, x, y=None, y_pred=None, sample_weight=None, training=True):
        return self.loss_of_batch(*y_pred, x["share"], x["movie"])


# %% [markdown]
# ## Move the weights: is it the same model?
#
# Our tables have the shapes and the order of lesson 11's, so a trained model moves without training:

# %%
moved = TwoTowers(*make_towers(*sizes))
moved.query_tower.set_weights([by_tfrs["weight 0"]])
moved.candidate_tower.set_weights([by_tfrs[f"weight {place}"] for place in (1, 2, 3)])

# %% [markdown]
# The scores of all movies for all users are those that TFRS's model gave:


# %% tags=["model"]
def score(model, catalogue):
    queries = ops.convert_to_numpy(model.query_tower(np.arange(1, len(users) + 1)))  # (n_users, dim)
    return queries @ ops.convert_to_numpy(model.candidate_tower(catalogue)).T  # (n_users, n_items)


# %%
gap = np.abs(score(moved, catalogue) - by_tfrs["scores"]).max() / np.abs(by_tfrs["scores"]).max()
print(f"the largest gap, as a part of the largest score: {gap:.0e}")
assert gap < 1e-5, "the same weights should give the same scores"

# %% [markdown]
# Of the same batch, our three losses are TFRS's to a part in 100,000:

# %%
rows = np.searchsorted(items[ITEM_ID], by_tfrs["item_id"])  # (batch,) of the catalogue
movie, share = catalogue["movie"][rows], by_tfrs["share"]  # (batch,) each
queries = moved.query_tower(look_up(by_tfrs["user_id"], users))  # (batch, dim)
candidates = moved.candidate_tower({name: column[rows] for name, column in catalogue.items()})  # (batch, dim)
cases = [(share,), (share, movie), (share, movie, HARD)]  # what the loss gets
losses = pd.DataFrame({"loss": ["logQ", "and hits removed", "and hard negatives"], "TFRS": by_tfrs["losses"]})
losses["keras.ops"] = [float(in_batch_softmax(queries, candidates, *given)) for given in cases]
assert np.allclose(losses["keras.ops"], losses["TFRS"], rtol=1e-5), "the losses should be TFRS's"
results_table(losses, digits=2)

# %% [markdown]
# ## The same with keras-rs
#
# keras-rs is the Keras team's library of recommenders. Its layers take logits and labels, one layer a step, and a loss
# of Keras ends them. Keras averages by default; TFRS sums:


# %%
correct, remove = keras_rs.layers.SamplingProbabilityCorrection(), keras_rs.layers.RemoveAccidentalHits()
cross_entropy = keras.losses.CategoricalCrossentropy(from_logits=True, reduction="sum")


def by_keras_rs(queries, candidates, share, movie=None, hard=None, remove=remove):
    logits = correct(ops.matmul(queries, ops.transpose(candidates)), share)  # (batch, batch)
    labels = ops.eye(ops.shape(logits)[0])  # (batch, batch), 1 for the right answer
    if movie is not None:
        logits = remove(logits, labels, movie)
    if hard is not None:
        logits, labels = keras_rs.layers.HardNegativeMining(hard)(logits, labels)  # (batch, 1 + hard)
    return cross_entropy(labels, logits)


# %% [markdown]
# `RemoveAccidentalHits` of version 0.4.0 removes nothing. It should add a number near minus infinity, and adds one
# near zero, $10^{-40}$. Two users with one movie, 7, and all scores at 0:

# %% tags=["nbval-check-output"]
hit = remove(np.zeros((2, 2), "float32"), np.eye(2, dtype="float32"), np.array([7, 7]))[0, 1]
print(f"in keras-rs {keras_rs.__version__}, the logit of a hit goes from 0.0 to {float(hit):.1f}")

# %% [markdown]
# A correction waits in pull request 206 of its repository. Until then we use four lines of our own.


# %%
class RemoveHits(layers.Layer):
    def call(self, logits, labels, candidate_ids):
        same = ops.equal(candidate_ids[:, None], candidate_ids)  # (batch, batch)
        return ops.where(same & ops.equal(labels, 0), -1e30, logits)


# %% [markdown]
# Row by row:

# %%
for name, layer in (("keras-rs", remove), ("keras-rs, mended", RemoveHits())):
    losses[name] = [float(by_keras_rs(queries, candidates, *given, remove=layer)) for given in cases]
right = np.isclose(losses[["keras-rs", "keras-rs, mended"]], losses[["TFRS"]], rtol=1e-5).T.tolist()  # (2, cases)
assert not default or keras_rs.__version__ != "0.4.0" or right == [[True, False, False], [True] * 3], "as the text says"
results_table(losses, digits=2)

# %% [markdown]
# ## Train
#
# Lesson 11's optimizer is Adagrad: a step is the gradient, divided by the root of its squares so far. A movie can come
# several times in a batch, and its row then has several gradients. Keras 2 adds them up, and squares the sum. Keras 3 on
# TensorFlow squares each, so its steps differ. Adding zeros turns the gradient into a full table, which sums them:


# %% tags=["model"]
class Adagrad(keras.optimizers.Adagrad):
    def update_step(self, gradient, variable, learning_rate):
        gradient = ops.add(gradient, ops.zeros_like(variable))  # sums the rows of a repeated id
        super().update_step(gradient, variable, learning_rate)


# %% [markdown]
# One step by hand, at rate 1: the ids 0, 0, 0 and 1, each with a gradient of 1.


# %% tags=["nbval-check-output"]
import tensorflow as tf


def step(optimizer):
    gradient, table = tf.IndexedSlices(tf.ones(4), tf.constant([0, 0, 0, 1]), [2]), keras.Variable([0.0, 0.0])
    optimizer.apply([gradient], [table])
    return table.numpy()  # (2,)


steps = {"Keras 2": by_tfrs["moved"], "Keras 3": step(keras.optimizers.Adagrad(1.0)), "mended": step(Adagrad(1.0))}
assert np.allclose(steps["mended"], steps["Keras 2"], atol=1e-5), "mended, a step should be that of Keras 2"
pd.DataFrame(steps, index=["id 0", "id 1"]).round(3)

# %% [markdown]
# Rate and start are the same, random numbers are not. Batches are slices of shuffled arrays:


# %% tags=["model"]
def train_model(train, seed, loss_of_batch=in_batch_softmax, epochs=EPOCHS, accumulator=0.1):
    keras.utils.set_random_seed(seed)
    catalogue, pairs = describe(train)
    towers = make_towers(len(users) + 1, int(catalogue["movie"].max()) + 1, catalogue["genres"].shape[1])
    model, rng, curve = TwoTowers(*towers, loss_of_batch), np.random.default_rng(seed), []
    model.compile(Adagrad(LEARNING_RATE, accumulator), steps_per_execution=len(train) // BATCH)
    for epoch in range(1, epochs + 1):
        start, order = time.perf_counter(), rng.permutation(len(train))[: len(train) // BATCH * BATCH]
        shuffled = {name: column[order] for name, column in pairs.items()}
        fitted = model.fit(shuffled, batch_size=BATCH, shuffle=False, verbose=0).history["loss"][0] / BATCH
        curve.append({"epoch": epoch, "loss": fitted, "seconds": time.perf_counter() - start})
    return model, pd.DataFrame(curve)


# %%
models, curves = zip(*[train_model(train, seed) for seed in SEEDS], strict=True)

# %% [markdown]
# In the figure, see that two lines look like one.

# %%
loss = {"TFRS": by_tfrs["loss"], "Keras 3": np.stack([curve["loss"] for curve in curves])}  # (n_seeds, n_epochs) each
mean = pd.DataFrame({name: each.mean(axis=0) for name, each in loss.items()}, index=range(1, EPOCHS + 1))
mean.plot(style=["C1-", "C0--"], xticks=[1, EPOCHS], xlabel="epoch", ylabel="training loss of one pair (nats)")
assert not default or np.abs(mean["TFRS"] - mean["Keras 3"]).max() < 0.05, "both should learn at the same pace"

# %% [markdown]
# ## Evaluate on the test
#
# Settings are lesson 11's; nothing is chosen here. Beside them stand most popular and tuned [EASE](../docs/glossary.md#ease).
# Differences are to lesson 11's model: paired by user, over three seeds each, corrected for three comparisons (Holm).


# %%
scores = {"most popular": [baselines.rank("most popular", train, test_task)]}
scores["EASE, tuned"] = [baselines.rank("EASE", train, test_task, **baselines.load_tuned()["EASE"].settings)]
scores["Keras 3"] = [score(model, catalogue) for model in models]
ndcg = {name: [metrics.evaluate_ranking(one, test_task).ndcg for one in each] for name, each in scores.items()}
compared = comparison.compare(ndcg | {"lesson 11, TFRS": by_tfrs["ndcg"]}, "lesson 11, TFRS").set_index("model")
results_table(compared.reset_index().rename(columns={"mean": "NDCG@10"}), digits=4)

# %% [markdown]
# A verdict "cannot tell" says that zero lies within the interval. *Level* says more: all of it lies within a
# [margin](../docs/glossary.md#margin), a difference too small to matter. Ours is less than a third of lesson 11's lead
# over most popular. The two implementations are level. EASE, which knows the same pairs, cannot be told from lesson 11's
# model.

# %%
low, high = compared.loc["Keras 3", ["low", "high"]]
print(f"Keras 3 less TFRS lies between {low:.4f} and {high:.4f}; the margin is {MARGIN} on both sides")
assert not default or -MARGIN < low <= high < MARGIN < -compared["difference"]["most popular"] / 3, "level"
assert not default or [*compared["verdict"][:2]] == ["worse", comparison.CANNOT_TELL], "EASE should be near"

# %% [markdown]
# ## Speed, side by side
#
# Seconds of an epoch, the median of three further ones. Neither evaluates while it trains; both run a whole epoch
# inside TensorFlow (`steps_per_execution`). Keras 3 would compile with XLA; deterministic operations switch XLA off
# here. Our Adagrad goes through whole tables, that of Keras 2 through the batch's rows.

# %%
_, timed = train_model(train, SEEDS[0], epochs=EPOCHS + 3)
seconds = {"TFRS, Keras 2": float(by_tfrs["seconds"]), "Keras 3, TensorFlow": timed["seconds"].tail(3).median()}

# %% [markdown]
# The cells that make the model are written for any [backend](../docs/glossary.md#backend). JAX is large, so it is not
# among the course's packages; this optional cell tries it.

# %%
TRAIN_13 = """
lesson = lessons.borrow("13", movies=movielens.load_movielens(), **SETTINGS)
np.savez(RESULT, **lesson.train_model(lesson.test_split.train, SEEDS[0], epochs=lesson.EPOCHS + 3)[1])
"""
if util.find_spec("jax"):
    by_jax = run_apart(TRAIN_13, "jax.npz", KERAS_BACKEND="jax")
    seconds["Keras 3, JAX"] = np.median(by_jax["seconds"][-3:])
    print(f"the last epoch's loss: {by_jax['loss'][-1]:.3f} on JAX, {timed['loss'].iloc[-1]:.3f} on TensorFlow")
else:
    print("JAX is not installed: no row")

# %%
print(f"Keras 3 took {seconds['Keras 3, TensorFlow'] / seconds['TFRS, Keras 2']:.1f} times as long as TFRS")
results_table(pd.DataFrame(seconds.items(), columns=["model", "seconds an epoch"]), digits=2)

# %% [markdown]
# A factor above 1.3, or below its inverse, is clear: Keras 3 was slower here.
#
# ## Recommend, and save an index
#
# keras-rs's `BruteForceRetrieval` holds the movies' vectors and ids. It has no `query_with_exclusions`: fetch 10 plus the
# longest history, then drop seen movies.

# %%
model, titles = models[0], items.set_index(ITEM_ID)[TITLE]
vectors = ops.convert_to_numpy(model.candidate_tower(catalogue))  # (n_items, dim)
brute_force = keras_rs.layers.BruteForceRetrieval(vectors, test_task.items, k=10 + int(test_task.seen.sum(1).max()))
index = keras.Model(model.query_tower.input, brute_force(model.query_tower.output))


def ask(index, user_id):
    found = ops.convert_to_numpy(index(look_up(np.array([user_id]), users))[1])[0]  # (k,) ids, best first
    seen = test_task.items[test_task.seen[[np.searchsorted(users, user_id)]].indices]
    return found[~np.isin(found, seen)][:10]


# %% [markdown]
# For one user: the last movies with five stars, and what we recommend. `metrics.recommend` gives the same ten.

# %%
best = dict(zip(users, metrics.recommend(score(model, catalogue), test_task.seen), strict=True))  # (10,) columns each
assert np.array_equal(ask(index, USER), test_task.items[best[USER]]), "the index should give the ten best unseen movies"
liked = train.query("user_id == @USER and rating == 5")[ITEM_ID].tail(10)
shown = {"five stars": titles[liked].tolist(), "recommended": titles[ask(index, USER)].tolist()}
results_table(pd.DataFrame({name: pd.Series(column) for name, column in shown.items()}).fillna(""))

# %% [markdown]
# Each tower is saved as a `.keras` file, to go on in Keras. `export` writes the index as TensorFlow's SavedModel, which a
# server reads without Keras:

# %%
model.query_tower.save(FOLDER / "query.keras")
model.candidate_tower.save(FOLDER / "candidate.keras")
loaded = TwoTowers(*(keras.models.load_model(FOLDER / f"{tower}.keras") for tower in ("query", "candidate")))
assert np.allclose(score(loaded, catalogue), score(model, catalogue), atol=1e-5), "loaded towers should score the same"

# %% tags=["nbval-check-output"]
index.export(FOLDER / "index", verbose=False)
served = tf.saved_model.load(FOLDER / "index")
same = [np.array_equal(ask(index, one), ask(served.serve, one)) for one in [USER, *users[:20]]]
print(f"{sum(same)} of {len(same)} lists are the same after saving and loading")
assert all(same), "the saved index should give the same movies"

# %% [markdown]
# ## Errors that people search for
#
# All but those of scann and of a SavedModel are made here. The second stands for TFRS 0.7.3's `add_weight("counter")`:


# %%
index.save(FOLDER / "index.keras")
calls = {
    "import TFRS in Keras 3": lambda: import_module("tensorflow_recommenders"),
    'add_weight(shape="counter")': lambda: layers.Layer().add_weight(shape="counter"),
    "TensorFlow on a Keras 3 tensor": lambda: tf.linalg.l2_normalize(keras.Input(shape=(DIM,)), axis=1),
    "load an index of keras-rs": lambda: keras.models.load_model(FOLDER / "index.keras"),
}
said = []
for name, call in calls.items():
    try:
        call()
    except Exception as error:
        said.append(f"{name}:\n    {type(error).__name__}: {str(error).splitlines()[0][:80]}")
print("\n".join(said))
assert len(said) == 4 and "requires tf.keras to be Keras version 2" in said[0] and "to a shape" in said[1]

# %% [markdown]
# | message | cause | do |
# |---|---|---|
# | `requires tf.keras to be Keras version 2` | TensorFlow 2.16 and later bring Keras 3 | `pip install tf-keras`; `os.environ["TF_USE_LEGACY_KERAS"] = "1"` above the first import of TensorFlow; restart the kernel |
# | `Cannot convert '('c', 'o', 'u', 'n', 't', 'e', 'r')' to a shape` | TFRS 0.7.3 calls `add_weight("counter")` in `Streaming` and `FactorizedTopK`; Keras 3 takes the first argument for the shape, as the call above does (3.15 says: `name` must be passed as a keyword argument) | as above; or TFRS 0.7.7, which says so at import |
# | `undefined symbol`, from scann | scann 1.4.2 is built for TensorFlow 2.20; TFRS imports scann if it is there | `tensorflow<2.21`, or `pip uninstall scann` and `BruteForce` |
# | `A KerasTensor cannot be used as input to a TensorFlow function` | a `tf.` function in a Keras 3 model | the same name in `keras.ops` |
# | `File format not supported` | a SavedModel is no Keras 3 model | `keras.layers.TFSMLayer`, or move the weights as above |
# | `Exception encountered when calling BruteForceRetrieval` | keras-rs saves no candidates | save towers and vectors; make the index after loading |
#
# ## In practice
#
# A checklist for moving:
#
# | part | TFRS, Keras 2 | Keras 3 |
# |---|---|---|
# | ids | `IntegerLookup` in the tower | looked up before, in NumPy or `tf.data` |
# | layers | `tf.keras.layers`, `tf.` functions | `keras.layers`, `keras.ops` |
# | model | `tfrs.Model.compute_loss(batch)` | `keras.Model.compute_loss(x, y, y_pred, …)` |
# | loss | `tasks.Retrieval`, a sum | thirteen lines, or keras-rs's layers and `reduction="sum"` |
# | optimizer: repeated ids | summed, then squared | `Adagrad` as above |
# | metrics | `FactorizedTopK` | one matrix product after training |
# | weights | `get_weights` | `set_weights`, tower by tower; then compare scores |
# | index | `BruteForce`, `ScaNN`, as a SavedModel | `BruteForceRetrieval`, `export`; no ScaNN layer |
#
# **Move** when you start anew, want JAX, or cannot hold TensorFlow and tf-keras back. **Stay** while a TFRS
# model serves you well, on pinned versions, or through its ScaNN layer: moving made it neither better nor faster.
#
# ## Check yourself
#
# 1. Why does the notebook start a second Python for TFRS? Why not set the variable halfway through this notebook?
#
# <details><summary>Answer</summary>
#
# `tf.keras` is one Keras a process, chosen when it is first used. Later the variable is not read.
#
# </details>
#
# 2. keras-rs's loss differed from TFRS's in two of three rows. Would a test on random ids have shown that?
#
# <details><summary>Answer</summary>
#
# Only if an id came twice in a batch: without accidental hits there is nothing to remove.
#
# </details>
#
# 3. "No significant difference" and "level": what has the second to show that the first has not?
#
# <details><summary>Answer</summary>
#
# An interval that lies within a margin which matters. A wide interval around zero shows neither.
#
# </details>
#
# ## Exercises
#
# 1. **Grow the index.** Without training: a horror movie of 2016 arrives. Compute its vector, try `update_candidates`, and
#    make a new index. Aim: find its rank for user 95, beside the ranks of movies that training never saw; all others keep
#    their order.
# 2. **What the defect costs.** Train with `by_keras_rs` as it is, with each seed, and compare on the validation part,
#    against `in_batch_softmax`. Aim: say with an interval whether accidental hits cost more than `MARGIN`.
# 3. **A mean in place of the sum.** Divide the loss by `BATCH`, as Keras does by default. Aim: NDCG@10 falls below most
#    popular; then find, by algebra, the `accumulator` of `train_model`, at which Adagrad's sums of squares start, that
#    brings it back.
#
# [Solutions](solutions/13_rewrite_retrieval_in_keras_3.ipynb)
#
# ## Takeaways
#
# - With the weights moved, scores and three losses were TFRS's to a part in 100,000.
# - keras-rs corrected for sampling as TFRS does; its `RemoveAccidentalHits` removed nothing, until we mended it.
# - For repeated ids, Adagrad took other steps in Keras 3, until we summed their gradients.
# - Over three seeds, quality was level within `MARGIN`. In speed TFRS was clearly ahead.
# - The saved index gave the same lists, and loaded towers the same scores.
#
# **Next**: [Lesson 14](14_encode_watch_history.ipynb) lets the query tower read what a user watched.
#
# **References**
#
# - Keras team. [KerasRS](https://keras.io/keras_rs/), and pull request
#   [206](https://github.com/keras-team/keras-rs/pull/206).
# - TensorFlow Recommenders, issue [712](https://github.com/tensorflow/recommenders/issues/712).
# - Yi et al. (2019). Sampling-bias-corrected neural modeling for large corpus item recommendations. *RecSys*.
