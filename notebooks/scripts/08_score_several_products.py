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
# # Score several products with a sigmoid each, not a softmax
#
# [![Open in Colab](images/open-in-colab.svg)](https://colab.research.google.com/github/two-towers-course/two-towers/blob/main/notebooks/08_score_several_products.ipynb) [![Launch Binder](images/launch-binder.svg)](https://mybinder.org/v2/gh/two-towers-course/two-towers/main?urlpath=lab/tree/notebooks/08_score_several_products.ipynb)
#
# **What you'll do**: train two towers that give each of five products a chance that a user buys it, and come close to
# the best that is possible.
#
# **What you'll learn**
# - how to predict several yes-or-no answers at once: a sigmoid for each, and binary cross-entropy;
# - how to judge them: AUC by product, precision@k by user, and the loss for the chances themselves;
# - what a softmax gets right when several answers are right, when, and what it gets wrong;
# - how to notice that a model does not see its input.
#
# **What you'll need**: [Lesson 04](04_build_two_towers_from_scratch.ipynb) and
# [Lesson 05](05_grow_from_svd_to_two_towers.ipynb); one minute and 1.0 GB of memory.

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
# The towers are written in Keras 3.

# %%
from recsys_utils.setup import set_up

set_up(keras=3)
import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import tensorflow as tf
from keras import layers
from sklearn import linear_model, metrics, preprocessing

from recsys_utils.comparison import compare
from recsys_utils.diagram import Tower, draw_two_towers
from recsys_utils.display import results_table
from recsys_utils.metrics import auc_parts, top_k

# %% [markdown]
# The sizes, and whom we recommend for.

# %% tags=["parameters"]
SEEDS = (1, 2, 3)  # each tower model is trained once with each
N_USERS = 5_000
HIDDEN, DIM = 32, 4  # units of the user tower's hidden layer (0: none), length of the vectors
EPOCHS = 50  # at most; training stops earlier where validation loss does
SHOPPER = 7  # a row of the test

# %%
default = (SEEDS, N_USERS, HIDDEN, DIM, EPOCHS) == ((1, 2, 3), 5_000, 32, 4, 50)  # some claims hold only then

# %% [markdown]
# ## The model of this lesson
#
# A **tower** turns one side of a pair into a vector. The score of a user and a product is the
# [dot product](../docs/glossary.md#dot-product) of their vectors, plus a number that says how well the product sells.

# %%
PRODUCTS = ["coffee", "novel", "lamp", "tent", "guitar"]
user_side = Tower("user tower", {"numbers about the user": 10}, [f"Dense {HIDDEN}, tanh", f"Dense {DIM}"])
product_side = Tower("product tower", {"product": len(PRODUCTS)}, [f"look-up of {DIM} numbers"])
draw_two_towers(user_side, product_side, "dot product + product's bias", "binary cross-entropy")

# %% [markdown]
# ## Data: five products, several right answers
#
# Which of five products does a user buy? Several answers can be right at once, or none. The data is made, so we know
# the chance of every purchase. Ten numbers between 0 and 1 describe a user. Each of two tastes is a weighted
# sum of them, squashed by `tanh`. Four products suit one or both. The tent suits users whose tastes point the same way.

# %% tags=["nbval-check-output"]
rng = np.random.default_rng(1)
users = rng.random((N_USERS, 10)).astype(np.float32)  # (n_users, 10)
tastes = np.tanh(4 * (users - 0.5) @ rng.normal(size=(10, 2)))  # (n_users, 2)
suits = np.array([[3, 0], [-3, 1.5], [0, 3], [0, 0], [1.5, -3]])  # (products, 2)
logits = tastes @ suits.T + [1.0, 0.0, -0.5, 0.0, -1.5]  # (n_users, products)
logits[:, PRODUCTS.index("tent")] += 3 * tastes[:, 0] * tastes[:, 1]
chance = 1 / (1 + np.exp(-logits))  # (n_users, products)
bought = (rng.random(chance.shape) < chance).astype(np.float32)  # (n_users, products) of 0 and 1
pd.DataFrame(bought[:3], columns=PRODUCTS, dtype=int)

