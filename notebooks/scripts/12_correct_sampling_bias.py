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
# **What you'll do**: train the same two towers in eight ways, one change each, and see which changes pay.
#
# **What you'll learn**
#
# - why the logQ correction works, and what it does not promise;
# - what the positive's own correction changes;
# - how to estimate shares from a stream that drifts, and for which movies that fails;
# - what temperature, hard and mixed negatives buy.
#
# **What you'll need**: [Lesson 11](11_retrieve_with_in_batch_negatives.ipynb) for the in-batch softmax and logQ; one
# minute; 1.5 GB of memory.

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
# TFRS needs Keras 2. `set_up` asks for it, for one thread an operation and the same model each time.

# %%
from recsys_utils.setup import set_up

set_up(keras=2, deterministic=True, threads=1)

# %%
import functools
import time
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import tensorflow as tf
import tensorflow_recommenders as tfrs
from scipy.special import softmax

from recsys_utils import baselines, comparison, diagram, leaderboard, metrics, splits
from recsys_utils.columns import GENRES, ITEM_ID, RATING, TITLE, USER_ID
from recsys_utils.datasets.movielens import load_movielens
from recsys_utils.display import results_table

# %% [markdown]
# You can change these:

# %% tags=["parameters"]
SEEDS = [1, 2, 3]  # of the models in the test
DIM = 32  # numbers in a vector
BATCH, EPOCHS = 256, 3
RATES = [0.01, 0.03, 0.1, 0.3]  # learning rates to choose from
TEMPERATURES = [0.1, 0.15, 0.2, 0.3, 0.5]
HARD = [32, 128]  # hard negatives kept, fewer than BATCH - 1
UNIFORM = [16, 64, 256]  # uniform negatives added to a batch
USER = 73  # whose recommendations we look at

# %%
default = (SEEDS, DIM, BATCH, EPOCHS, USER, HARD) == ([1, 2, 3], 32, 256, 3, 73, [32, 128])  # some claims need it
default &= (RATES, UNIFORM, TEMPERATURES) == ([0.01, 0.03, 0.1, 0.3], [16, 64, 256], [0.1, 0.15, 0.2, 0.3, 0.5])

# %% [markdown]
# ## A world where the truth is known
#
# Three users choose equally often among twenty movies. We plant the probability $p(j \mid i)$ that user $i$ chooses movie
# $j$. Movie $j$'s share of all choices, $q_j$, is the mean over users.

# %% tags=["nbval-check-output"]
rng = np.random.default_rng(1)
truth = softmax(rng.normal(size=(3, 20)) - np.log(np.arange(1, 21)), axis=1)  # (users, movies)
share = truth.mean(axis=0)  # (movies,)
print(f"the most popular movie has {share.max():.0%} of all choices, the rarest {share.min():.2%}")

# %% [markdown]
# ## logQ in five lines
#
# 1. In an [in-batch softmax](../docs/glossary.md#in-batch-softmax), user $i$ sees movies $j_1, \dots, j_B$. One is their choice, drawn from $p(j \mid i)$. The others are other users',
#    drawn from the shares $q_j$.
# 2. Suppose the user chose $j_k$. Then the probability of this batch is
#    $p(j_k \mid i) \prod_{m \ne k} q_{j_m} = \frac{p(j_k \mid i)}{q_{j_k}} \prod_m q_{j_m}$. The product is the same for
#    every $k$.
# 3. So by Bayes' rule movie $j_k$ is their choice with a probability in proportion to $p(j_k \mid i) / q_{j_k}$.
# 4. The softmax gives it $e^{\ell_k} / \sum_m e^{\ell_m}$. Cross-entropy is least where the two agree:
#    $\ell_k = \log p(j_k \mid i) - \log q_{j_k}$, up to a constant.
# 5. We rank by the score $s_{ij}$ and want it to be $\log p(j \mid i)$. So train with
#    $\ell_{ij} = s_{ij} - \log q_j$.
#
# This is ranking [noise-contrastive estimation](https://doi.org/10.18653/v1/D18-1405) (Ma and Collins, 2018). Check the
# sign on two users and two movies whose scores are the truth. TFRS itself subtracts the logarithm of the shares:

