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
# # Correct the sampling bias of in-batch softmax
#
# [![Open in Colab](images/open-in-colab.svg)](https://colab.research.google.com/github/two-towers-course/two-towers/blob/main/notebooks/12_correct_sampling_bias.ipynb) [![Launch Binder](images/launch-binder.svg)](https://mybinder.org/v2/gh/two-towers-course/two-towers/main?urlpath=lab/tree/notebooks/12_correct_sampling_bias.ipynb)
#
# **What you'll do**: Train the same two towers in eleven ways, on a made-up world and on MovieLens, and end with a recipe
# that you can defend with numbers.
#
# **What you'll learn**
# - where the logQ correction comes from, in five lines, and how to check its sign;
# - which gradient each way of sampling has on average, beside the full softmax that all of them stand in for;
# - how to estimate the shares from a stream when nobody has counted them;
# - what temperature, batch size, hard negatives and uniform negatives add, and which differences are noise.
#
# **What you'll need**: [Lesson 11](11_retrieve_with_in_batch_negatives.ipynb), which introduces the in-batch softmax and
# logQ; two minutes; 1.5 GB of memory.

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

# %%
from recsys_utils.setup import set_up

set_up(keras=2, deterministic=True)
import time
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import tensorflow as tf
import tensorflow_recommenders as tfrs

from recsys_utils import columns, comparison, leaderboard, metrics, splits
from recsys_utils.datasets.movielens import load_movielens
from recsys_utils.display import results_table

# %% [markdown]
# The sizes of the made-up world and of the models, and the seeds that each of them is trained with.

# %% tags=["parameters"]
SEEDS = [1, 2, 3]
DIM = 32
EPOCHS = 3
N_USERS, N_ITEMS, N_CHOICES = 500, 300, 20_000  # the made-up world
BATCH, MOVIELENS_BATCH = 256, 1024

# %% [markdown]
# ## Two worlds
#
# In the first world there is nothing to know but popularity: everybody draws films from the same shares, which fall as
# 1/rank. So we know the truth. The best ten films are the same for everybody, and how often a list of ten holds
# somebody's next choice is the sum of its ten shares.


# %%
class World(NamedTuple):
    """Choices to learn from, by row numbers of users and items."""

    user: np.ndarray  # (n_choices,)
    item: np.ndarray  # (n_choices,)
    n_users: int
    n_items: int
    batch: int

    @property
    def share(self):
        return np.bincount(self.item, minlength=self.n_items) / len(self.item)  # (n_items,)


# %% tags=["nbval-check-output"]
rng = np.random.default_rng(1)
truth = 1 / np.arange(1, N_ITEMS + 1)
truth /= truth.sum()  # (n_items,) the share of each film
made_up = World(rng.integers(0, N_USERS, N_CHOICES), rng.choice(N_ITEMS, N_CHOICES, p=truth), N_USERS, N_ITEMS, BATCH)
print(f"the ten most popular hold {truth[:10].sum():.3f} of all choices: no list of ten can do better")

# %% [markdown]
# The second world is MovieLens, with the split and the metrics of every lesson.

# %% tags=["nbval-check-output"]
movies = load_movielens()
split = splits.split_by_time(movies.ratings)
task = metrics.make_ranking_task(*split, items=movies.items[columns.ITEM_ID])
movielens = World(
    np.searchsorted(task.users, split.train[columns.USER_ID]),
    np.searchsorted(task.items, split.train[columns.ITEM_ID]),
    len(task.users),
    len(task.items),
    MOVIELENS_BATCH,
)
for name, world in [("made up", made_up), ("MovieLens", movielens)]:
    print(f"{name}: {len(world.item):,} choices, {world.n_users} people, {world.n_items:,} films")