# %% [markdown]
# We fit on 64 % of the users, make every choice on 16 % (the [validation](../docs/glossary.md#validation) part), and
# read the test, the last 20 %, once. The share of buyers is the **prior**: the best chance that is the same
# for everybody.

# %%
fit, validation, test = np.split(np.arange(N_USERS), [N_USERS * 16 // 25, N_USERS * 4 // 5])
prior = bought[fit].mean(axis=0)  # (products,)
print("buyers:", ", ".join(f"{name} {share:.0%}" for name, share in zip(PRODUCTS, prior, strict=True)))
print("users by number of products:", np.bincount(bought[fit].sum(axis=1).astype(int)))
assert (bought.sum(axis=1) > 1).mean() > 0.5, "for most users several answers should be right"

# %% [markdown]
# ## The idea: five questions, or one question with five answers
#
# A model gives each product a number, the **[logit](../docs/glossary.md#logit)** $z_j$. There are two ways to make
# chances of them:
#
# $$\text{sigmoid: } p_j = \frac{1}{1 + e^{-z_j}} \qquad \text{softmax: } p_j = \frac{e^{z_j}}{\sum_k e^{z_k}}$$
#
# A **[sigmoid](../docs/glossary.md#sigmoid)** looks at one product alone, so the chances can add up to anything. A
# **[softmax](../docs/glossary.md#softmax)** (Bridle, 1990) divides 1 among all of them: it answers "which one?". Take
# two products, both right, with equal and growing logits.

# %% tags=["nbval-check-output"]
for logit in (0.0, 2.0, 4.0):
    z = np.array([logit, logit])  # (products,)
    sigmoid, softmax = 1 / (1 + np.exp(-z)), np.exp(z) / np.exp(z).sum()
    print(f"logits {z}: sigmoid {sigmoid.round(2)}, softmax {softmax.round(2)}")
assert sigmoid.min() > 0.95, "with sigmoids both can be near certain"
assert np.allclose(softmax, 0.5), "with a softmax two equal products can never have more than a half each"

# %% [markdown]
# The loss follows. **[Binary cross-entropy](../docs/glossary.md#binary-cross-entropy)** asks one question a product and
# averages the answers: $-\log p_j$ for a product that is bought, $-\log(1 - p_j)$ for one that is not. Here it is for
# one user and two products, of which the first is bought.

# %% tags=["nbval-check-output"]
z, y = np.array([[2.0, -1.0]]), np.array([[1.0, 0.0]])  # (users, products) each
p = 1 / (1 + np.exp(-z))
by_hand = -np.where(y == 1, np.log(p), np.log(1 - p)).mean(axis=1)  # (users,)
print(f"chances {p.round(2)}, loss by hand {by_hand[0]:.3f}")
assert np.allclose(keras.losses.binary_crossentropy(y, z, from_logits=True), by_hand, atol=1e-5)

# %% [markdown]
# ## The model: a user tower and a product tower
#
# The **user tower** has a hidden layer. The **product tower** is a `Dense` layer: its weights are the product vectors,
# its biases say what sells. The last step is a sigmoid, or a softmax to compare with.


# %%
def make_towers(last_step):
    numbers = keras.Input((10,))
    hidden = layers.Rescaling(2, offset=-1)(numbers)  # (batch, 10), from [0, 1] to [-1, 1]
    if HIDDEN:
        hidden = layers.Dense(HIDDEN, "tanh")(hidden)  # (batch, hidden)
    user_vector = layers.Dense(DIM)(hidden)  # (batch, dim)
    product_tower = layers.Dense(len(PRODUCTS), last_step)  # weights (dim, products): a vector a product
    return keras.Model(numbers, product_tower(user_vector))


# %% [markdown]
# ## Train
#
# A softmax wants targets that add up to 1, so each product that a user bought gets an equal share, and users who bought
# nothing are left out. Training stops when four epochs have not lowered the validation loss by 0.001, and the best
# epoch's weights come back ([early stopping](../docs/glossary.md#early-stopping)).


# %%
compiled = {}  # compiling takes seconds, so each of the two is compiled once, and serves all seeds and rates
for step, loss in (("sigmoid", "binary_crossentropy"), ("softmax", "categorical_crossentropy")):
    compiled[step] = make_towers(step)
    compiled[step].compile("adam", loss, steps_per_execution=25, jit_compile=False)


def start_again(model, weights, rate):
    model.set_weights(weights)
    for state in model.optimizer.variables:  # forget the training before
        state.assign(keras.ops.zeros_like(state))
    model.optimizer.learning_rate = rate


# %%
def train(step, rate, seed):
    keras.utils.set_random_seed(seed)
    fresh, model, targets, learn, watch = make_towers(step), compiled[step], bought, fit, validation
    if step == "softmax":
        targets = bought / np.maximum(bought.sum(axis=1, keepdims=True), 1)
        learn, watch = (rows[bought[rows].any(axis=1)] for rows in (fit, validation))
    start_again(model, fresh.get_weights(), rate)
    stop = keras.callbacks.EarlyStopping(patience=4, min_delta=1e-3, restore_best_weights=True)
    options = {"validation_data": (users[watch], targets[watch]), "callbacks": [stop], "verbose": 0}
    history = model.fit(users[learn], targets[learn], 128, EPOCHS, **options).history
    fresh.set_weights(model.get_weights())
    return fresh, history


# %% [markdown]
# Each model gets the learning rate with the lowest validation loss of one seed; the rest is fixed in advance. See that
# the best rates lie inside the grid. The two losses are different quantities.

# %%
RATES = (0.003, 0.01, 0.03)
trained = {(step, rate): train(step, rate, SEEDS[0]) for step in compiled for rate in RATES}
lowest = pd.DataFrame({step: {rate: min(trained[step, rate][1]["val_loss"]) for rate in RATES} for step in compiled})
rate_of, inside = lowest.idxmin(), lowest.loc[RATES[1] : RATES[-2]].min()
assert not default or (inside < lowest.min() + 0.005).all(), "no rate beyond the grid should be needed"
runs = {step: [trained[step, rate]] + [train(step, rate, one) for one in SEEDS[1:]] for step, rate in rate_of.items()}
results_table(lowest.T.rename_axis("last step").add_prefix("rate ").reset_index())

# %% [markdown]
# See that the validation loss falls in two steps, and ends flat.

# %%
figure, axes = plt.subplots()
for place, (_, curve) in enumerate(runs["sigmoid"]):
    epochs = range(1, len(curve["loss"]) + 1)
    axes.plot(epochs, curve["loss"], "--", linewidth=1, color="C0", label=None if place else "training")
    axes.plot(epochs, curve["val_loss"], color="C0", label=None if place else "validation")
axes.set(xlabel="epoch", ylabel="binary cross-entropy", title="Sigmoid towers, three seeds")
axes.legend()
assert not default or all(len(curve["loss"]) < EPOCHS for _, curve in runs["sigmoid"]), "training should stop by itself"

# %% [markdown]
# ## Evaluate: label by label, user by user
#
# Two rivals see the same ten numbers. **Logistic regression** is a weighted sum and a sigmoid for each product. The
# **quadratic** one also gets all squares and products of two numbers.

# %%
RIVAL = "quadratic logistic"
seen = {"logistic regression": 2 * users - 1}  # (n_users, 10), from -1 to 1
seen[RIVAL] = preprocessing.PolynomialFeatures(2, include_bias=False).fit_transform(2 * users - 1)  # (n_users, 65)


def logistic(columns, c, rows):
    regression = linear_model.LogisticRegression(C=c, max_iter=1_000)
    answers = [regression.fit(columns[fit], one).predict_proba(columns[rows])[:, 1] for one in bought[fit].T]
    return np.stack(answers, axis=1)  # (n_rows, products)


# %% [markdown]
# Both penalties are chosen on the validation part, by the loss. A large C is hardly any penalty, a natural end of the
# grid.


# %%
def cross_entropy(chances, rows):
    chances = np.clip(chances, 1e-6, 1 - 1e-6)  # (..., n_rows, products)
    return -np.where(bought[rows] == 1, np.log(chances), np.log(1 - chances))  # (..., n_rows, products)


tried = {
    name: {c: cross_entropy(logistic(columns, c, validation), validation).mean() for c in (0.01, 0.1, 1, 10, 100)}
    for name, columns in seen.items()
}
results_table(pd.DataFrame(tried).T.rename_axis("rival").add_prefix("C = ").reset_index(), digits=4)

# %% [markdown]
# Now the test, once. The oracle knows each planted chance and not the outcome. First we go product by product: how
# often does a buyer get a higher chance than somebody who did not buy? That is the **[AUC](../docs/glossary.md#auc)**
# (Hanley and McNeil, 1982); a coin gets 0.5. For the towers it is the mean of three seeds, and `spread` is the largest
# range over seeds among the row's products. On so few users luck can pass the oracle.

# %%
chances = {"prior": np.tile(prior, (1, len(test), 1))}
for name, columns in seen.items():
    chances[name] = logistic(columns, min(tried[name], key=tried[name].get), test)[None]
for step, models in runs.items():
    chances[f"{step} towers"] = np.stack([np.asarray(model(users[test])) for model, _ in models])  # (n_seeds, n, 5)
chances["oracle"] = chance[test][None]
auc = {}  # (n_seeds, products) each
for name, scores in chances.items():
    auc[name] = np.stack([metrics.roc_auc_score(bought[test], score, average=None) for score in scores])
rows = [(name, *values.mean(axis=0), np.ptp(values, axis=0).max()) for name, values in auc.items()]
results_table(pd.DataFrame(rows, columns=["AUC", *PRODUCTS, "spread"]))

# %% [markdown]
# For four products a weighted sum does well. For the tent it is little better than a coin. A hidden layer finds its
# product of two tastes, and so do products of inputs. The towers come close to the oracle.

# %%
tent = PRODUCTS.index("tent")
enough = auc["logistic regression"][0, tent] + 0.2
assert not default or min(auc["sigmoid towers"][:, tent].min(), auc[RIVAL][0, tent]) > enough
assert not default or np.abs(auc["sigmoid towers"] - auc["oracle"]).max() < 0.05, "near the oracle"

# %% [markdown]
# Then user by user: which share of the k products that we offer do they buy? That is
# **[precision@k](../docs/glossary.md#precision)**. Differences are to the quadratic regression, the stronger rival,
# with [Holm-corrected](../docs/glossary.md#holm-correction) intervals by a
# [paired bootstrap](../docs/glossary.md#paired-bootstrap) over users and seeds.

# %%
precision = {}  # (n_seeds, n_test) each
for name, scores in chances.items():
    offered = [top_k(score, 2) for score in scores]  # (n_test, 2) each
    precision[name] = np.stack([np.take_along_axis(bought[test], items, axis=1).mean(axis=1) for items in offered])
by_precision = compare(precision, against=RIVAL).set_index("model")
results_table(by_precision.reset_index().rename(columns={"mean": "precision@2"}))

# %% [markdown]
# Last: is a chance what it says? The loss answers it (lower is better), and so does the number of products that a model
# expects a user to buy.

# %%
losses = {name: cross_entropy(scores, test).mean(axis=-1) for name, scores in chances.items()}
by_loss = compare(losses, against=RIVAL, lower_is_better=True).set_index("model")
by_loss["expected products"] = [scores.sum(axis=-1).mean() for scores in chances.values()]
print(f"products a user bought: {bought[test].sum(axis=1).mean():.2f}")
results_table(by_loss.reset_index().rename(columns={"mean": "loss"}))

# %% [markdown]
# In precision the data cannot even tell the oracle from the quadratic regression: it has no power here.
# In loss the sigmoid towers are better, the softmax towers worse: they expect every user to buy one product.

# %%
verdicts = pd.DataFrame({"precision": by_precision["verdict"], "loss": by_loss["verdict"]})
assert not default or (verdicts.loc["prior"] == "worse").all()
assert not default or (verdicts["precision"][["sigmoid towers", "softmax towers", "oracle"]] == "cannot tell").all()
assert not default or [*verdicts["loss"][["sigmoid towers", "softmax towers"]]] == ["better", "worse"]
assert np.isclose(by_loss["expected products"]["softmax towers"], 1), "a softmax should expect one product"

# %% [markdown]
# How much lower is the sigmoid towers' loss than the plain regression's, by product?

# %%
gain = cross_entropy(chances["logistic regression"], test) - cross_entropy(chances["sigmoid towers"], test)
of_product = {"no gain": np.zeros(len(test))} | dict(zip(PRODUCTS, np.moveaxis(gain, 2, 0), strict=True))
of_product["tent less the rest"] = 2 * gain[:, :, tent] - gain.sum(axis=2)
gains = compare(of_product, against="no gain").set_index("model").drop("no gain")
gains["share"] = gains["mean"][PRODUCTS] / gains["mean"][PRODUCTS].sum()
assert not default or ((gains["verdict"][PRODUCTS] == "better").all() and gains["share"]["tent"] > 0.5)
results_table(gains[["mean", "low", "high", "verdict", "share"]].rename_axis("product").reset_index())

# %% [markdown]
# More than half comes from the tent, though the last row starts near zero. The others gain, too: `tanh` bends their
# tastes.
#
# ## Sigmoid against softmax
#
# A difference above zero speaks for the sigmoid.

# %%
measured = {}
for name in ("softmax towers", "sigmoid towers"):
    each = zip(PRODUCTS, np.moveaxis(chances[name], 2, 0), bought[test].T, strict=True)
    parts = {f"AUC, {item}": np.stack([auc_parts(one, answer) for one in scores]) for item, scores, answer in each}
    measured[name] = parts | {"precision@2": precision[name], "loss, negative": -losses[name]}
softmax, sigmoid = measured.values()  # (n_seeds, n_test) a measure
gaps = {measure: sigmoid[measure] - softmax[measure] for measure in softmax}
direct = compare({"none": np.zeros(len(test))} | gaps, against="none").set_index("model").drop("none")
for place, (name, parts) in enumerate(measured.items()):
    direct.insert(place, name, [values.mean() for values in parts.values()])
results_table(direct.drop(columns=["mean", "seed_spread"]).rename_axis("measure").reset_index(), digits=4)

# %% [markdown]
# The loss differs by far, the order hardly. Our targets are equal shares, so the best answer is each product's
# expected **share** of a user's purchases. We compute it from the planted chances, over all 31 baskets.

# %%
baskets = np.array([*np.ndindex(2, 2, 2, 2, 2)][1:])  # (31, products), without the empty one
likely = np.where(baskets, chance[test][:, None], 1 - chance[test][:, None]).prod(axis=2)  # (n_test, 31)
likely /= likely.sum(axis=1, keepdims=True)
best_share = likely @ (baskets / baskets.sum(axis=1, keepdims=True))  # (n_test, products)
same_order = (best_share.argsort(axis=1) == chance[test].argsort(axis=1)).all(axis=1).mean()
print(f"the shares have the order of the chances for {same_order:.0%} of the users")
assert same_order > 0.99, "without bundles, shares should keep the order of the chances"
assert not default or direct["verdict"]["loss, negative"] == "better", "the sigmoid's chances should be better"
assert not default or direct["difference"].drop("loss, negative").abs().max() < 0.06, "the order should differ little"

# %% [markdown]
# Given the ten numbers, purchases here do not depend on one another. With **bundles**, equal shares can turn the order
# round. Say that four users in ten buy coffee alone, six novel and lamp together. With a row a purchase instead, as
# most retrieval losses have it, the best answer is the chance divided by the expected number of products.

# %% tags=["nbval-check-output"]
baskets_sold, how_often = np.array([[1, 0, 0], [0, 1, 1]]), np.array([0.4, 0.6])  # (baskets, products), (baskets,)
bundled, shares = how_often @ baskets_sold, how_often @ (baskets_sold / baskets_sold.sum(axis=1, keepdims=True))
print(f"chances {bundled}, equal shares {shares}, a row a purchase {bundled / bundled.sum()}")
assert bundled.argmin() == shares.argmax() == 0, "equal shares should turn the order round"

# %% [markdown]
# ## Recommend for one user
#
# One user's products, the likeliest first, with the planted chance and what happened.

# %%
predicted = chances["sigmoid towers"][0]  # (n_test, products)
offer = pd.DataFrame({"product": PRODUCTS, "predicted": predicted[SHOPPER], "planted": chance[test][SHOPPER]})
offer["bought"] = np.where(bought[test][SHOPPER] == 1, "yes", "no")
results_table(offer.sort_values("predicted", ascending=False), digits=2)

# %% [markdown]
# ## What goes wrong, and why
#
# This lesson grew from a model of random yes or no answers. Ten numbers between 0 and 1 go into an `Embedding`, and
# three heads end in a softmax with categorical cross-entropy. We train it with one seed.


# %%
def make_original():
    numbers = keras.Input((10,))
    looked_up = layers.Flatten()(layers.Embedding(100, 10)(numbers))  # (batch, 100)
    hidden = [layers.Dense(32, "relu")(layers.Dense(64, "relu")(looked_up)) for _ in range(2)]
    together = layers.Dense(32, "relu")(layers.Concatenate()(hidden))
    model = keras.Model(numbers, [layers.Dense(5, "softmax")(x) for x in (*hidden, together)])
    losses = ["categorical_crossentropy"] * 3
    # not in TensorFlow's deterministic mode, which takes the true slope and so hides what goes wrong
    model.compile("adam", losses, metrics=[["accuracy"]] * 3, steps_per_execution=32, jit_compile=False)
    return model


# %%
keras.utils.set_random_seed(1)
some, answers = users[:1_000], rng.integers(0, 2, size=bought[:1_000].shape).astype(np.float32)
original = make_original()
first_weights = original.get_weights()
history = original.fit(some, [answers] * 3, batch_size=32, epochs=10, verbose=0).history

# %% [markdown]
# **It sees no input.** An [embedding](../docs/glossary.md#embedding) looks up whole numbers, and every number in [0, 1)
# is cut to 0. The model says the same to everybody.

# %% tags=["nbval-check-output"]
says = np.stack([np.ravel(original(one[None])) for one in some[:50]])  # (50, 15): three heads, one user at a time
largest = np.ptp(says, axis=0).max()
print(f"largest difference between two users: {largest:.1f}")
assert (some.astype(int) == 0).all(), "every number should be cut to 0"
assert np.isclose(largest, 0, atol=1e-4), "so all users should get the same answer"
assert not default or np.ptp(predicted, axis=0).min() > 0.1, "our towers should tell users apart"

# %% [markdown]
# **Its loss grows.** TensorFlow's softmax cross-entropy, which Keras calls, takes its slope to be $p - y$. That holds
# only if $y$ adds up to 1. Compare it, for a user of three products and equal logits, with the measured slope.

# %%
row = np.array([[1, 1, 0, 1, 0]], dtype=np.float32)  # (1, products): three are right
start = tf.Variable(tf.zeros((1, 5)))
with tf.GradientTape() as tape:
    value = keras.losses.categorical_crossentropy(row, start, from_logits=True)
taken = tape.gradient(value, start).numpy()[0]  # (products,)
nudges = 0.01 * np.vstack([np.eye(5), -np.eye(5)]).astype(np.float32)  # (10, products): one logit up, or down
up, down = np.split(keras.losses.categorical_crossentropy(np.tile(row, (10, 1)), nudges, from_logits=True).numpy(), 2)
measured = (up - down) / 0.02  # (products,)
print(f"taken {taken.round(2)}, adds up to {taken.sum():.1f}\nmeasured {measured.round(2)}")
assert np.isclose(taken.sum(), 1 - row.sum(), atol=1e-5), "the shortcut should push all logits one way"
assert np.allclose(measured, row.sum() / 5 - row[0], atol=1e-2), "the true slope should be 3 p - y"

# %% [markdown]
# The slope that is taken adds up to 1 − 3: the step pushes all logits up together. Is that why the loss grows? We
# train the same model with answers divided by their sum.

# %%
start_again(original, first_weights, 0.001)
divided = answers / np.maximum(answers.sum(axis=1, keepdims=True), 1)
tamed = original.fit(some, [divided] * 3, batch_size=32, epochs=10, verbose=0).history
print(f"loss by epoch: {np.round(history['loss'])}\nanswers divided: {np.round(tamed['loss'], 1)}")
assert not default or history["loss"][-1] > 20 * history["loss"][0], "the original's loss should grow"
assert not default or tamed["loss"][-1] < 2 * tamed["loss"][0], "and not with answers that add up to 1"

# %% [markdown]
# Divided, the loss hardly moves: it is the wrong slope that makes it grow.
#
# **Its accuracy has no baseline beside it.** Keras compares the likeliest product with the *first* right one (the first
# of all where nobody buys). So "always the first product" is right for about half of the rows, without any input.

# %%
first_right = (answers.argmax(axis=1) == 0).mean()
heads = [np.mean(values) for name, values in history.items() if name.endswith("accuracy")]  # over ten epochs
print(f"always the first product {first_right:.2f}, the heads {np.round(heads, 2)}")
assert not default or np.mean(heads) < 0.7 * first_right, "the heads should be far below the best constant answer"

# %% [markdown]
# ## In practice
#
# - **Ask first how many answers can be right.** One: a softmax. Several or none: a sigmoid each.
# - **Order or chance?** For a list, a softmax will do: without bundles, or with a row a purchase. For a coupon above
#   50 %, the number itself must be right.
# - **Five million products cost too much to score in every step.** Then the loss compares with a few sampled ones:
#   [Lesson 11](11_retrieve_with_in_batch_negatives.ipynb).
#
# ## Check yourself
#
# 1. A shop sends a coupon for each product whose chance is above 50 %. What happens to a user of three products if the
#    chances come from the softmax towers?
#
# <details><summary>Answer</summary>
#
# The chances add up to 1, so three likely products get about a third each. The user gets no coupon at all.
#
# </details>
#
# 2. The softmax towers have a high loss and a good precision@2. Why is that no contradiction?
#
# <details><summary>Answer</summary>
#
# Precision@2 reads the order of one user's products. Equal shares keep it without bundles. The loss reads the numbers.
#
# </details>
#
# 3. Logistic regression has an AUC near 0.5 for the tent and above 0.9 for the rest. What does that say about the
#    tent?
#
# <details><summary>Answer</summary>
#
# A weighted sum of the ten numbers cannot tell its buyers apart. It takes curves or products of them.
#
# </details>
#
# 4. Your own model's loss stops at the prior's. Which one-line check do you run before you tune anything?
#
# <details><summary>Answer</summary>
#
# Predict for two very different users. If the answers are equal, the model does not use its input.
#
# </details>
#
# ## Exercises
#
# 1. **The softmax's best.** Without training: for the user of three products above, follow the *true* slope of the
#    softmax's cross-entropy, $3p - y$. Aim at three equal chances and two near zero.
# 2. **Chances from shares.** Without training: multiply the softmax towers' answers by the mean number of products a
#    user buys. Cut them at a cap chosen on validation. Aim at a loss above the sigmoid towers' by about 0.02.
# 3. **No hidden layer.** Run the lesson with `HIDDEN = 0`. Aim at an AUC for the tent below 0.6.
# 4. **Nothing to learn.** Draw every purchase by a coin and train the sigmoid towers again. Aim at an AUC of about 0.5
#    for every product, and a validation loss not below $\log 2 = 0.693$.
#
# [Solutions](solutions/08_score_several_products.ipynb)
#
# ## Takeaways
#
# - Several right answers want a sigmoid each and binary cross-entropy. Two towers then had a lower loss than a tuned
#   quadratic regression. In precision@2 the data could not even tell the oracle from it.
# - Over plain logistic regression, more than half of the gain came from the tent, which needs products of
#   inputs.
# - A softmax with equal shares as targets ordered each user's products well, since purchases here do not depend on one
#   another. Its chances were wrong: they add up to 1.
# - An embedding over numbers between 0 and 1 looks up row 0 for all of them, so the model said the same to everybody.
# - A constant answer had a higher accuracy than the original's heads.
#
# **Next.** [Lesson 09](09_predict_watch_ratio.ipynb) predicts how much of a video a user watches, from rich features.
#
# **References**
# - Bridle (1990). *Probabilistic interpretation of feedforward classification network outputs, with relationships to
#   statistical pattern recognition.* Neurocomputing: Algorithms, Architectures and Applications.
# - Hanley and McNeil (1982). *The meaning and use of the area under a receiver operating characteristic (ROC) curve.*
#   Radiology 143(1).