# %% tags=["nbval-check-output"]
p, q = np.array([[0.3, 0.7], [0.05, 0.95]]), np.array([0.1, 0.9])  # (users, movies), (movies,)
by_bayes = -np.log(np.diag(p / q) / (p / q).sum(axis=1)).sum()  # user 0 chose movie 0, user 1 movie 1
wrong_sign = -np.log(np.diag(p * q) / (p * q).sum(axis=1)).sum()
scores, movie_vectors = np.log(p).astype(np.float32), np.eye(2, dtype=np.float32)  # scores @ movie_vectors.T = scores
by_tfrs = tfrs.tasks.Retrieval()(scores, movie_vectors, candidate_sampling_probability=q.astype(np.float32))
print(f"loss by Bayes' rule {by_bayes:.4f}, by TFRS {by_tfrs:.4f}, with the wrong sign {wrong_sign:.4f}")
assert np.isclose(by_tfrs, by_bayes, atol=1e-5), "TFRS should subtract log q"
assert wrong_sign > 3 * by_tfrs, "with the wrong sign the truth should look like a mistake"

# %% [markdown]
# ## The positive's own correction in five lines
#
# The [full softmax](../docs/glossary.md#full-softmax) over the catalogue needs no sampling. Let $\pi$ be its
# probabilities for a user, and $j$ the choice (the **positive**). Can a batch stand in for its gradient?
#
# 1. The full gradient is $\sum_k \pi_k \nabla s_k - \nabla s_j$.
# 2. The choice is in every batch with certainty, so take it out of the sum. Khrylchenko et al. (2025) call $1 - \pi_j$ the
#    sample weight:
#    $(1 - \pi_j)\big[\sum_{k \ne j} \frac{\pi_k}{1 - \pi_j} \nabla s_k - \nabla s_j\big]$.
# 3. Only the sum has to be sampled. With $B - 1$ negatives and [accidental
#    hits](../docs/glossary.md#accidental-hit) removed, weights in proportion to $e^{s_k} / q_k$ estimate it.
# 4. $\pi_j = e^{s_j} / (e^{s_j} + Z)$, where $Z$ sums over all other movies.
#    $\frac{1}{B - 1} \sum_k e^{s_k} / q_k$ over the negatives has the mean $Z$.
# 5. Both together are the gradient of a softmax with $\ell_j = s_j$ for the choice and
#    $\ell_k = s_k - \log\big((B - 1)\, q_k\big)$ for a negative.
#
# So subtract the logarithm of how often a movie is *expected* in the batch: once for the choice, $(B - 1)\,q_k$ times for
# another. logQ treats the choice as if it, too, had been drawn from $q$.


# %%
def own_correction(queries, candidates, ids, share):
    scores = tf.matmul(queries, candidates, transpose_b=True)  # (batch, batch)
    expected = tf.cast(tf.shape(ids)[0] - 1, tf.float32) * share  # (batch,) times in the batch
    choice = tf.eye(tf.shape(ids)[0], dtype=tf.bool)
    logits = tf.where(choice, scores, scores - tf.math.log(expected))
    logits = tf.where((ids[:, None] == ids) & ~choice, -1e9, logits)  # accidental hits out
    return tf.reduce_sum(tf.reduce_logsumexp(logits, axis=1) - tf.linalg.diag_part(scores))


# %% [markdown]
# ## Where the minimum lies, and where the gradient points
#
# For each set of drawn negatives, we compute the gradient of one user's scores, averaged exactly over the choice.

# %%
WAYS = ["plain", "logQ", "logQ, hits removed", "positive's own"]


