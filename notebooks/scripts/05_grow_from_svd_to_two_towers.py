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
# watch each step close the gap to the noise floor.
#
# **What you'll learn**
# - why an embedding is a linear layer over a one-hot id, and two of them are matrix factorisation;
# - how to tell that two models found the same thing when their numbers differ: principal angles;
# - what features add to ids, and what a hidden layer adds to features.
#
# **What you'll need**: [Lesson 02](02_predict_ratings_with_classic_baselines.ipynb) for matrix factorisation,
# [Lesson 04](04_build_two_towers_from_scratch.ipynb) for what a tower is; you need not have run them. One minute; 1.3
# GB of memory.

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
from keras import layers
from scipy.linalg import subspace_angles

from recsys_utils import baselines, comparison, splits
from recsys_utils.columns import ITEM_ID, RATING, TITLE, USER_ID
from recsys_utils.datasets.synthetic import DEVICES, EXPECTED, REGIONS, generate_planted, load_synthetic
from recsys_utils.display import results_table
from recsys_utils.metrics import recommend, rmse

# %% [markdown]
# Sizes, epochs and candidates, part by part. Some claims below hold for these sizes; their asserts say so.

# %% tags=["parameters"]
SEED = 1
RANK, TABLE_EPOCHS = 5, 40  # part one: the table that is known in full
DIM, HIDDEN, BATCHES, EPOCHS = 8, 32, 75, 10  # part two: the ladder
PENALTIES = [3, 100]  # on the vectors of ids
SHOPPER = 34  # the user we recommend for

# %% [markdown]
# ## Data: a table that is known in full
#
# A **[singular value decomposition](../docs/glossary.md#svd)** (SVD) needs every cell of a table. So start with a
# planted world from
# [Lesson 01](01_generate_synthetic_data.ipynb), small enough that everybody can rate everything, and subtract the mean.

# %% tags=["nbval-check-output"]
n_users, n_items = 200, 100
full = generate_planted(n_users, n_items, n_users * n_items, seed=SEED).ratings
stars = full.pivot(index=USER_ID, columns=ITEM_ID, values=RATING)  # (n_users, n_items)
table = stars.to_numpy() - stars.to_numpy().mean()
print(table.shape, "known:", f"{np.isfinite(table).mean():.0%}")
stars.iloc[:3, :6]

# %% [markdown]
# ## The idea: two linear towers are a factorisation
#
# SVD writes the table as a sum of products, strongest first: $M = \sum_k \sigma_k\, a_k b_k^\top$. Stop after $K$ of
# them and you have the **truncated SVD**, and no other product of an $n \times K$ and a $K \times m$ matrix comes
# nearer to $M$ (Eckart and Young, 1936).
#
# Now take two towers, each one linear layer of $K$ outputs without a bias, over a one-hot id. A one-hot row picks one
# row of the layer's weights. So the user tower *is* a matrix $P$ with a row a user, the item tower a matrix $Q$, and all
# their [dot products](../docs/glossary.md#dot-product) are $P Q^\top$: a product of just those shapes.

# %% tags=["nbval-check-output"]
one_hot = np.array([[0.0, 1.0, 0.0]])  # the second of three users
weights = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])  # (users, K)
print("one-hot row times weights:", one_hot @ weights, " row looked up:", weights[[1]])
assert np.array_equal(one_hot @ weights, weights[[1]]), "an embedding is a linear layer over a one-hot id"

# %% [markdown]
# Which $P$ and $Q$? Many do. Turn both by the same rotation, or stretch one and shrink the other, and every product
# stays what it was. Here is a 2 × 2 table, factorised twice.

# %% tags=["nbval-check-output"]
p, q = np.array([[1.0, 1.0], [1.0, -1.0]]), np.array([[2.0, 1.0], [2.0, -1.0]])  # (users, K), (items, K)
change = np.array([[3.0, 1.0], [0.0, 2.0]])  # any invertible matrix
other_p, other_q = p @ change, q @ np.linalg.inv(change).T
print("one table:\n", p @ q.T, "\nanother P:\n", other_p, sep="")
assert np.allclose(other_p @ other_q.T, p @ q.T), "both pairs should give the same table"

# %% [markdown]
# So comparing numbers will not do. What all these $P$ share is the *subspace* that their columns span, and **principal
# angles** (Björck and Golub, 1973) measure how far two subspaces are apart: all zero if they are the same. Two planes,
# for example.

