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
# # Grow from SVD to two towers, one layer at a time
#
# [![Open in Colab](images/open-in-colab.svg)](https://colab.research.google.com/github/two-towers-course/two-towers/blob/main/notebooks/05_grow_from_svd_to_two_towers.ipynb) [![Launch Binder](images/launch-binder.svg)](https://mybinder.org/v2/gh/two-towers-course/two-towers/main?urlpath=lab/tree/notebooks/05_grow_from_svd_to_two_towers.ipynb)
#
# **What you'll do**: train two linear towers until they *are* a truncated SVD, then add features and a hidden layer and
# measure how far each step narrows the gap to the noise floor.
#
# **What you'll learn**
# - why an embedding is a linear layer over a one-hot id, and two of them are matrix factorisation;
# - how to tell that two models found the same thing although their numbers differ: principal angles;
# - how many directions of a table stand out of its noise;
# - what features add to ids, and what a hidden layer adds to features.
#
# **What you'll need**: [Lesson 02](02_predict_ratings_with_classic_baselines.ipynb) for matrix factorisation, [Lesson
# 04](04_build_two_towers_from_scratch.ipynb) for what a tower is; you need not have run them. One minute; 1.3 GB of
# memory.

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
# The towers are written in Keras 3; one call chooses it, and sets the figure style and the seeds.

# %%
from recsys_utils.setup import set_up

set_up(keras=3)
import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import tensorflow as tf
from keras import layers
from scipy.linalg import subspace_angles

from recsys_utils import baselines, comparison, diagram, metrics, splits
from recsys_utils.columns import ITEM_ID, RATING, TITLE, USER_ID
from recsys_utils.datasets.synthetic import EXPECTED, generate_planted, load_synthetic
from recsys_utils.display import results_table

# %% [markdown]
# `RANK` belongs to part one, a full table; the next lines to part two, the ladder. A
# [validation](../docs/glossary.md#validation) part chooses among `PENALTIES`.

# %% tags=["parameters"]
SEEDS = [1, 2, 3]
RANK, TABLE_EPOCHS = 5, 30
DIM, HIDDEN, BATCHES, EPOCHS, RATE = 8, 32, 75, 18, 0.02
STRONG = [10, 100, 1_000]  # penalties on the vectors of ids
PENALTIES = {"linear, ids": [1, 3, 10], "linear, features": STRONG, "nonlinear, features": STRONG}
SHOPPER = 34  # the user we recommend for

# %%
default = (SEEDS, RANK, TABLE_EPOCHS, DIM, HIDDEN, BATCHES) == ([1, 2, 3], 5, 30, 8, 32, 75)
default &= (EPOCHS, RATE, STRONG) == (18, 0.02, [10, 100, 1_000])  # some claims hold at these alone

# %% [markdown]
# This is the model at the top of the ladder.

# %%
parts = [f"id: a row of {DIM}\nfeatures: Dense {HIDDEN}, tanh; Dense {DIM}", f"sum of both, {DIM}"]
diagram.draw_two_towers(
    diagram.Tower("user tower", {"user id": 1_000, "features, such as age": 11}, parts),
    diagram.Tower("item tower", {"item id": 500, "features, such as price": 67}, parts),
    meet="dot product, mean and two biases",
    loss="squared error",
)

# %% [markdown]
# ## Data: a table that is known in full
#
# A **[singular value decomposition](../docs/glossary.md#svd)** (SVD) needs every cell of a table. So start with a
# planted world from [Lesson 01](01_generate_synthetic_data.ipynb), small enough that every user rates every item, and
# subtract the mean.

# %% tags=["nbval-check-output"]
n_users, n_items = 200, 100
full = generate_planted(n_users, n_items, n_users * n_items, seed=1).ratings
stars = full.pivot(index=USER_ID, columns=ITEM_ID, values=RATING)  # (n_users, n_items)
table = stars.to_numpy() - stars.to_numpy().mean()
stars.iloc[:3, :6]