# %% [markdown]
# ## logQ in five lines
#
# [Lesson 11](11_retrieve_with_in_batch_negatives.ipynb) shows what goes wrong without the correction. Here is why it is
# right, for a batch of any size.
#
# 1. Person $i$ sees the batch's films $j_1, \dots, j_B$. One is theirs, drawn from $p(j \mid i)$. The others are other
#    people's, drawn from the shares $q_j$. Which one is theirs?
# 2. If it is film $j_k$, the batch had the probability
#    $p(j_k \mid i) \prod_{m \ne k} q_{j_m} = \frac{p(j_k \mid i)}{q_{j_k}} \prod_m q_{j_m}$. The product is the same for
#    every $k$.
# 3. So by Bayes' rule film $j_k$ is theirs with a probability in proportion to $p(j_k \mid i) / q_{j_k}$.
# 4. The softmax gives it $e^{\ell_k} / \sum_m e^{\ell_m}$, and cross-entropy is least where the two agree:
#    $\ell_k = \log p(j_k \mid i) - \log q_{j_k} + \text{a constant}$.
# 5. We rank by $s_{ij}$ and want it to be $\log p(j \mid i)$, up to a constant. So train with
#    $\ell_{ij} = s_{ij} - \log q_j$.
#
# This is the argument of ranking noise-contrastive estimation (Ma and Collins, 2018). It says where the minimum of the
# loss lies, for any batch size. It does not say that the gradient on the way there is the [full
# softmax](../docs/glossary.md#full-softmax)'s: that holds for
# large batches only, as the next section measures.
#
# Check the sign on a batch of two. Ann and Ben each choose between a little-known film and a blockbuster, and this time
# the scores are right: $s_{ij} = \log p(j \mid i)$. Ann took the little-known film, Ben the blockbuster.

# %% tags=["nbval-check-output"]
p = np.array([[0.3, 0.7], [0.05, 0.95]])  # (person, film): Ann, Ben
q = np.array([0.1, 0.9])  # (film,): shares of the little-known film and of the blockbuster
ann = p[0, 0] * q[1] / (p[0, 0] * q[1] + p[0, 1] * q[0])  # Ann's is the little-known one, or the blockbuster
ben = p[1, 1] * q[0] / (p[1, 1] * q[0] + p[1, 0] * q[1])
print(f"by Bayes' rule, the little-known film is Ann's with {ann:.3f}, the blockbuster is Ben's with {ben:.3f}")

# %% [markdown]
# TFRS subtracts the logarithm of what we give it, and its loss is the surprise at these two. Give it the inverse, and
# the sign is wrong: a model that knows everything pays three times as much.

# %% tags=["nbval-check-output"]
scores = np.log(p).astype(np.float32)  # (person, film)
films = np.eye(2, dtype=np.float32)  # (film, dim), so that queries @ films.T are the scores
by_tfrs = float(tfrs.tasks.Retrieval()(scores, films, candidate_sampling_probability=q.astype(np.float32)))
wrong_sign = -sum(np.log(np.diag(p * q) / (p * q).sum(axis=1)))
print(f"by Bayes' rule {-np.log(ann * ben):.4f}, TFRS {by_tfrs:.4f}, with the wrong sign {wrong_sign:.4f}")
assert np.isclose(by_tfrs, -np.log(ann * ben), atol=1e-5), "TFRS should subtract log q"
assert wrong_sign > 3 * by_tfrs, "with the wrong sign the truth should look like a mistake"

# %% [markdown]
# ## What they all stand in for
#
# The **full softmax** asks each person to pick their film out of the whole catalogue. It needs no sampling and has no
# bias. Everything else is a cheaper stand-in, so compare gradients. Take twenty films, some scores, and draw
# many batches: what does the gradient of the scores come to on average, and how far is it from the full softmax's?


# %%
@tf.function(reduce_retracing=True)
def sum_gradients(retrieval, films, weight, scores):
    total = tf.zeros_like(scores)
    for rows in films:
        with tf.GradientTape() as tape:
            tape.watch(scores)
            candidates = tf.gather(scores, rows)[:, None]  # (batch, 1)
            queries = tf.ones_like(candidates)  # (batch, 1), so that a film's vector is its score
            loss = retrieval(queries, candidates, None, tf.gather(weight, rows), rows)
        total += tf.convert_to_tensor(tape.gradient(loss, scores))
    return total  # (n_items,)


RETRIEVAL = {remove: tfrs.tasks.Retrieval(remove_accidental_hits=remove) for remove in (False, True)}