# %% tags=["nbval-check-output"]
flat, ramp = np.array([[1, 0], [0, 1], [0, 0]]), np.array([[1, 0], [0, 1], [0, 1]])  # (3, 2): tilted
angles = np.degrees(subspace_angles(flat, ramp))
print("angles in degrees:", angles.round(1))
assert np.allclose(angles, [45, 0], atol=1e-3), "one direction in common, the other tilted by 45 degrees"

# %% [markdown]
# ## Linear towers against truncated SVD
#
# First the SVD. Its strengths $\sigma_k$ say how much of the table each direction carries.

# %%
left, sigma, right = np.linalg.svd(table, full_matrices=False)
print("users", left.shape, "strengths", sigma.shape, "items", right.shape)
best_error = np.sqrt((sigma[RANK:] ** 2).sum() / table.size)  # RMSE of the truncated SVD
print("strengths", sigma[:8].round(1))
print(f"truncated after {RANK}: RMSE {best_error:.3f} stars")
assert RANK != 5 or sigma[4] > 1.2 * sigma[5], "there should be a gap after the fifth direction"

# %% [markdown]
# The gap after the fifth direction matters: where two strengths are equal, the subspace is not defined. Then come the
# towers, as Keras layers.

# %%
keras.utils.set_random_seed(SEED)
user_one_hot, item_one_hot = keras.Input((n_users,)), keras.Input((n_items,))
user_tower, item_tower = layers.Dense(RANK, use_bias=False), layers.Dense(RANK, use_bias=False)
product = layers.Dot(axes=1)([user_tower(user_one_hot), item_tower(item_one_hot)])  # (batch, 1)
linear = keras.Model([user_one_hot, item_one_hot], product)
print([tuple(weight.shape) for weight in linear.weights])

# %% [markdown]
# They are trained like any two-tower model: pairs in batches, a squared loss, Adam, steps that shrink to zero.

# %%
user, item = np.divmod(np.arange(table.size), n_items)  # (n_pairs,) each: row and column of every cell
one_hots = [np.eye(n_users, dtype=np.float32)[user], np.eye(n_items, dtype=np.float32)[item]]
steps = table.size // 1_000
falling = keras.optimizers.schedules.CosineDecay(0.05, TABLE_EPOCHS * steps)
linear.compile(keras.optimizers.Adam(falling), loss="mse", steps_per_execution=steps, jit_compile=False)
history = linear.fit(one_hots, table.ravel(), batch_size=1_000, epochs=TABLE_EPOCHS, verbose=0).history
p, q = (weight.numpy() for weight in linear.weights)  # (n_users, RANK), (n_items, RANK)
tower_error = rmse(table, p @ q.T)
print(f"RMSE: towers {tower_error:.4f}, SVD {best_error:.4f} stars")
assert tower_error < 1.01 * best_error, "linear towers should reach SVD's error within 1 %"
assert tower_error > best_error * (1 - 1e-3), "and nothing of this rank can be below it, but for rounding"

# %% [markdown]
# The same error, but is it the same thing? Measure the angles between what the towers span and what the SVD spans, for
# users and for items. Random subspaces of the same size come first, to know what unrelated looks like.


# %%
def angles_to_svd(found, known):
    return np.degrees(subspace_angles(found, known))[::-1]  # (RANK,) smallest first


rng = np.random.default_rng(SEED)
angles = {
    "random, users": angles_to_svd(rng.normal(size=p.shape), left[:, :RANK]),
    "random, items": angles_to_svd(rng.normal(size=q.shape), right[:RANK].T),
    "towers, users": angles_to_svd(p, left[:, :RANK]),
    "towers, items": angles_to_svd(q, right[:RANK].T),
}
columns = ["subspace", *(f"angle {k + 1} (°)" for k in range(RANK))]
results_table(pd.DataFrame([(name, *row) for name, row in angles.items()], columns=columns), digits=2)

# %% [markdown]
# Two linear towers on one-hot ids are a truncated SVD, found by gradient descent.

# %%
for side in ("users", "items"):
    assert RANK != 5 or angles[f"towers, {side}"].max() < 3, "the towers should span SVD's subspaces"
    assert angles[f"random, {side}"].max() > 80, "random numbers should not"