# %% [markdown]
# ## The idea: two linear towers are a factorisation
#
# SVD writes the table as a sum of products, strongest first: $M = \sum_k \sigma_k\, a_k b_k^\top$. The sum of the first
# $K$ is the **truncated SVD**. No other product of an $n \times K$ and a $K \times m$ matrix has a smaller squared
# error (Eckart and Young, 1936).
#
# Now take two towers, each one linear layer of $K$ outputs without a bias, over a **one-hot** id: all zeros but a 1 at
# the id's place. A one-hot row picks one row of the layer's weights.

# %% tags=["nbval-check-output"]
one_hot = np.array([[0.0, 1.0, 0.0]])  # (1, users): the second of three users
weights = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])  # (users, K)
print("one-hot row times weights:", one_hot @ weights, " row looked up:", weights[[1]])
assert np.array_equal(one_hot @ weights, weights[[1]]), "an embedding is a linear layer over a one-hot id"

# %% [markdown]
# So the user tower *is* a matrix $P$ with a row a user, the item tower a matrix $Q$, and all their [dot
# products](../docs/glossary.md#dot-product) are $P Q^\top$: a product of just those shapes.
#
# Which $P$ and $Q$? Many do. Multiply $P$ by any invertible matrix and $Q$ by its inverse, transposed, and every
# product stays what it was. Here is a 2 × 2 table, factorised twice.

# %% tags=["nbval-check-output"]
p, q = np.array([[1.0, 1.0], [1.0, -1.0]]), np.array([[2.0, 1.0], [2.0, -1.0]])  # (users, K), (items, K)
change = np.array([[3.0, 1.0], [0.0, 2.0]])  # (K, K): any invertible matrix
other_p, other_q = p @ change, q @ np.linalg.inv(change).T
print(p @ q.T)
assert np.allclose(other_p @ other_q.T, p @ q.T), "both pairs should give the same table"

# %% [markdown]
# So it is no use to compare numbers. What all these $P$ share is the *subspace* that their columns span. **Principal
# angles** (Björck and Golub, 1973) measure how far two subspaces are apart; all are zero if they are the same. Two
# planes, for example:

# %% tags=["nbval-check-output"]
flat, ramp = np.array([[1, 0], [0, 1], [0, 0]]), np.array([[1, 0], [0, 1], [0, 1]])  # (3, 2): tilted
angles = np.degrees(subspace_angles(flat, ramp))
print("angles in degrees:", angles.round(1))
assert np.allclose(angles, [45, 0], atol=1e-3), "one direction in common, the other tilted by 45 degrees"

# %% [markdown]
# ## Linear towers against truncated SVD
#
# First the SVD. Its strengths $\sigma_k$, the **singular values**, say how much of the table each direction carries.

# %%
left, sigma, right = np.linalg.svd(table, full_matrices=False)  # (n_users, n_items), (n_items,), (n_items, n_items)
svd_error = np.sqrt((sigma[RANK:] ** 2).sum() / table.size)  # RMSE of the truncated SVD
print("strengths", sigma[:10].round(1), f"\ntruncated after {RANK}: RMSE {svd_error:.3f} stars")
assert not default or sigma[4] > 1.2 * sigma[5], "there should be a gap after the fifth direction"

# %% [markdown]
# The gap after the fifth direction matters: where two strengths are equal, the subspace is not defined. But what comes
# after the gap is not all noise. A variant of **parallel analysis** (Horn, 1965) compares it with noise alone: take off
# the first five and **shuffle** the cells of what remains, which removes all structure. Pure noise would exceed all 20
# shuffles once in 21 times.