def gradients(scores, chosen, counts, way):  # counts: (draws, movies) how often each movie was drawn
    log_q, removed = np.log(share), way in WAYS[2:]
    own_logit = scores - log_q * way.startswith("logQ")  # (movies,) the choice's
    negative = scores - log_q * (way != "plain") - (np.log(counts[0].sum()) if way == "positive's own" else 0)
    attraction = counts * np.exp(negative)  # (draws, movies)
    total = np.exp(own_logit) + attraction.sum(axis=1, keepdims=True) - removed * attraction  # (draws, movies)
    weight = chosen / total  # (draws, movies), by the choice
    return attraction * (weight.sum(axis=1, keepdims=True) - removed * weight) + weight * np.exp(own_logit) - chosen


# %% [markdown]
# The smallest batch is the choice and one negative. Its average loss can be minimised exactly, and the softmax of the
# scores at the minimum compared with the truth.


# %%
def minimise(chosen, way, counts, likely, steps=4000):  # likely: (draws,) probability of each set of negatives
    scores = np.zeros(20)  # (movies,)
    for _ in range(steps):
        scores -= 0.3 * (likely @ gradients(scores, chosen, counts, way)) / chosen  # equal steps for rare movies
    return softmax(scores)  # (movies,)


found = {way: minimise(truth[0], way, np.eye(20), share) for way in WAYS}
table = pd.DataFrame({"minimum off, batch 2": {way: np.abs(found[way] - truth[0]).sum() / 2 for way in WAYS}})
assert np.allclose(found["logQ"], truth[0], atol=1e-4), "logQ's minimum should be the truth"
assert np.allclose(found["plain"], softmax(np.log(truth[0] / share)), atol=1e-3), "the plain minimum should be p / q"

# %% [markdown]
# Next we compare gradients at random scores. `error` is the distance of the average gradient from the full softmax's,
# `noise` the standard deviation between sets of negatives, both relative to the full gradient's length.

# %%
some = rng.normal(size=20)  # (movies,) random scores
full = softmax(some) - truth[0]  # (movies,) gradient of the full softmax there
for batch in (8, 64, 512):
    counts = np.random.default_rng(2).multinomial(batch - 1, share, size=20_000)  # (draws, movies)
    for way in WAYS:
        slopes = gradients(some, truth[0], counts, way)
        table.loc[way, f"error, batch {batch}"] = np.linalg.norm(slopes.mean(axis=0) - full) / np.linalg.norm(full)
        table.loc[way, f"noise, batch {batch}"] = np.sqrt(slopes.var(axis=0).sum()) / np.linalg.norm(full)
results_table(table.rename_axis("way").reset_index())

# %% [markdown]
# Two statements seem to disagree; both are true. *logQ is right for any batch size*: the **minimum** of its average
# loss is the truth, even with one negative. *logQ is right for large batches only*: on the way there, its **gradient**
# differs from the full softmax's, with an error and a noise that fall as the batch grows. Without logQ, both are wrong.
#
# Without hits, step 2 of logQ's proof no longer holds, and an error stays. The positive's own correction mends that; its
# gradient is no nearer than logQ's with hits. The price: a wrong minimum in the smallest batch. The base removes hits all
# the same, to be Lesson 11's loss; the test compares both.

# %%
error, noise = ([f"{what}, batch {batch}" for batch in (8, 64, 512)] for what in ("error", "noise"))
for way in ("logQ", "positive's own"):
    assert table.loc[way, error].is_monotonic_decreasing and table.loc[way, error[2]] < 0.02, "errors should fall"
assert (table[noise].diff(axis=1).iloc[:, 1:] < 0).all(axis=None), "larger batches should be less noisy"
assert table.loc["positive's own", "minimum off, batch 2"] > 0.1, "in the smallest batch its end should be wrong"
assert table.loc["plain", error].min() > 0.2, "without logQ the gradient should stay wrong"
assert np.allclose(table.loc["positive's own", error], table.loc["logQ", error], atol=0.02), "both should be as near"
assert table.loc["logQ, hits removed", error[2]] > 3 * table.loc["positive's own", error[2]], "an error should remain"

# %% [markdown]
# ## Shares from a stream that drifts
#
# Yi et al. (2019) learn from an endless stream. They keep two numbers a movie: when it was last chosen, and a moving
# average of the gap between two choices. The share is one over the gap. (Their clock ticks once a batch; ours, once a
# choice.)