# %% [markdown]
# The curves show how it gets there. Left, the loss falls to SVD's and stops: there is nothing below. Right, every
# user's first two coordinates, brought as near to SVD's as a linear map can: they land on each other.

# %%
turned = p @ np.linalg.lstsq(p, left[:, :RANK] * sigma[:RANK], rcond=None)[0]  # (n_users, RANK)
figure, axes = plt.subplots(1, 2)
axes[0].plot(range(1, TABLE_EPOCHS + 1), np.sqrt(history["loss"]), label="linear towers")
axes[0].axhline(best_error, color="C6", linestyle="--", label="truncated SVD")
axes[0].set(title="Learning curve", xlabel="epoch", ylabel="RMSE (stars)")
axes[0].legend()
for k in (0, 1):
    axes[1].scatter(left[:, k] * sigma[k], turned[:, k], s=8, label=f"direction {k + 1}")
axes[1].axline((0, 0), slope=1, color="C6", linewidth=1)
axes[1].set(title="Users, both ways", xlabel="coordinate by SVD (stars)", ylabel="by the towers (stars)")
axes[1].legend()
plt.show()

# %% [markdown]
# ## From here to two towers
#
# SVD stops at the first empty cell. The towers do not: their loss sums over the pairs there are, as in the [matrix
# factorisation](../docs/glossary.md#matrix-factorisation) of Koren et al. (2009). And a layer over a one-hot id takes
# any other input as well. So two steps lead
# from matrix factorisation to two towers:
#
# | rung | a tower's vector |
# |---|---|
# | linear, ids | $p_u$, a row looked up |
# | linear, ids and features | $p_u + W x_u$ |
# | nonlinear, ids and features | $p_u + W_2 \tanh(W_1 x_u)$ |
#
# Climb it on the planted world of Lesson 01, with the split and the baselines of Lesson 02. The column `expected` is a
# rating without its noise: no model sees it, but it tells us the floor.

# %% tags=["nbval-check-output"]
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
print("users", user_features.shape, "items", item_features.shape)

# %% [markdown]
# One function makes the tower of any rung. As in Lesson 04, the vectors and biases of ids are penalised, so that an id
# with few ratings stays near zero. How strongly is set later.

# %%
strength = keras.Variable([0.0, 0.0], trainable=False)  # of the penalty on vectors, on biases


class Penalty(keras.Regularizer):
    def __init__(self, which):
        self.which = which

    def __call__(self, weights):
        return strength[self.which] * keras.ops.sum(weights**2)


def make_tower(features, rung):
    row, x = keras.Input((), dtype="int32"), keras.Input((features.shape[1],))
    vector = layers.Embedding(len(features), DIM, embeddings_regularizer=Penalty(0))(row)  # (batch, DIM)
    bias = layers.Embedding(len(features), 1, "zeros", embeddings_regularizer=Penalty(1))(row)  # (batch, 1)
    nonlinear = rung == "nonlinear, ids and features"
    hidden = layers.Dense(HIDDEN, "tanh")(x) if nonlinear else layers.Identity()(x)  # Keras 3.10 wants every input used
    if rung == "linear, ids":
        return keras.Model([row, x], [vector, bias])
    return keras.Model([row, x], [layers.Add()([vector, layers.Dense(DIM)(hidden)]), bias])


# %% [markdown]
# The model joins two of them: the dot product and both biases. Keeping the untrained state lets Keras compile it once.


# %%
def make_model(rung):
    keras.utils.set_random_seed(SEED)
    towers = [make_tower(features, rung) for features in (user_features, item_features)]
    (user, user_bias), (item, item_bias) = (tower(tower.inputs) for tower in towers)
    above_mean = layers.Add()([user_bias, item_bias, layers.Dot(axes=1)([user, item])])  # (batch, 1) stars
    model = keras.Model(towers[0].inputs + towers[1].inputs, above_mean)
    falling = keras.optimizers.schedules.PolynomialDecay(0.02, EPOCHS * BATCHES, 0.0)
    adam = keras.optimizers.Adam(falling)
    model.compile(adam, "mse", metrics=["mse"], steps_per_execution=BATCHES, jit_compile=False)
    adam.build(model.trainable_variables)
    untrained = [(variable, variable.numpy()) for variable in model.variables + adam.variables]
    return model, towers, untrained