# %%
rest = table - (left[:, :RANK] * sigma[:RANK]) @ right[:RANK]  # (n_users, n_items)
rng = np.random.default_rng(1)
by_chance = [np.linalg.norm(rng.permutation(rest.ravel()).reshape(rest.shape), 2) for _ in range(20)]  # largest sigma
signal = full.pivot(index=USER_ID, columns=ITEM_ID, values=EXPECTED).to_numpy()  # (n_users, n_items) without noise
planted_sigma = np.linalg.svd(signal - signal.mean(), compute_uv=False)  # (n_items,)
print(
    f"strongest in 20 shuffles: {min(by_chance):.1f} to {max(by_chance):.1f}; {(sigma > max(by_chance)).sum()} directions above"
)
print("strengths planted:", planted_sigma[:9].round(1))
assert not default or (sigma > max(by_chance)).sum() == 8, "three weak ones should stand out"
assert not default or planted_sigma[7] > 4 * planted_sigma[8], "eight directions should be planted"

# %% [markdown]
# So eight directions stand out, three of them weak. Eight were planted: without the noise, the ninth is far weaker.
#
# Now the towers, as Keras layers: pairs in batches, a squared loss, Adam.

# %%
keras.utils.set_random_seed(1)
user_one_hot, item_one_hot = keras.Input((n_users,)), keras.Input((n_items,))
user_tower, item_tower = layers.Dense(RANK, use_bias=False), layers.Dense(RANK, use_bias=False)
product = layers.Dot(axes=1)([user_tower(user_one_hot), item_tower(item_one_hot)])  # (batch, 1)
linear = keras.Model([user_one_hot, item_one_hot], product)

user, item = np.divmod(np.arange(table.size), n_items)  # (n_pairs,) each: row and column of every cell
one_hots = [np.eye(n_users, dtype=np.float32)[user], np.eye(n_items, dtype=np.float32)[item]]
steps = table.size // 1_000
falling = keras.optimizers.schedules.CosineDecay(0.05, TABLE_EPOCHS * steps)
linear.compile(keras.optimizers.Adam(falling), loss="mse", steps_per_execution=steps, jit_compile=False)  # faster
history = linear.fit(one_hots, table.ravel(), batch_size=1_000, epochs=TABLE_EPOCHS, verbose=0).history

# %%
p, q = (weight.numpy() for weight in linear.weights)  # (n_users, RANK), (n_items, RANK)
tower_error = metrics.rmse(table, p @ q.T)
print(f"RMSE: towers {tower_error:.4f}, SVD {svd_error:.4f} stars")
assert not default or tower_error < 1.01 * svd_error, "linear towers should reach SVD's error within 1 %"

# %% [markdown]
# The errors agree. Did both find the same subspaces? Random subspaces show what unrelated looks
# like.


# %%
def angles_to_svd(found, known):
    return np.degrees(subspace_angles(found, known))[::-1]  # (RANK,) smallest first


rng = np.random.default_rng(1)
known = {"users": left[:, :RANK], "items": right[:RANK].T}
angles = {f"random, {side}": angles_to_svd(rng.normal(size=span.shape), span) for side, span in known.items()}
angles |= {"towers, users": angles_to_svd(p, known["users"]), "towers, items": angles_to_svd(q, known["items"])}
largest = [each.max() for each in angles.values()]  # random, random, towers, towers
assert not default or max(largest[2:]) < 3 < 70 < min(largest[:2]), "only the towers should span SVD's subspaces"
columns = ["subspace", *(f"angle {k + 1} (°)" for k in range(RANK))]
results_table(pd.DataFrame([(name, *row) for name, row in angles.items()], columns=columns), digits=2)

# %% [markdown]
# On a full table, with squared loss and no penalty, two linear towers on one-hot ids are a truncated SVD, found by
# gradient descent (one seed here). On the left, see the loss fall to SVD's. On the right, each dot is a user in one of
# two directions, and the dots lie on the diagonal. The towers' coordinates were mapped to SVD's by least squares.