# %%
def stream_shares(items, n_items, rate=0.01):
    last, gap, times, shares = [0] * n_items, [0.0] * n_items, [0] * n_items, []
    for now, item in enumerate(items.tolist(), start=1):
        times[item] += 1  # a third number, so that the average starts as a plain mean
        gap[item] += max(rate, 1 / times[item]) * (now - last[item] - gap[item])
        last[item] = now
        shares.append(1 / gap[item])
    return np.array(shares), 1 / np.maximum(gap, 1e-9)  # (n_choices,) as of then, (n_items,) as of now


# %% [markdown]
# Over 200,000 choices, 300 movies drift from one popularity to another. Two rivals count: from the start, and faded, where
# a choice weighs $1/e$ after 5,000 more. `error` is the root mean square of log(estimate/truth).

# %%
before, after = (1 / order for order in (np.arange(1, 301), rng.permutation(300) + 1))  # (movies,) popularities
drift = softmax(np.linspace(np.log(before), np.log(after), 200), axis=1)  # (moments, movies) true shares
choices = np.concatenate([rng.choice(300, 1000, p=shares) for shares in drift])  # (200_000,)
fade = np.exp((np.arange(len(choices)) - len(choices)) / 5000)  # (200_000,) weight of a choice
estimates = {"counted from the start": np.bincount(choices, minlength=300) / len(choices)}  # (movies,) each
estimates["faded counts"] = np.bincount(choices, fade, minlength=300) / fade.sum()
estimates |= {f"stream, rate {rate}": stream_shares(choices, 300, rate)[1] for rate in (0.01, 0.1)}

# %%
ratios = pd.DataFrame(estimates).div(drift[-1], axis=0).loc[np.argsort(-drift[-1])]  # (movies, ways) by the true share
off = pd.DataFrame({"50 most popular": ratios[:50].median(), "50 rarest": ratios[-50:].median()})
off["error, popular"], off["error, rarest"] = (np.sqrt((np.log(x) ** 2).mean()) for x in (ratios[:50], ratios[-50:]))
results_table(off.rename_axis("median of estimate / truth").reset_index(), digits=2)

# %% [markdown]
# Counts from the start are stale. The stream follows the popular movies. But an estimate moves only when its movie is chosen:
# at a rate of 0.01, it is 1.6 times too high for rare movies. A larger rate follows rare movies better (1.2 times too high)
# and is noisier for popular ones. Faded counts are right in the median and scatter for rare movies.

# %%
start, faded, slow, fast = (off.loc[way] for way in estimates)  # (columns,) each
assert abs(slow["50 most popular"] - 1) < 0.1 and start["50 most popular"] < 0.8, "counts are stale"
assert 1.55 < slow["50 rarest"] < 1.75 and 1.1 < fast["50 rarest"] < 1.3, "the stream lags for rare movies"
assert fast["error, popular"] > 1.5 * slow["error, popular"], "a larger rate should be noisier"
assert abs(faded["50 rarest"] - 1) < 0.2 and faded["error, rarest"] > 0.4, "faded counts should be right, and scatter"

# %% [markdown]
# ## MovieLens, and the towers
#
# Each user's last fifth of ratings is the test, read once; the last fifth of the rest is for validation.

# %% tags=["nbval-check-output"]
ratings, movies, _ = load_movielens()
train_and_test = splits.split_by_time(ratings)
tasks, pairs = {}, {}
for name, part in {"validation": splits.split_by_time(train_and_test.train), "test": train_and_test}.items():
    task = tasks[name] = metrics.make_ranking_task(*part, items=movies[ITEM_ID])
    rows = np.searchsorted(task.users, part.train[USER_ID]), np.searchsorted(task.items, part.train[ITEM_ID])
    pairs[name] = np.stack(rows).astype(np.int32)  # (2, n_pairs) rows of users and of movies
    print(f"{name}: trained on {pairs[name].shape[1]:,} choices of {len(task.users)} users, {len(task.items):,} movies")