def mean_gradient(scores, share, batch, corrected, remove_hits):
    films = np.random.default_rng(1).choice(len(share), (65_536 // batch, batch), p=share).astype(np.int32)
    weight = share if corrected else np.ones(len(share))  # (n_items,)
    weight, scores = tf.constant(weight, tf.float32), tf.constant(scores, tf.float32)
    return sum_gradients(RETRIEVAL[remove_hits], tf.constant(films), weight, scores).numpy() / films.size


# %% [markdown]
# The full softmax's gradient is its share minus the film's true one. The error is relative to the gradient's length.

# %%
few = truth[:20] / truth[:20].sum()  # (20,)
fresh, some = np.zeros(20), np.random.default_rng(2).normal(size=20)
ways = {"plain": (False, False), "accidental hits removed": (False, True), "logQ": (True, False), "both": (True, True)}
full = np.exp(some) / np.exp(some).sum() - few  # (20,)
errors = pd.DataFrame(index=pd.Index(ways, name="gradient of"))
for batch in (8, 64, 512):
    errors[f"error, batch {batch}"] = [
        np.linalg.norm(mean_gradient(some, few, batch, *way) - full) / np.linalg.norm(full) for way in ways.values()
    ]
results_table(errors.reset_index())

# %% [markdown]
# Without [logQ](../docs/glossary.md#logq-correction) the average gradient points elsewhere, and a larger batch does not
# turn it. With logQ the error falls with
# the batch. Removing [accidental hits](../docs/glossary.md#accidental-hit) helps the plain softmax a little. On top of
# logQ it is not needed: line 3 holds
# with doubles in the batch, and taking them out leaves a small error that no batch size cures. It is small because it
# grows with the largest shares, and these twenty films have huge ones.
#
# The plain softmax of a fresh model, whose scores are all 0, is the extreme case. On average a film is pushed up as the
# choice exactly as much as it is pushed down as a negative. Popularity cannot be learnt.

# %%
plain_start = mean_gradient(fresh, few, 64, False, False)
logq_start = mean_gradient(fresh, few, 64, True, False)
assert np.linalg.norm(plain_start) < 0.05 * np.linalg.norm(logq_start), "plain should not learn popularity"
assert errors.loc["plain"].min() > 0.5, "without logQ the gradient should stay wrong"
assert errors.loc["logQ"].iloc[0] > 5 * errors.loc["logQ"].iloc[-1], "with logQ the error should fall with the batch"
assert errors.loc["logQ"].iloc[-1] < 0.05, "with logQ a large batch should have the full softmax's gradient"
assert errors.loc["both"].iloc[-1] > errors.loc["logQ"].iloc[-1], "removing hits should leave an error"

# %% [markdown]
# ## Shares from a stream
#
# We can count how often a film was chosen. A service that learns from a stream without an end cannot: films come and
# go, and counts grow stale. Yi et al. (2019) keep two numbers a film: when it was last seen, and a moving average of the
# gap between two times. The share is one over the gap. They count time in batches; a film in every batch then has a gap
# of 1, however often it is in each. We count in choices.


# %%
def stream_shares(items, n_items, rate=0.01):
    last, gap, times = [0] * n_items, [0.0] * n_items, [0] * n_items
    shares = []
    for now, item in enumerate(items.tolist(), start=1):
        times[item] += 1
        weight = max(rate, 1 / times[item])  # the mean at first, then the moving average
        gap[item] += weight * (now - last[item] - gap[item])
        last[item] = now
        shares.append(1 / gap[item])
    return np.array(shares)  # (n_choices,) each choice's film, as known at that moment


# %% [markdown]
# A film with a share of one half comes every other time, so its gap is 2. Then the check that matters: in the made-up
# world we know the truth, and half-way through the stream we turn the ranks around.


# %%
assert np.isclose(stream_shares(np.array([0, 1] * 50), 2)[-1], 0.5), "every other time is a share of one half"
turned = np.concatenate([rng.choice(N_ITEMS, 100_000, p=shares) for shares in (truth, truth[::-1])])  # (200_000,)
estimates = stream_shares(turned, N_ITEMS)


def shares_known(until):
    latest = pd.Series(estimates[:until], index=turned[:until]).groupby(level=0).last()
    counted = np.bincount(turned[:until], minlength=N_ITEMS) / until
    return latest.reindex(range(N_ITEMS)).to_numpy(), counted  # both (n_items,)


# %% [markdown]
# On the line an estimate is right. Before the turn both are, and counts are the tidier. After it the counts mix two
# worlds, and the estimates have followed, except on the left: the films that are now the rarest.

# %%
figure, axes = plt.subplots(1, 2, sharex=True, sharey=True)
off = {}  # estimate / truth
for axis, name, true, until in zip(axes, ["before", "after"], [truth, truth[::-1]], [100_000, 200_000], strict=True):
    latest, counted = shares_known(until)
    axis.loglog(true, counted, ".", color="C1", label="counted from the start")
    axis.loglog(true, latest, ".", color="C0", label="estimated from the stream")
    axis.loglog(true, true, color="C6", linewidth=1)
    axis.set(title=f"{name} the turn", xlabel="true share")
    off[name] = {"stream": latest / true, "counts": counted / true}
axes[0].set_ylabel("estimate")
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
plt.show()

# %%
for name, ratios in off.items():
    error = {way: np.nanmedian(np.abs(ratio - 1)) for way, ratio in ratios.items()}
    print(
        f"{name} the turn, half of the films are off by at most {error['stream']:.0%} (counts: {error['counts']:.0%})"
    )
    assert error["stream"] < 0.2, "half of the estimates should be within 20 % of the truth"
assert error["counts"] > 2 * error["stream"], "after the turn counts from the start should be stale"
rarest = np.nanmedian(off["after"]["stream"][:50])  # the ranks are turned: the first fifty are now the rarest
print(f"the fifty rarest after the turn: {rarest:.1f} times their true share")
assert rarest > 1.5, "a film that is seldom seen should be slow to follow"

# %% [markdown]
# A film's estimate moves only when the film comes, so what has become rare is slow to follow. We train with both counts
# and estimates. Our choices come in a random order, so there the shares stand still.
#
# ## One trainer for all variants
#
# A variant differs from the [plain in-batch softmax](../docs/glossary.md#in-batch-softmax) in the fields it sets.
# `temperature` also scales both vectors to
# length 1, since without that it only changes the units of the scores.


# %%
class Variant(NamedTuple):
    """A way to train; the defaults are the plain in-batch softmax."""

    shares: str | None = None  # logQ with shares that are "counted" or "streamed"
    remove_hits: bool = False
    batch: float = 1  # as a multiple of the world's
    temperature: float | None = None
    hard: float | None = None  # hard negatives kept, as a share of the batch
    uniform: float = 0  # candidates added, as a share of the batch
    full: bool = False
    rate: float = 0.1  # learning rate


# %% [markdown]
# Batches are drawn in advance, as row numbers, so that training has no data pipeline to wait for. `uniform` negatives
# are more films, drawn evenly from the whole catalogue: a rare film is never a negative otherwise. They are appended to
# the batch's, and TFRS takes what is beyond the diagonal as negatives for everybody. Such a batch is a mixture: a film
# has the chance that it has in the batch's part or in the appended part, weighted by their
# sizes. (Giving each part its own probability instead, so that only the sum over both parts is right, was worse on
# validation.)


# %%
def draw_batches(world, variant, seed):
    rng = np.random.default_rng(seed)
    batch = int(world.batch * variant.batch)
    extra = int(batch * variant.uniform)
    steps = len(world.item) // batch
    order = np.concatenate([rng.permutation(len(world.item))[: steps * batch] for _ in range(EPOCHS)])
    users, items = (column[order].reshape(-1, batch) for column in (world.user, world.item))
    added = rng.integers(0, world.n_items, (len(items), extra))
    candidates = np.concatenate([items, added], axis=1)  # (steps, batch + extra)
    if variant.shares == "streamed":
        probability = stream_shares(world.item[order], world.n_items).reshape(-1, batch)
    elif variant.shares == "counted":
        probability = ((batch * world.share + extra / world.n_items) / (batch + extra))[candidates]
    else:
        probability = np.ones(candidates.shape)  # its logarithm is 0
    return users.astype(np.int32), candidates.astype(np.int32), probability.astype(np.float32)


# %% [markdown]
# The towers are two tables of vectors, as simple as can be: no features, because the loss is what we compare. The full
# softmax is written out. A person who is in the batch several times has the same row of scores each time, so we
# compute it once; a tower that reads more than the person's id could not.


# %%
class Towers:
    def __init__(self, n_users, n_items, remove_hits, temperature, hard, full):
        self.normalise, self.full = temperature is not None, full
        self.tables = [tf.Variable(tf.zeros((n, DIM))) for n in (n_users, n_items)]
        self.optimizer = tf.keras.optimizers.Adagrad()
        self.optimizer.build(self.tables)
        self.fresh = [variable.numpy() for variable in self.optimizer.variables]
        self.retrieval = tfrs.tasks.Retrieval(
            temperature=temperature, num_hard_negatives=hard, remove_accidental_hits=remove_hits
        )

    def look_up(self, tower, rows):
        vectors = tf.gather(self.tables[tower], rows)  # (n_rows, dim)
        return tf.math.l2_normalize(vectors, axis=1) if self.normalise else vectors

    def loss(self, users, items, probability):
        if not self.full:
            return self.retrieval(self.look_up(0, users), self.look_up(1, items), None, probability, items)
        people, position = tf.unique(users)
        logits = tf.matmul(self.look_up(0, people), self.tables[1], transpose_b=True)  # (n_people, n_items)
        chosen = tf.reduce_sum(self.look_up(0, users) * self.look_up(1, items), axis=1)  # (batch,)
        return tf.reduce_sum(tf.gather(tf.reduce_logsumexp(logits, axis=1), position) - chosen)


# %% [markdown]
# The loop over the batches runs inside TensorFlow. It is compiled once and starts again from fresh weights for every
# seed; variants that differ only in what they are fed share it.

# %%
NUMBERS, CHANCES = tf.TensorSpec((None, None), tf.int32), tf.TensorSpec((None, None), tf.float32)


class Trainer(Towers):
    @tf.function(input_signature=[NUMBERS, NUMBERS, CHANCES])
    def run(self, users, items, probability):
        for step in tf.range(tf.shape(users)[0]):
            with tf.GradientTape() as tape:
                loss = self.loss(users[step], items[step], probability[step])
            self.optimizer.apply_gradients(zip(tape.gradient(loss, self.tables), self.tables, strict=True))

    def train(self, world, variant, seed):
        rng = np.random.default_rng(seed)
        for table in self.tables:
            table.assign(rng.uniform(-0.05, 0.05, table.shape))
        for variable, value in zip(self.optimizer.variables, self.fresh, strict=True):
            variable.assign(value)
        self.optimizer.learning_rate = variant.rate
        self.run(*draw_batches(world, variant, seed))
        vectors = [self.look_up(tower, tf.range(table.shape[0])) for tower, table in enumerate(self.tables)]
        return tf.matmul(vectors[0], vectors[1], transpose_b=True).numpy()  # (n_users, n_items)


# %% [markdown]
# So we keep one compiled trainer for each configuration.

# %%
trainers = {}


def trainer_for(world, variant):
    hard = variant.hard and int(world.batch * variant.hard)
    configuration = (world.n_users, world.n_items, variant.remove_hits, variant.temperature, hard, variant.full)
    if configuration not in trainers:
        trainers[configuration] = Trainer(*configuration)
    return trainers[configuration]


# %% [markdown]
# ## Eleven variants
#
# The first four take the correction apart; the two without logQ have a learning rate of their own. From then on each
# variant changes one thing in `logQ, hits removed`, except that vectors of length 1 come with a temperature. What had to
# be chosen was chosen on MovieLens' validation part beforehand: the learning rates from a coarse grid (0.03 for the plain
# softmax; all with logQ share 0.1, in the made-up world too), the temperature from 0.05, 0.1 and 0.2, the [uniform
# negatives](../docs/glossary.md#mixed-negatives) from 256, 1,024 and 4,096, and the hard ones from 16, 64 and 256.
# [Temperature](../docs/glossary.md#temperature) and [hard negatives](../docs/glossary.md#hard-negative) are the
# largest of their grids, so a better value may lie beyond. Everybody has three epochs.

# %%
both = Variant(shares="counted", remove_hits=True)
variants = {
    "plain in-batch softmax": Variant(rate=0.03),
    "accidental hits removed": Variant(remove_hits=True, rate=0.03),
    "logQ": Variant(shares="counted"),
    "logQ, hits removed": both,
    "… shares from the stream": both._replace(shares="streamed"),
    "… length 1, temperature 0.2": both._replace(temperature=0.2),
    "… batch / 4": both._replace(batch=0.25),
    "… batch × 2": both._replace(batch=2),
    "… hard negatives only": both._replace(hard=1 / 4),
    "… uniform negatives added": both._replace(uniform=0.25),
    "full softmax": Variant(full=True),
}

# %% [markdown]
# In the made-up world the metrics need no test: for a next choice drawn from the true shares, we know what Recall@10 and
# NDCG@10 come to on average. On MovieLens they are measured on the test.


# %%
def measure(world, scores):
    if world is movielens:
        return metrics.evaluate_ranking(scores, task)._asdict()
    best = metrics.top_k(scores, 10)  # (n_users, 10)
    hit = truth[best]  # (n_users, 10) the chance that it is the next choice
    return {
        "recall": hit.sum(axis=1),
        "ndcg": (hit / np.log2(np.arange(2, 12))).sum(axis=1),
        "coverage": len(np.unique(best)) / world.n_items,
        "popularity": (world.share[best] * len(world.item)).mean(),
    }


# %% [markdown]
# Now train them all, with every seed. We keep what one person would be shown, for later.

# %%
person = 73
row = np.searchsorted(task.users, person)
seconds, shown = {}, {}


def run_all(world):
    popular = np.tile(world.share, (world.n_users, 1))  # (n_users, n_items)
    results = {("most popular", 0): measure(world, popular)}
    for name, variant in variants.items():
        for seed in SEEDS:
            start = time.perf_counter()
            scores = trainer_for(world, variant).train(world, variant, seed)  # (n_users, n_items)
            seconds[name] = time.perf_counter() - start
            results[name, seed] = measure(world, scores)
            shown[name] = scores[row]
    return results


worlds = {"made up": run_all(made_up), "MovieLens": run_all(movielens)}

# %% [markdown]
# The mean over the seeds, and their standard deviation (most popular has no seed). `coverage` is the share of the
# catalogue that anybody is recommended, `popularity` how often a recommended film was chosen in training.


# %%
METRICS = {"recall": "Recall@10", "ndcg": "NDCG@10", "coverage": "coverage", "popularity": "popularity"}
runs = pd.DataFrame(
    [
        {"world": world, "variant": name} | {label: np.mean(result[key]) for key, label in METRICS.items()}
        for world, results in worlds.items()
        for (name, _), result in results.items()
    ]
).groupby(["world", "variant"], sort=False)
means, spreads = runs.mean(), runs.std().fillna(0)
table = pd.DataFrame(index=means.index)
for label in METRICS.values():
    digits = 0 if label == "popularity" else 3
    table[label] = [f"{m:.{digits}f} ± {s:.{digits}f}" for m, s in zip(means[label], spreads[label], strict=True)]
results_table(table.reset_index())

# %% [markdown]
# In the made-up world nothing can pass most popular: what a model lacks, it has memorised from chance. In the figure,
# see how far the first two are from everything with logQ, in both worlds.

# %%
figure, axes = plt.subplots(1, 2, sharey=True, figsize=(9, 4))
for axis, world in zip(axes, worlds, strict=True):
    mean, spread = means.loc[world, "NDCG@10"].drop("most popular"), spreads.loc[world, "NDCG@10"]
    axis.errorbar(mean, mean.index, xerr=spread[mean.index], fmt="o", capsize=3)
    axis.axvline(means.loc[(world, "most popular"), "NDCG@10"], color="C6", linestyle="--", label="most popular")
    axis.set(title=world, xlabel="NDCG@10, mean and spread over seeds", xlim=(0, None))
axes[0].legend()
axes[0].invert_yaxis()

# %% [markdown]
# ## What is more than luck
#
# The seeds' spread is one source of noise, the 671 people are another. So take each person's mean over the seeds,
# subtract that of `logQ, hits removed`, and bootstrap the differences. An interval with zero in it cannot tell the two
# apart.

# %%
base = "logQ, hits removed"
ndcg = {
    name: np.mean([worlds["MovieLens"][name, seed]["ndcg"] for seed in SEEDS], axis=0)  # (n_users,)
    for name in variants
}
ndcg["most popular"] = worlds["MovieLens"]["most popular", 0]["ndcg"]
rows = []
for name in ndcg:
    low, high = comparison.bootstrap_interval(ndcg[name] - ndcg[base])
    verdict = "–" if name == base else "better" if low > 0 else "worse" if high < 0 else "noise"
    rows.append({"variant": name, "NDCG@10": ndcg[name].mean(), "difference": (ndcg[name] - ndcg[base]).mean()})
    rows[-1] |= {"low": low, "high": high, "verdict": verdict}
differences = pd.DataFrame(rows).set_index("variant")
results_table(differences.reset_index())

# %% [markdown]
# - **logQ is the whole step.** Without it the towers do not beat most popular. Removing accidental hits alone changes next
#   to nothing here, and on top of logQ nothing that can be measured.
# - **Estimated shares** cannot be told from counted ones.
# - **Batch size and uniform negatives** stay within 0.01 of the **full softmax**, which has no sampling bias at all:
#   with logQ little is left to gain from sampling better. What is missing has to come from the towers.
# - **Length 1** costs accuracy and buys coverage: a popular film can no longer be long, it has to share its direction
#   with everybody.
# - **Hard negatives only** bring popularity back. The hardest are picked by the corrected score, $s - \log q$. At the
#   start those are simply the rarest films, and they are pushed down far more often than their $q$ says. In the made-up
#   world that looks perfect, since popularity is all there is. On MovieLens it is a loss.

# %%
movielens_ndcg, made_up_recall = means.loc["MovieLens", "NDCG@10"], means.loc["made up", "Recall@10"]
best_recall = truth[:10].sum()
popular = movielens_ndcg["most popular"]
for name in ["plain in-batch softmax", "accidental hits removed"]:
    assert made_up_recall[name] < 0.5 * best_recall, f"{name} should lose in the made-up world"
    low, _ = comparison.bootstrap_interval(ndcg[name] - ndcg["most popular"])
    assert low < 0, f"{name} should not beat most popular by more than luck"
    assert differences.loc[name, "high"] < 0, f"{name} should be worse by more than luck"
for name in ["logQ", base, "… shares from the stream", "… batch / 4", "… batch × 2", "… uniform negatives added"]:
    assert movielens_ndcg[name] > 1.3 * popular, f"{name} should beat most popular by 30 %"
    assert made_up_recall[name] > 0.9 * best_recall, f"{name} should come near the best list there is"
    assert abs(movielens_ndcg[name] - movielens_ndcg["full softmax"]) < 0.01, f"{name} should be near the full softmax"

# %% [markdown]
# Unit vectors and hard negatives alone move accuracy, popularity and coverage.

# %%
for name in ["… length 1, temperature 0.2", "… hard negatives only"]:
    assert differences.loc[name, "high"] < 0, f"{name} should be worse by more than luck"
popularity = means.loc["MovieLens", "popularity"]
assert popularity["plain in-batch softmax"] < popularity[base] < popularity["… hard negatives only"]
coverage = means.loc["MovieLens", "coverage"]
assert coverage["… length 1, temperature 0.2"] > coverage[base] > coverage["… hard negatives only"]

# %% [markdown]
# ## Recommend
#
# Person 73 gave these films the full five stars last.

# %% tags=["nbval-check-output"]
history = split.train.query("user_id == @person").merge(movies.items, on=columns.ITEM_ID)
history.query("rating == 5")[[columns.TITLE, columns.GENRES]].tail(6)

# %% [markdown]
# Three models see the same choices. See how known the films are: the plain model avoids what everybody has seen, and
# hard negatives offer little else.

# %%
titles = movies.items[columns.TITLE].to_numpy()
lists, known = {}, {}
for name in ["plain in-batch softmax", base, "… hard negatives only"]:
    best = metrics.recommend(shown[name][None], task.seen[[row]], 10)[0]  # (10,)
    lists[name], known[name] = titles[best], task.popularity[best].mean()
assert known["plain in-batch softmax"] < known["… hard negatives only"], "hard negatives should bring popularity back"
results_table(pd.DataFrame(lists))

# %% [markdown]
# ## A recipe and its cost
#
# 1. Give the task `candidate_sampling_probability`: shares, counted or from the stream. It costs one look-up a film and
#    is worth more than everything else together.
# 2. Set `remove_accidental_hits=True` if you mine hard negatives: a double of the right answer would be the hardest.
#    Otherwise it makes no difference that we could measure.
# 3. Rank by the dot product. Take unit vectors only if an index demands them or coverage is worth the price, and then
#    choose the temperature on validation.
# 4. Take the batch that trains fastest. A larger one brought nothing that we could measure.
# 5. Do not train on hard negatives only: they lost here. Adding them to the batch instead is common; we did not measure it.
# 6. Uniform negatives made no difference here that we could measure. They are meant for catalogues of which much is never
#    chosen (Yang et al., 2020): nothing else ever pushes those items down.
# 7. Where the catalogue is small, train with the full softmax once, to know what is left to gain.
#
# The price is the score matrix: so many scores for each choice, and so much memory for each step.

# %% tags=["nbval-check-output"]
costs = []
for name in [base, "… batch / 4", "… batch × 2", "… uniform negatives added", "full softmax"]:
    variant = variants[name]
    batch = int(MOVIELENS_BATCH * variant.batch)
    candidates = len(task.items) if variant.full else int(batch * (1 + variant.uniform))
    costs.append({"variant": name, "scores a choice": candidates, "MB a step": batch * candidates * 4 / 1e6})
results_table(pd.DataFrame(costs), digits=1)

# %% [markdown]
# The full softmax is within reach here because the catalogue is small, and because a tower of ids has one row of scores
# a person. A million films would be 4 GB a step.

# %% [markdown]
# Two rows go to the course's leaderboard, with their first seed and the time that one person waits. (A trainer holds
# the last variant that it trained; which vectors they are makes no difference to the time.)


# %%
def time_query(variant):
    trainer = trainer_for(movielens, variant)
    vectors = trainer.tables[1].numpy()  # (n_items, dim), at hand before anybody asks
    return leaderboard.query_milliseconds(lambda row: vectors @ trainer.look_up(0, [row]).numpy()[0], task)


board = leaderboard.Leaderboard("12")
for name in [base, "full softmax"]:
    result = metrics.RankingMetrics(**worlds["MovieLens"][name, SEEDS[0]])
    figures = {"ranking": result, "train_seconds": seconds[name], "query_ms": time_query(variants[name])}
    board.add(f"ids only, {name}", "two-tower", **figures)
board.save()

# %% [markdown]
# ## In practice
#
# **Shares are of what the batch is drawn from.** Subsample popular films, or weight the choices, and the shares change
# with it: count after, not before.
#
# **Machines.** With several replicas the negatives are those of the replica, so its batch is what counts.
#
# **Clipping.** TFRS clips shares below one in a million. In a catalogue of tens of millions give it the shares times a
# constant: the constant cancels in the softmax, as long as no film gets above 1.
#
# **What logQ cannot give.** It makes the score follow what people chose, popularity included. If you want less
# popularity in the lists, say so when you rank, where it can be seen and changed, not by a bias of the loss.
#
# ## Exercises
#
# 1. Add a variant with `temperature=0.2` and vectors of any length (`Variant` and `Towers` need a field for it), and half
#    and double its learning rate. What does a temperature do to vectors that may have any length?
# 2. Add two variants without `remove_hits`: `uniform=1` and `uniform=4`. Does the popularity of what is recommended move?
# 3. TFRS picks hard negatives by the corrected score. Write the loss by hand, as the full softmax's is, keep the hardest 64
#    by the score *without* $\log q$, and correct those. Which films are they, and does popularity still return?
# 4. In a copy of `stream_shares`, count time in batches, as Yi et al. do. For which films do the estimates go wrong, and
#    does the model mind?
#
# ## Takeaways
#
# - logQ follows from Bayes' rule in five lines, for a batch of any size. The sign: subtract the logarithm of the share.
# - With it the average gradient approaches the full softmax's as the batch grows; without it no batch is large enough.
# - It turned both worlds: on MovieLens from no better than most popular to 30 % above, within 0.01 of the full softmax's
#   NDCG@10.
# - Shares estimated from a stream served as well, and followed a turn that counts missed, slowly where a movie had become
#   rare.
# - Hard negatives alone and unit vectors were worse than leaving them out, by more than luck.
#
# **Next.** [Lesson 14](14_encode_watch_history.ipynb) improves the query tower, where there is more to gain.
# [Lesson 16](16_compare_embeddings.ipynb) asks what such vectors hold to be near.
#
# **References**
#
# - Y. Bengio and J.-S. Senécal, *Adaptive importance sampling to accelerate training of a neural probabilistic language
#   model*, IEEE Transactions on Neural Networks 19(4), 2008. [doi](https://doi.org/10.1109/TNN.2007.912312)
# - X. Yi et al., *Sampling-bias-corrected neural modeling for large corpus item recommendations*, RecSys 2019.
#   [doi](https://doi.org/10.1145/3298689.3346996)
# - Z. Ma and M. Collins, *Noise contrastive estimation and negative sampling for conditional models: consistency and
#   statistical efficiency*, EMNLP 2018. [doi](https://doi.org/10.18653/v1/D18-1405)
# - J. Yang et al., *Mixed negative sampling for learning two-tower neural networks in recommendations*, WWW 2020
#   companion. [doi](https://doi.org/10.1145/3366424.3386195)
# - F. M. Harper and J. A. Konstan, *The MovieLens datasets: history and context*, ACM TiiS 5(4), 2015.
#   [doi](https://doi.org/10.1145/2827872)