# %%
known = left[:, :RANK] * sigma[:RANK]  # (n_users, RANK)
mapped = p @ np.linalg.lstsq(p, known, rcond=None)[0]  # (n_users, RANK)
figure, axes = plt.subplots(1, 2)
axes[0].plot(range(1, TABLE_EPOCHS + 1), np.sqrt(history["loss"]), color="C3")
axes[0].axhline(svd_error, color="C1", linestyle="--")
axes[0].set(title="Linear towers (dashed: truncated SVD)", xlabel="epoch", ylabel="RMSE (stars)")
for k, colour in enumerate(("C4", "C5")):
    axes[1].scatter(known[:, k], mapped[:, k], s=8, color=colour, label=f"direction {k + 1}")
axes[1].legend()
axes[1].set(title="Users, both ways", xlabel="coordinate by SVD (stars)", ylabel="by the towers, mapped (stars)")
plt.show()

# %% [markdown]
# ## From here to two towers
#
# SVD stops at the first empty cell. The towers do not: their loss sums over the pairs there are, as in the [matrix
# factorisation](../docs/glossary.md#matrix-factorisation) of Koren, Bell and Volinsky (2009). And a layer over a
# one-hot id takes any other input as well. So two steps lead to two towers:
#
# | rung | a tower's vector |
# |---|---|
# | linear, ids | $p_u$, a row looked up |
# | linear, features | $p_u + W x_u + c$ |
# | nonlinear, features | $p_u + W_2 \tanh(W_1 x_u + c_1) + c_2$ |
#
# We train all three on the planted world of Lesson 01. The column `expected` is a rating without its noise: no model sees it, but
# it tells us the floor.

# %% tags=["nbval-check-output"]
RUNGS = [*PENALTIES]
planted = load_synthetic("planted")
train, test = splits.split_random(planted.ratings)
fit, validation = splits.split_random(train)
print(f"{len(fit):,} ratings to fit, {len(validation):,} to choose by, {len(test):,} to test")
train.head(3)

# %% [markdown]
# Features become columns: categories one-hot, numbers with mean 0 and deviation 1. One row a user, one row an item.


# %%
def as_columns(frame, categories, numbers):
    flags = pd.get_dummies(frame[categories].astype("category"), dtype=np.float32)
    scaled = (frame[numbers] - frame[numbers].mean()) / frame[numbers].std()
    return flags.join(scaled).to_numpy(np.float32)  # (n_rows, n_columns)


user_features = as_columns(planted.users, ["region", "device"], ["age", "gender", "interactions"])
item_features = as_columns(planted.items, ["category", "subcategory", "brand"], ["price", "discount"])


def rows_of(pairs):
    sides = (planted.users[USER_ID], planted.items[ITEM_ID])
    return tuple(pd.Index(ids).get_indexer(pairs[ids.name]) for ids in sides)  # (n_pairs,) row numbers, of each side


# %% [markdown]
# As in Lesson 04, the vectors and biases of ids are
# [penalised](../docs/glossary.md#regularisation), so that an id with few ratings stays near zero.


# %%
class Tower(layers.Layer):
    def __init__(self, features, rung):
        super().__init__()
        self.features = keras.ops.convert_to_tensor(features)  # (n_rows, n_columns)
        self.vector = layers.Embedding(len(features), DIM)
        self.bias = layers.Embedding(len(features), 1, "zeros")
        self.hidden = layers.Dense(HIDDEN, "tanh") if rung == "nonlinear, features" else layers.Identity()
        self.of_features = None if rung == "linear, ids" else layers.Dense(DIM)

    def call(self, row):
        vector, bias = self.vector(row), self.bias(row)  # (batch, DIM), (batch, 1)
        if self.of_features is not None:
            vector = vector + self.of_features(self.hidden(keras.ops.take(self.features, row, axis=0)))
        return vector, bias


# %% [markdown]
# The model joins two of them: the dot product and both biases. The mean is added later.