# %% [markdown]
# The towers are two tables of vectors, because the loss is what we compare.

# %%
diagram.draw_two_towers(
    diagram.Tower("user tower", {"user id": len(task.users)}, [f"Embedding {DIM}"]),
    diagram.Tower("movie tower", {"movie id": len(task.items)}, [f"Embedding {DIM}"]),
    meet="dot product, all pairs of the batch",
    loss="in-batch softmax, eight ways",
)

# %% [markdown]
# ## One factor at a time
#
# The base is logQ with counted shares and accidental hits removed. Each variant changes one thing:


# %%
def tfrs_loss(correct=True, remove_accidental_hits=True, **arguments):
    task = tfrs.tasks.Retrieval(remove_accidental_hits=remove_accidental_hits, **arguments)

    def loss(queries, candidates, ids, share):
        return task(queries, candidates, None, share if correct else None, ids)

    return loss


class Variant(NamedTuple):
    loss: Any = tfrs_loss()
    batch: int = BATCH
    uniform: int = 0  # candidates added, drawn evenly from the catalogue
    streamed: bool = False  # shares from the stream of the training pairs
    unit: bool = False  # vectors of length 1


# %% [markdown]
# A batch is `batch` pairs, then `uniform` more movies, negatives for everybody. A movie's probability is that of this
# mixture: its share in the first part and 1 / catalogue in the second, weighted by their sizes (Yang et al., 2020).


# %%
def draw_batches(variant, part, seed):
    rng, (users, items), n_items = np.random.default_rng(seed), pairs[part], len(tasks[part].items)
    size, extra, steps = variant.batch, variant.uniform, len(users) // variant.batch
    order = np.concatenate([rng.permutation(len(users))[: steps * size] for _ in range(EPOCHS)])
    added = rng.integers(n_items, size=(EPOCHS * steps, extra), dtype=np.int32)
    candidates = np.concatenate([items[order].reshape(-1, size), added], axis=1)  # (steps, size + extra)
    shares = np.bincount(items, minlength=n_items) / len(items)  # (n_items,)
    probability = ((size * shares + extra / n_items) / (size + extra))[candidates]  # (steps, size + extra)
    if variant.streamed:
        probability = stream_shares(items[order], n_items)[0].reshape(-1, size)
    return users[order].reshape(-1, size), candidates, probability.astype(np.float32)


# %% [markdown]
# We compile the training loop once a variant. Every rate and seed starts from fresh vectors.


# %%
def look_up(table, rows, unit):
    vectors = tf.gather(table, rows)  # (n_rows, dim)
    return tf.math.l2_normalize(vectors, axis=1) if unit else vectors


def train_step(variant, tables, optimizer, users, candidates, share):
    with tf.GradientTape() as tape:
        vectors = [look_up(table, rows, variant.unit) for table, rows in zip(tables, (users, candidates), strict=True)]
        loss = variant.loss(*vectors, candidates, share)
    optimizer.apply_gradients(zip(tape.gradient(loss, tables), tables, strict=True))


# %%
@functools.cache
def compile_loop(variant):
    tables = [tf.Variable(tf.zeros((rows, DIM))) for rows in task.seen.shape]  # of users, of movies
    optimizer = tf.keras.optimizers.Adagrad()
    optimizer.build(tables)
    shapes = [(None, variant.batch)] + 2 * [(None, variant.batch + variant.uniform)]

    @tf.function(input_signature=[*map(tf.TensorSpec, shapes, (tf.int32, tf.int32, tf.float32))])
    def loop(users, candidates, share):
        for step in tf.range(tf.shape(users)[0]):
            train_step(variant, tables, optimizer, users[step], candidates[step], share[step])

    return tables, optimizer, [variable.numpy() for variable in optimizer.variables], loop