# %% [markdown]
# The inputs of a pair are two row numbers and two rows of features.


# %%
def rows_of(pairs):
    user = pd.Index(planted.users[USER_ID]).get_indexer(pairs[USER_ID])  # (n_pairs,) row numbers
    item = pd.Index(planted.items[ITEM_ID]).get_indexer(pairs[ITEM_ID])
    return user, item


def inputs_of(pairs):
    user, item = rows_of(pairs)
    return [user, user_features[user], item, item_features[item]]


# %% [markdown]
# Training is the same for every rung. The error on a watched part is taken after each epoch.


# %%
def train_rung(rung, penalty, ratings, watch=None):
    model, _, untrained = models[rung]
    for variable, value in untrained:
        variable.assign(value)
    keras.utils.set_random_seed(SEED)
    strength.assign([penalty / len(ratings), 20 / len(ratings)])
    mean, batch = ratings[RATING].mean(), -(-len(ratings) // BATCHES)
    watched = (inputs_of(watch), watch[RATING] - mean) if watch is not None else None
    watching = {"validation_data": watched, "validation_batch_size": 10_000}
    history = model.fit(inputs_of(ratings), ratings[RATING] - mean, batch, EPOCHS, verbose=0, **watching)
    return history.history


# %% [markdown]
# ## Train the ladder
#
# How strongly to [penalise](../docs/glossary.md#regularisation) the vectors of ids is chosen for each rung, on the
# [validation part](../docs/glossary.md#validation).

# %%
RUNGS = ["linear, ids", "linear, ids and features", "nonlinear, ids and features"]
models, curves = {rung: make_model(rung) for rung in RUNGS}, {}
for rung in RUNGS:
    for penalty in PENALTIES:
        history = train_rung(rung, penalty, fit, validation)
        curves[rung, penalty] = np.sqrt(history["val_mse"])  # (EPOCHS,) stars
tried = pd.Series({key: curve[-1] for key, curve in curves.items()}).unstack().loc[RUNGS]
chosen = tried.idxmin(axis=1)
results_table(tried.add_prefix("penalty ").rename_axis("validation RMSE").reset_index())

# %% [markdown]
# Ids alone need their vectors free; with features there is little left for them to say. The curves of the chosen:
# features help from the first epoch, while the hidden layer needs some epochs to be of use.

# %%
figure, axis = plt.subplots()
for rung in RUNGS:
    axis.plot(range(1, EPOCHS + 1), curves[rung, chosen[rung]], marker="o", markersize=4, label=rung)
axis.axhline(rmse(validation[RATING], validation[EXPECTED]), color="C6", linestyle="--", label="noise floor")
axis.set(title="Learning curves", xlabel="epoch", ylabel="validation RMSE (stars)")
axis.legend()
plt.show()

# %% [markdown]
# Now train every rung on all training ratings. A tower runs once for each user, or once for each item; one matrix
# product then scores every pair there is.


# %%
def score_all(towers):
    sides = zip(towers, (user_features, item_features), strict=True)
    outputs = [tower([np.arange(len(features)), features]) for tower, features in sides]
    (user, user_bias), (item, item_bias) = [[part.numpy() for part in output] for output in outputs]
    return train[RATING].mean() + user_bias + item_bias.T + user @ item.T  # (n_users, n_items) stars


scores = {}
for rung in RUNGS:
    train_rung(rung, chosen[rung], train)
    scores[rung] = score_all(models[rung][1])
scores[RUNGS[0]].shape

# %% [markdown]
# ## Evaluate: the gap closes at every rung
#
# The same test as in Lesson 02, the mean first, and two of its models: matrix factorisation, and the best of the
# neighbours. The last column is the share of the findable signal that a model found: 0 % for the mean, 100 % at the
# floor.

# %%
from surprise import SVD, KNNBaseline

predictions = {"mean": np.full(len(test), train[RATING].mean())}  # each (n_test,)
predictions["SVD (Surprise)"] = baselines.predict_with_surprise(SVD(random_state=SEED), train, test)
neighbours = KNNBaseline(sim_options={"name": "pearson_baseline", "user_based": False})
predictions["item CF, deviations"] = baselines.predict_with_surprise(neighbours, train, test)
predictions |= {f"towers: {rung}": matrix[rows_of(test)] for rung, matrix in scores.items()}
predictions["oracle: the noise floor"] = test[EXPECTED].to_numpy()
error = {model: rmse(test[RATING], predicted) for model, predicted in predictions.items()}
floor = error["oracle: the noise floor"]

# %% [markdown]
# Each RMSE comes with a 95 % interval over test ratings.

# %%
rows = []
for model, predicted in predictions.items():
    low, high = np.sqrt(comparison.bootstrap_interval((test[RATING] - predicted) ** 2, resamples=300))
    found = (error["mean"] ** 2 - error[model] ** 2) / (error["mean"] ** 2 - floor**2)
    above = error[model] / floor - 1
    rows.append((model, error[model], f"{low:.3f} – {high:.3f}", f"{above:.0%}", f"{found:.0%}"))
columns = ["model", "RMSE", "95 % interval", "above the floor", "signal found"]
results_table(pd.DataFrame(rows, columns=columns))

# %% [markdown]
# Linear towers on ids are matrix factorisation, and with a penalty chosen for them a good one. Features say at once what
# an id can only learn from many ratings. The hidden layer takes the last step. To be sure of each step, compare squared
# errors pair by pair: the mean of the differences is what the step takes off the gap to the floor.

# %%
ladder = ["mean", *(f"towers: {rung}" for rung in RUNGS)]
rows = [("mean", error["mean"] ** 2 - floor**2, "–")]
for step, upper in enumerate(ladder[1:]):
    lower = ladder[step]
    gain = (test[RATING] - predictions[lower]) ** 2 - (test[RATING] - predictions[upper]) ** 2
    low, high = comparison.bootstrap_interval(gain, resamples=300)
    rows.append((upper, error[upper] ** 2 - floor**2, f"{low:.3f} – {high:.3f}"))
    assert DIM != 8 or low > 0, f"{upper} should close the gap further than {lower}"
results_table(pd.DataFrame(rows, columns=["rung", "gap (stars²)", "closed by this step, 95 % interval"]))

# %% [markdown]
# Every step counts, and the top of the ladder is near the floor.

# %%
best_classic = min(error["SVD (Surprise)"], error["item CF, deviations"])
assert DIM != 8 or error[ladder[1]] < 1.02 * best_classic, "linear towers on ids should be no worse than the classics"
assert DIM != 8 or error[ladder[2]] < 0.95 * best_classic, "features should beat them clearly"
assert DIM != 8 or error[ladder[3]] < 1.1 * floor, "the last rung should come near the floor"

# %% [markdown]
# ## See what a hidden layer is for
#
# In this world the young like it cheap and the old like it dear: what counts is how *near* age and price are, a ridge
# along the diagonal. A product of two straight lines in age and price can only be a saddle. So ask every pair, average
# the predictions over bands of age and price, and take away what is due to age alone or price alone.

# %%
every_pair = generate_planted(n_ratings=len(planted.users) * len(planted.items)).ratings
expected = every_pair.pivot(index=USER_ID, columns=ITEM_ID, values=EXPECTED).to_numpy()  # (n_users, n_items)


def as_bands(values, n_bands=10):
    band = pd.qcut(values, n_bands, labels=False)
    return np.stack([(band == b) / (band == b).sum() for b in range(n_bands)])  # (n_bands, n_values)


ages, prices = as_bands(planted.users["age"]), as_bands(planted.items["price"])
surfaces = {}
for name, matrix in {"planted": expected, **scores}.items():
    surface = ages @ matrix @ prices.T  # (age bands, price bands)
    surfaces[name] = surface - surface.mean(axis=0) - surface.mean(axis=1, keepdims=True) + surface.mean()

# %% [markdown]
# Left, what was planted: a band of red from corner to corner. Ids alone see it faintly. Linear towers on features bend it
# into a saddle, too strong in the corners and pale in the middle. The hidden layer comes nearest.

# %%
figure, axes = plt.subplots(1, 4, sharex=True, sharey=True, figsize=(7.2, 2.7))
for axis, (name, surface) in zip(axes, surfaces.items(), strict=True):
    image = axis.imshow(surface, origin="lower", vmin=-0.6, vmax=0.6, cmap="RdBu_r")
    axis.set(title=name.replace(", ids and", ",\nids and"), xlabel="price, by tenths", xticks=[], yticks=[])
    axis.grid(False)
axes[0].set_ylabel("age, by tenths")
figure.colorbar(image, ax=axes, label="fit (stars)", shrink=0.8)
plt.show()

# %% [markdown]
# As a number: how far each surface lies from the planted one.

# %%
off = {name: rmse(surfaces["planted"], surfaces[name]) for name in RUNGS}
assert DIM != 8 or off[RUNGS[2]] < 0.75 * min(off[RUNGS[0]], off[RUNGS[1]]), "the hidden layer should be nearest"
results_table(pd.DataFrame({"model": off.keys(), "distance to the planted surface (stars)": off.values()}))

# %% [markdown]
# ## Recommend for one user
#
# The last rung recommends for a young user; items they have rated are left out. The last column is what was planted.

# %%
place = int(np.flatnonzero(planted.users[USER_ID] == SHOPPER)[0])
user = planted.users.iloc[place]
print(f"user {SHOPPER}: {user['age']} years, {REGIONS[user['region']]}, {DEVICES[user['device']]}")
is_seen = np.zeros(expected.shape, dtype=bool)  # (n_users, n_items)
is_seen[rows_of(train)] = True
known = {**scores, "oracle": expected}
best = {name: recommend(matrix, is_seen, 10) for name, matrix in known.items()}
items = best[RUNGS[2]][place]  # (10,) columns of the (n_users, 10) in `best`
shown = planted.items.iloc[items][[TITLE, "price", "discount"]]
shown = shown.assign(predicted=scores[RUNGS[2]][place, items], expected=expected[place, items])
results_table(shown, digits=2)

# %% [markdown]
# Are the upper rungs worth more? Take the ten that each recommends and look up what was planted. One user's ten may go
# either way; over all users features are worth more than ids, and nothing beats the oracle.

# %%
worth = {name: np.take_along_axis(expected, columns, axis=1).mean(axis=1) for name, columns in best.items()}
everybody = [stars.mean() for stars in worth.values()]  # from the lowest rung to the oracle
assert DIM != 8 or everybody[0] < min(everybody[1:3]) < everybody[3], "features should recommend better than ids alone"
rows = [(name, stars[place], stars.mean()) for name, stars in worth.items()]
columns = ["model", f"expected stars, user {SHOPPER}", "expected stars, all users"]
results_table(pd.DataFrame(rows, columns=columns), digits=2)

# %% [markdown]
# ## In practice
#
# - **Do you need a tower at all?** For a table that is full, SVD is exact and faster. Towers earn their keep when cells
#   are missing, when features say something, or when a new item must be scored.
# - **One layer may do.** Linear towers with features found most of the signal here. Measure what the hidden layer adds
#   before you pay for it.
# - **The dot product is a bottleneck, on purpose.** However deep the towers, the table of all scores has at most DIM + 2
#   directions. That is what makes an [index](../docs/glossary.md#index) possible, and a ridge needs a few of them.
#
# ## Exercises
#
# 1. Set `RANK` to 6. What happens to the angles, and why so little to the error?
# 2. Hide half of the full table from the linear towers and fill the holes with 0 for the SVD. Which of the two predicts
#    the hidden half better, and why?
# 3. Give the nonlinear rung a second hidden layer. Does it come nearer to the floor than the interval is wide?
# 4. Set `DIM` to 2. Which of the planted effects can still be told, and which rung suffers most?
#
# ## Takeaways
#
# - Two linear towers over one-hot ids reached truncated SVD's error within 1 %, and span the same subspaces: they are
#   matrix factorisation.
# - Ids, then features, then a hidden layer: every rung closed more of the gap to the floor than chance explains, and the
#   hidden layer came nearest to the ridge of age and price.
#
# ## Next
#
# [Lesson 06](06_predict_ratings.ipynb) takes these towers to real ratings of real movies.
# [Lesson 08](08_score_several_products.ipynb) gives the item tower five products and several right answers.
#
# **References**
# - Eckart and Young (1936). *The approximation of one matrix by another of lower rank.* Psychometrika 1.
# - Björck and Golub (1973). *Numerical methods for computing angles between linear subspaces.* Mathematics of
#   Computation 27.
# - Koren, Bell and Volinsky (2009). *Matrix factorization techniques for recommender systems.* Computer 42(8).