# %%
class TwoTowers(keras.Model):
    def __init__(self, rung):
        super().__init__()
        self.user_tower, self.item_tower = Tower(user_features, rung), Tower(item_features, rung)

    def call(self, inputs):
        (user, user_bias), (item, item_bias) = self.user_tower(inputs[0]), self.item_tower(inputs[1])
        return (user_bias + item_bias)[:, 0] + keras.ops.sum(user * item, axis=1)  # (batch,) stars

    def penalty(self, strength):  # (2,): on vectors, on biases
        tables = [(tower.vector.embeddings, tower.bias.embeddings) for tower in (self.user_tower, self.item_tower)]
        return sum(strength[0] * tf.reduce_sum(v**2) + strength[1] * tf.reduce_sum(b**2) for v, b in tables)


# %% [markdown]
# We write an epoch out: TensorFlow's tape finds the gradients that Lesson 04 found by hand. `tf.function` makes one
# graph a rung, for all its trainings.


# %%
def make_trainer(model):
    adam = keras.optimizers.Adam(keras.optimizers.schedules.PolynomialDecay(RATE, EPOCHS * BATCHES, 0.0))
    adam.build(model.trainable_variables)
    rows, numbers = tf.TensorSpec([None, None], tf.int64), tf.TensorSpec([None, None], tf.float32)  # any batch size

    @tf.function(input_signature=[rows, rows, numbers, tf.TensorSpec([2])])
    def run_epoch(users, items, stars, strength):  # (BATCHES, batch size) each, and (2,)
        for step in tf.range(tf.shape(users)[0]):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((stars[step] - model([users[step], items[step]])) ** 2) + model.penalty(strength)
            adam.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)

    return adam, run_epoch


# %% [markdown]
# A training starts a rung afresh: new random weights, and an optimiser that remembers nothing.


# %%
def make_model(rung, seed):
    keras.utils.set_random_seed(seed)
    model = TwoTowers(rung)
    model([np.array([0]), np.array([0])])  # makes the weights
    return model


starts = {(rung, seed): make_model(rung, seed).get_weights() for rung in RUNGS for seed in SEEDS}
models = {rung: make_model(rung, SEEDS[0]) for rung in RUNGS}
trainers = {rung: make_trainer(model) for rung, model in models.items()}


# %% [markdown]
# Each tower runs once for each user or item; one matrix product then scores every pair.


# %%
def score_all(model, mean):
    user, user_bias = model.user_tower(np.arange(len(user_features)))
    item, item_bias = model.item_tower(np.arange(len(item_features)))
    return mean + (user_bias + tf.transpose(item_bias) + user @ tf.transpose(item)).numpy()  # (n_users, n_items) stars