# %%
def train(variant, part, rate, seed):
    tables, optimizer, fresh, loop = compile_loop(variant)
    rng = np.random.default_rng(seed)
    start = [rng.uniform(-0.05, 0.05, table.shape) for table in tables] + fresh
    for variable, value in zip([*tables, *optimizer.variables], start, strict=True):
        variable.assign(value)
    optimizer.learning_rate = rate
    loop(*draw_batches(variant, part, seed))
    users, items = (look_up(table, tf.range(table.shape[0]), variant.unit) for table in tables)  # (rows, dim) each
    return tf.matmul(users, items, transpose_b=True).numpy()  # (n_users, n_items)


def ndcg(variant, part, rate, seed):
    return metrics.evaluate_ranking(train(variant, part, rate, seed), tasks[part]).ndcg  # (n_users,)


# %% [markdown]
# ## Choose on validation
#
# Three variants have a number of their own, chosen at a rate of 0.1: the
# [temperature](../docs/glossary.md#temperature) that divides the scores of unit vectors, which lie between −1 and 1; how
# many of the [hardest negatives](../docs/glossary.md#hard-negative) to keep; how many uniform ones to add ([mixed
# negatives](../docs/glossary.md#mixed-negatives)).

# %%
from concurrent.futures import ThreadPoolExecutor

base = Variant()
grids = {
    "unit vectors, temperature": {t: Variant(tfrs_loss(temperature=t), unit=True) for t in TEMPERATURES},
    "hardest negatives kept": {k: Variant(tfrs_loss(num_hard_negatives=k)) for k in HARD} | {BATCH - 1: base},
    "uniform negatives added": {0: base} | {n: Variant(uniform=n) for n in UNIFORM},
}
quality = functools.cache(lambda variant, rate: ndcg(variant, "validation", rate, SEEDS[0]).mean())
pool = ThreadPoolExecutor(2)  # trains two variants at a time; a set has the base once
[*pool.map(lambda one: quality(one, 0.1), {one for grid in grids.values() for one in grid.values()})]
searched = {name: {value: quality(one, 0.1) for value, one in grid.items()} for name, grid in grids.items()}
best = {name: max(values, key=values.get) for name, values in searched.items()}
best["uniform negatives added"] = max(UNIFORM, key=searched["uniform negatives added"].get)  # 0 is the base

# %% [markdown]
# The dashed line is the base. [NDCG@10](../docs/glossary.md#ndcg) is 1 for a perfect top ten. The best temperature lies
# inside its grid. The more hard negatives we keep, the better, at this rate, with one seed. All 255 is the base, so we drop
# this variant. TFRS picks the hardest after subtracting $\log q$: they are no longer drawn from $q$, and the proof fails.

# %%
figure, axes = plt.subplots(1, 3, sharey=True, figsize=(9, 3))
for axis, (name, values) in zip(axes, searched.items(), strict=True):
    axis.plot([f"{value:g}" for value in values], values.values(), "o-", color="C0")
    axis.axhline(quality(base, 0.1), color="C6", linestyle="--")
    axis.set(xlabel=name)
axes[0].set_ylabel("NDCG@10, validation")
assert not default or best["unit vectors, temperature"] in TEMPERATURES[1:-1], "the best should be inside the grid"
assert not default or best["hardest negatives kept"] == BATCH - 1, "keeping all negatives should be best"

# %% [markdown]
# Then every variant gets its own best learning rate, inside one grid.

# %%
variants = {
    "plain (no logQ)": Variant(tfrs_loss(correct=False)),
    "logQ (base)": base,
    "accidental hits kept": Variant(tfrs_loss(remove_accidental_hits=False)),
    "positive's own correction": Variant(own_correction),
    "shares from the stream": Variant(streamed=True),
    "batch / 4": Variant(batch=BATCH // 4),
} | {f"{name} = {best[name]}": grid[best[name]] for name, grid in grids.items() if grid[best[name]] != base}
tried = pool.map(lambda one: [quality(one, rate) for rate in RATES], variants.values())
by_rate = pd.DataFrame([*tried], [*variants], RATES)  # (n_variants, n_rates)
rate_of = by_rate.idxmax(axis=1)
assert not default or rate_of.isin(RATES[1:-1]).all(), "no rate beyond the grid should be needed"
results_table(by_rate.add_prefix("rate ").rename_axis("validation NDCG@10").reset_index())

# %% [markdown]
# ## Test: what each change buys
#
# We train with three seeds and read the test. The marks to beat are most popular and two tuned models of [Lesson
# 03](03_rank_with_classic_baselines.ipynb) that see the same choices: iALS factorises the table of choices, EASE scores a
# movie by the others chosen.

# %%
kept = baselines.load_rival_lists()  # (n_seeds, n_users, 10) each
rivals = {"most popular": kept["most popular"], "iALS, tuned": kept["iALS"], "EASE, tuned": kept["EASE"]}
by_user = {name: np.stack([metrics.evaluate_lists(one, task).ndcg for one in runs]) for name, runs in rivals.items()}

# %%
seconds, shown, rankings, row = {}, {}, {}, np.searchsorted(task.users, USER)
for name, variant in variants.items():
    start = time.perf_counter()
    scores = [train(variant, "test", rate_of[name], seed) for seed in SEEDS]  # (n_users, n_items) each
    seconds[name], shown[name] = (time.perf_counter() - start) / len(SEEDS), scores[0][row]
    rankings[name] = [metrics.evaluate_ranking(one, task) for one in scores]
    by_user[name] = np.stack([ranking.ndcg for ranking in rankings[name]])  # (n_seeds, n_users)
compared = comparison.compare(by_user, "logQ (base)").set_index("model")

# %% [markdown]
# Each bar is the interval of a paired difference over users and seeds, widened for the number of comparisons (Holm). Where
# it crosses the line, the data cannot tell. Rivals have the other colour. `±` is half the spread over seeds.

# %%
figure, axis = plt.subplots(figsize=(9, 4.2))
others = compared.loc[[*variants, *rivals]].drop("logQ (base)")
luck = (others["seed_spread"] / 2).map(" (seeds ±{:.3f})".format, na_action="ignore").fillna("")
axis.axvline(0, color="C6", linestyle="--")
axis.set(yticks=range(0, -len(others), -1), yticklabels=others.index + ": " + others["verdict"] + luck)
axis.set_xlabel(f"NDCG@10, difference to the {compared['mean']['logQ (base)']:.3f} of logQ (base)")
for place, (name, one) in enumerate(others.iterrows()):
    colour = "C1" if name in rivals else "C0"
    axis.plot(one[["low", "difference", "high"]], [-place] * 3, "o-", markevery=[1], color=colour, linewidth=3)

# %% [markdown]
# - **Only logQ paid.** Without it, towers with a rate of their own do not beat most popular.
# - **No other tested change is better**, each at its own rate. `batch / 4` also takes four times the steps. The stream
#   stands still here: drift is not tested.
# - **Tuned iALS and EASE are better than the base.** iALS, too, knows a user by an id alone, so ids do not explain the gap.
#   Width and epochs were not tuned here.

# %%
low, _ = comparison.bootstrap_interval((by_user["plain (no logQ)"] - by_user["most popular"]).mean(axis=0))
assert not default or low < 0, "plain should not beat most popular"
worse, better = (set(compared.index[compared["verdict"] == verdict]) for verdict in ("worse", "better"))
assert not default or {"most popular", "plain (no logQ)"} <= worse, "logQ should beat both"
assert not default or better == {"iALS, tuned", "EASE, tuned"}, "only the tuned rivals should be better"

# %% [markdown]
# ## Recommend for one user
#
# The last movies that this user gave five stars in training:

# %%
by_id, history = movies.set_index(ITEM_ID), train_and_test.train.query("user_id == @USER and rating == 5")
results_table(history.tail(5).join(by_id, on=ITEM_ID)[[TITLE, GENRES, RATING]], digits=1)

# %% [markdown]
# A tick marks a movie that the user went on to rate. The last line is the ten's mean number of training choices. Over all
# users, the plain model recommends rarer movies.

# %%
ours, lists = ["plain (no logQ)", "logQ (base)"], {}
tens = {name: metrics.recommend(shown[name][None], task.seen[[row]])[0] for name in ours}  # (10,) columns each
for name, ten in [*tens.items(), ("EASE, tuned", kept["EASE"][0, row])]:
    ticks = np.where(np.isin(ten, task.relevant[[row]].indices), "✓ ", "")
    choices = task.popularity[ten].mean()
    lists[name] = [*(ticks + by_id[TITLE].loc[task.items[ten]].to_numpy(dtype=object)), f"{choices:.0f} choices"]
assert not default or rankings["plain (no logQ)"][0].popularity < rankings["logQ (base)"][0].popularity, "plain: rarer"
results_table(pd.DataFrame(lists))

# %% [markdown]
# ## In practice
#
# - **Count what the batch is drawn from**: if you subsample popular movies, count afterwards. With several machines, a batch
#   is what one machine sees.
# - **logQ learns popularity** as choices have it. If you want less of it, take it off when you rank.
#
# The base's first seed goes to the leaderboard.

# %%
users, items = (table.numpy() for table in compile_loop(base)[0])  # of the last seed; the time is the same
board = leaderboard.Leaderboard("12")
query_ms = leaderboard.query_milliseconds(lambda row: items @ users[row], task)
figures = {"ranking": rankings["logQ (base)"][0], "train_seconds": seconds["logQ (base)"], "query_ms": query_ms}
board.add("ids only, logQ, hits removed", "two-tower", **figures)
board.save()

# %% [markdown]
# ## Check yourself
#
# 1. A colleague adds $\log q$ to the scores in training. What will the model recommend?
#
# <details><summary>Answer</summary>
#
# Even rarer movies than the plain model: the score at the minimum is $\log p - 2 \log q$.
#
# </details>
#
# 2. logQ is exact at the minimum for a batch of two. Why use larger batches?
#
# <details><summary>Answer</summary>
#
# Noise and error of the gradient fall with the batch.
#
# </details>
#
# 3. With vectors of any length, what does a temperature of 0.5 change?
#
# <details><summary>Answer</summary>
#
# The units of the scores: vectors $\sqrt 2$ times shorter give the same logits.
#
# </details>
#
# ## Exercises
#
# 1. **How small is too small.** Without training towers, `minimise` for batches of 2 to 64, with 400 drawn sets of negatives
#    as `counts`. Aim: from 16 on, the positive's own correction ends as near the truth as logQ.
# 2. **Half a correction.** Subtract $\alpha \log q$, $\alpha$ from 0 to 1.5, each at its own rate, on validation. Aim: 1
#    far above 0.
# 3. **No sampling at all.** Train the tables with the full softmax, all users in one product. Choose rate and steps on
#    validation. Aim: within 0.02 of logQ's NDCG@10.
# 4. **Count in batches.** Without training, let the clock of `stream_shares` tick once a batch of 256, on a stream that
#    stands still. Aim: the most popular movie's share becomes 1/256.
#
# [Solutions](solutions/12_correct_sampling_bias.ipynb)
#
# ## Takeaways
#
# - logQ's minimum was the truth in the smallest batch; its gradient came near the full softmax's in large ones.
# - It turned towers that did not beat most popular into towers that did. No other tested change was better than the base.
# - At rate 0.01, the stream's shares followed popular movies through a drift and were 1.6 times too high for the rarest.
# - Tuned iALS and EASE stayed ahead of the base.
#
# **Next**: [Lesson 13](13_rewrite_retrieval_in_keras_3.ipynb) writes the same loss in Keras 3.
#
# **References**
#
# - Khrylchenko et al. (2025). [Correcting the LogQ correction](https://arxiv.org/abs/2507.09331). *RecSys*.
# - Ma, Collins (2018). Noise contrastive estimation and negative sampling for conditional models. *EMNLP*.
# - Yang et al. (2020). [Mixed negative sampling](https://doi.org/10.1145/3366424.3386195) for learning two-tower neural
#   networks in recommendations. *WWW*.
# - Yi et al. (2019). [Sampling-bias-corrected neural modeling for large corpus item
#   recommendations](https://doi.org/10.1145/3298689.3346996). *RecSys*.