# %%
def train_rung(rung, penalty, ratings, watch=None, seed=SEEDS[0]):
    model, mean, (adam, run_epoch) = models[rung], ratings[RATING].mean(), trainers[rung]
    model.set_weights(starts[rung, seed])
    for memory in adam.variables:  # what Adam remembers of the last training
        memory.assign(keras.ops.zeros_like(memory))
    user, item, stars = *rows_of(ratings), (ratings[RATING] - mean).to_numpy(np.float32)  # (n_pairs,) each
    curve = []  # validation RMSE after each epoch
    for epoch in range(EPOCHS):
        order = np.random.default_rng((seed, epoch)).permutation(len(ratings) // BATCHES * BATCHES).reshape(BATCHES, -1)
        run_epoch(user[order], item[order], stars[order], np.array([penalty, 20], np.float32) / len(ratings))
        curve += [] if watch is None else [metrics.rmse(watch[RATING], score_all(model, mean)[rows_of(watch)])]
    return curve


# %% [markdown]
# ## Train the ladder
#
# The penalty on the vectors of ids is chosen for each rung, on validation.

# %%
curves, sizes = {}, {}
for rung in RUNGS:
    for penalty in PENALTIES[rung]:
        curves[rung, penalty] = train_rung(rung, penalty, fit, validation)  # (EPOCHS,) stars
        sizes[rung, penalty] = np.sqrt(np.mean(models[rung].user_tower.vector.embeddings.numpy() ** 2))
tried = pd.Series({key: curve[-1] for key, curve in curves.items()}).unstack().loc[RUNGS]
chosen = tried.idxmin(axis=1)
results_table(tried.add_prefix("penalty ").rename_axis("validation RMSE").reset_index())

# %% [markdown]
# Ids alone want a weak penalty, with features a strong one is best. Here is how large the
# numbers in the users' vectors are.

# %%
print("root mean square:", {rung: f"{sizes[rung, chosen[rung]]:.4f}" for rung in RUNGS})
assert not default or sizes[RUNGS[2], 1_000] < 0.2 * sizes[RUNGS[0], 3], "at the top the vectors of ids should be small"
assert not default or 1 < chosen.iloc[0] < 100 <= chosen.iloc[1], "ids alone should want a weak penalty"

# %% [markdown]
# The curves of the chosen; the dashed line is the noise floor.

# %%
figure, axis = plt.subplots()
for rung, colour in zip(RUNGS, ("C3", "C5", "C0"), strict=True):
    curve = curves[rung, chosen[rung]]
    axis.plot(range(1, EPOCHS + 1), curve, color=colour)
    axis.annotate(rung, (EPOCHS, curve[-1]), (6, -3), textcoords="offset points", color=colour)
axis.axhline(metrics.rmse(validation[RATING], validation[EXPECTED]), color="C6", linestyle="--")
axis.set(title="Learning curves", xlabel="epoch", ylabel="validation RMSE (stars)", xticks=range(5, EPOCHS + 1, 5))
plt.show()

# %% [markdown]
# Now every rung trains on all training ratings, with three seeds.

# %%
scores = {rung: [] for rung in RUNGS}  # one matrix a seed
for rung in RUNGS:
    for seed in SEEDS:
        train_rung(rung, chosen[rung], train, seed=seed)
        scores[rung].append(score_all(models[rung], train[RATING].mean()))

# %% [markdown]
# ## Evaluate: the gap narrows at every rung
#
# Two tuned rivals join: SVD from Lesson 02, which knows ids alone, and the **boosted trees** of Lesson 04, decision
# trees on the same features. All choices are made, so we use the test.

# %%
rivals = baselines.load_rival_predictions("planted")  # (n_test,) each
predictions = {"mean": np.full(len(test), train[RATING].mean())}
predictions |= {name: rivals[name] for name in ("SVD", "boosted trees")}
predictions |= {rung: np.stack([matrix[rows_of(test)] for matrix in of_seeds]) for rung, of_seeds in scores.items()}
floor = metrics.rmse(test[RATING], test[EXPECTED])
against = comparison.compare_rmse(predictions, test, RATING, against="boosted trees")
results_table(against)

# %% [markdown]
# Then each step by itself: paired with the rung below, users resampled; and both linear rungs with SVD. Five intervals
# of 99 % hold together at 95 % or more.

# %%
rows = []
for lower, upper in [*zip(["mean", *RUNGS[:-1]], RUNGS, strict=True), *(("SVD", one) for one in RUNGS[:2])]:
    pair = {name: predictions[name] for name in (lower, upper)}
    step = comparison.compare_rmse(pair, test, RATING, against=lower, level=1 - 0.05 / 5).iloc[1]
    rows.append((upper, lower, step["mean"] - floor, *step[["difference", "low", "high", "verdict"]]))
columns = ["rung", "compared with", "gap left (stars)", "difference (stars)", "low", "high", "verdict"]
steps = pd.DataFrame(rows, columns=columns)
assert not default or [*steps["verdict"]] == ["better"] * 3 + ["worse", "better"], "SVD should beat one rung alone"
results_table(steps)

# %%
left_over = steps["gap left (stars)"][:3] / (against["mean"].iloc[0] - floor)
assert not default or left_over.iloc[-1] < 0.1, "the last rung should leave less than a tenth of the mean's gap"
assert not default or against[["low", "high"]].iloc[-1].abs().max() < 0.01, "the trees should be near"
print("share of the mean's gap that is left:", ", ".join(f"{share:.0%}" for share in left_over))
print("SVD's search chose", baselines.load_tuned("planted")["SVD"].settings)

# %% [markdown]
# Each step lowers the error. The lowest rung stays behind the tuned SVD, a model of its own class: it had three
# penalties and `EPOCHS` epochs, SVD the settings above. So the honest price of features is the last row, linear towers
# with features against SVD. All rungs share epochs and rate, so part of what the hidden layer adds may be the length of
# training. With tuned trees, the top rung differs by less than 0.01 stars.
#
# ## See what a hidden layer is for
#
# In this world the young like it cheap and the old like it expensive: what counts is how *near* age and price are, a
# ridge along the diagonal. A product of two straight lines in age and price can only be a saddle. So predict every
# pair, average over bands of age and price, and subtract the row and column means.

# %%
every_pair = generate_planted(n_ratings=len(planted.users) * len(planted.items)).ratings
expected = every_pair.pivot(index=USER_ID, columns=ITEM_ID, values=EXPECTED).to_numpy()  # (n_users, n_items)


def as_bands(values, n_bands=10):
    band = pd.qcut(values, n_bands, labels=False)
    return np.stack([(band == b) / (band == b).sum() for b in range(n_bands)])  # (n_bands, n_values)


ages, prices = as_bands(planted.users["age"]), as_bands(planted.items["price"])


def fit_of(matrix):
    surface = ages @ matrix @ prices.T  # (age bands, price bands)
    return surface - surface.mean(axis=0) - surface.mean(axis=1, keepdims=True) + surface.mean()


# %% [markdown]
# On the left is what was planted: a red ridge from corner to corner. The linear towers on features make a saddle of it,
# pale in the middle; the hidden layer comes nearest.

# %%
surfaces = {"planted": fit_of(expected)} | {rung: fit_of(scores[rung][0]) for rung in RUNGS}
limit = max(np.abs(surface).max() for surface in surfaces.values())  # stars: no colour is cut off
figure, axes = plt.subplots(1, 4, sharex=True, sharey=True, figsize=(7.2, 2.6))
for axis, (name, surface) in zip(axes, surfaces.items(), strict=True):
    image = axis.imshow(surface, origin="lower", vmin=-limit, vmax=limit, cmap="RdBu_r", extent=(0, 100, 0, 100))
    axis.set_title(name.replace(", ", ",\n"), fontsize=10)
    axis.set(xlabel="price (percentile)", xticks=[0, 50, 100], yticks=[0, 50, 100])
    axis.grid(False)
axes[0].set_ylabel("age (percentile)")
figure.colorbar(image, ax=axes, label="fit (stars)", shrink=0.8)
plt.show()

# %%
saddle = fit_of(np.outer(planted.users["age"], planted.items["price"]))  # (age bands, price bands): age times price
alike = np.corrcoef(saddle.ravel(), surfaces["linear, features"].ravel())[0, 1]
assert not default or alike > 0.99, "linear towers on features should make a product of age and price"
off = {rung: [metrics.rmse(surfaces["planted"], fit_of(each)) for each in scores[rung]] for rung in RUNGS}  # stars
assert not default or max(off[RUNGS[2]]) < 0.5 * min(off[RUNGS[1]]), "the hidden layer should be nearest by far"
distance = pd.DataFrame(off, index=SEEDS).T.add_prefix("seed ").rename_axis("distance to the planted surface (stars)")
results_table(distance.reset_index())

# %% [markdown]
# ## Recommend for one user
#
# The last rung recommends ten items that the user has not rated. `expected` is planted.

# %%
place = int(np.flatnonzero(planted.users[USER_ID] == SHOPPER)[0])
print(f"user {SHOPPER} is {planted.users['age'].iloc[place]} years old")
is_seen = np.zeros(expected.shape, dtype=bool)  # (n_users, n_items)
is_seen[rows_of(train)] = True
items = metrics.recommend(scores[RUNGS[2]][0], is_seen, 10)[place]  # (10,)
shown = planted.items.iloc[items][[TITLE, "price", "discount"]]
shown = shown.assign(predicted=scores[RUNGS[2]][0][place, items], expected=expected[place, items])
results_table(shown, digits=2)

# %% [markdown]
# ## In practice
#
# - **Do you need a tower at all?** For a table that is full, SVD is exact. Towers are worth it when cells
#   are missing, when features say something, or when a new item must be scored.
# - **The dot product is a bottleneck, on purpose.** However deep the towers, the table of all scores has a rank of at
#   most `DIM` + 2. That is what makes an [index](../docs/glossary.md#index) of item vectors possible.
#
# ## Check yourself
#
# 1. You train the linear towers twice with different seeds. Which of these agree: `p`, the predictions, the subspace?
#
# <details><summary>Answer</summary>
#
# The predictions and the subspace, if both reach SVD's error and there is a gap. `p` differs by an invertible matrix.
#
# </details>
#
# 2. The linear towers cannot have a smaller error than the truncated SVD. How can they win on a *test* part all the
#    same?
#
# <details><summary>Answer</summary>
#
# Eckart and Young speak of the cells that SVD was fitted to. Where some are hidden, SVD is fitted to what fills the
# holes, too; the towers' loss leaves them out.
#
# </details>
#
# 3. Why not shuffle the whole table to see how strong noise can be, but only what remains after five directions?
#
# <details><summary>Answer</summary>
#
# The whole table contains the signal. Shuffled, it looks like noise with the signal's size on top, and hides the weak
# directions.
#
# </details>
#
# ## Exercises
#
# 1. **Where there is no gap.** Set `RANK` to 9 in part one. Aim at an error within 1 % of SVD's, and a largest angle
#    above 30 degrees. Why do both hold?
# 2. **Shuffle the wrong table.** Without training: shuffle the whole table in place of what remains. Aim at fewer
#    directions than eight above chance. Repeat it ten times: is the count stable?
# 3. **Half a table.** Hide half of the full table from the linear towers. For the SVD, fill the holes with 0, then ten
#    times with what it predicts. Aim at the towers' error on the hidden half, within 1 %.
# 4. **Two directions.** Set `DIM` to 2, train the three rungs on `fit` and choose their penalties again. Aim at a top
#    rung at least 5 % above its validation error with `DIM` 8. Which rung suffers most?
#
# The [solutions](solutions/05_grow_from_svd_to_two_towers.ipynb) are executed notebooks, too.
#
# ## Takeaways
#
# - Two linear towers over one-hot ids reached truncated SVD's error within 1 %, and span the same subspaces: they are
#   matrix factorisation.
# - Eight directions of the table stand out of its noise, three more than the gap after five suggests.
# - Ids, then features, then a hidden layer: every rung was better than the one below. The last left less than a tenth
#   of the mean's gap to the floor. It came within 0.01 stars of tuned trees.
#
# ## Next
#
# [Lesson 06](06_predict_ratings.ipynb) takes these towers to real ratings of real movies. [Lesson
# 08](08_score_several_products.ipynb) gives the item tower five products and several right answers.
#
# **References**
# - Eckart and Young (1936). *The approximation of one matrix by another of lower rank.* Psychometrika 1.
# - Horn (1965). *A rationale and test for the number of factors in factor analysis.* Psychometrika 30.
# - Björck and Golub (1973). *Numerical methods for computing angles between linear subspaces.* Mathematics of
#   Computation 27.
# - Koren, Bell and Volinsky (2009). *Matrix factorization techniques for recommender systems.* Computer 42(8).
