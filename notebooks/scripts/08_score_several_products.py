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
# **What you'll do**: train two towers that say which of five products a user buys, and come close to the best that is
# possible.
#
# **What you'll learn**
# - how to predict several yes-or-no answers at once: a sigmoid for each, and binary cross-entropy;
# - how to judge such answers: AUC label by label, precision@k user by user;
# - why a softmax makes the loss grow when several answers are right;
# - how to find out that a model does not see its input.
#
# **What you'll need**: [Lesson 04](04_build_two_towers_from_scratch.ipynb) for what a tower is,
# [Lesson 05](05_grow_from_svd_to_two_towers.ipynb) for towers in Keras; you need not have run them. One minute; 0.9 GB
# of memory.

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
from sklearn.metrics import log_loss, roc_auc_score

from recsys_utils.comparison import bootstrap_interval
from recsys_utils.display import results_table
from recsys_utils.metrics import top_k

# %% [markdown]
# The sizes, and the user we recommend for.

# %% tags=["parameters"]
SEED = 1
N_USERS, EPOCHS = 5_000, 15
SHOPPER = 7  # a row of the test

# %% [markdown]
# ## Data: five products, several right answers
#
# Which of five products does a user buy? The answer is a row of yes and no. Several can be right at once, or none. We
# plant something to learn: ten numbers between 0 and 1 describe a user and decide on two tastes, each product suits
# some tastes, and some products sell more than others. So we know the chance of every purchase.

# %% tags=["nbval-check-output"]
PRODUCTS = ["coffee", "novel", "lamp", "tent", "guitar"]
rng = np.random.default_rng(SEED)
users = rng.random((N_USERS, 10)).astype(np.float32)  # (n_users, 10)
tastes = np.tanh(4 * (users - 0.5) @ rng.normal(size=(10, 2)))  # (n_users, 2)
suits = 3 * np.array([[1, 0], [-1, 0.5], [0, 1], [0.7, 0.7], [0.5, -1]])  # (products, 2)
chance = 1 / (1 + np.exp(-(tastes @ suits.T + [1.0, 0.0, -0.5, -1.0, -1.5])))  # (n_users, products)
bought = (rng.random(chance.shape) < chance).astype(np.float32)  # (n_users, products) of 0 and 1
train_rows, test_rows = slice(0, N_USERS * 4 // 5), slice(N_USERS * 4 // 5, None)
print("users", users.shape, "purchases", bought.shape)
pd.DataFrame(bought[:3], columns=PRODUCTS, dtype=int)

# %% [markdown]
# How often is each product bought, and how many does a user buy? A fifth of the users is the test.

# %%
prior = bought[train_rows].mean(axis=0)  # (products,)
print("buyers:", ", ".join(f"{name} {share:.0%}" for name, share in zip(PRODUCTS, prior, strict=True)))
print("users by number of products:", np.bincount(bought[train_rows].sum(axis=1).astype(int)))
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
# **[softmax](../docs/glossary.md#softmax)** (Bridle, 1990) shares 1
# out among all of them: it answers "which one?". Take two products, both right, with equal and growing logits.

# %% tags=["nbval-check-output"]
for logit in (0.0, 2.0, 4.0):
    z = np.array([logit, logit])  # (products,)
    sigmoid, softmax = 1 / (1 + np.exp(-z)), np.exp(z) / np.exp(z).sum()
    print(f"logits {z}: sigmoid {sigmoid.round(2)}, softmax {softmax.round(2)}")
assert sigmoid.min() > 0.95, "with sigmoids both can be near certain"
assert np.allclose(softmax, 0.5), "with a softmax two equal products can never have more than a half each"

# %% [markdown]
# The loss follows. **[Binary cross-entropy](../docs/glossary.md#binary-cross-entropy)** asks five questions, each on
# its own, and averages: for a product that is
# right ($y_j = 1$) it takes $-\log p_j$, for another $-\log(1 - p_j)$. The slope with respect to the logit is the
# error, $p_j - y_j$ (over five, for the average).
#
# ## The model: a user tower and a product tower
#
# A **tower** is a network that turns one side of a pair into a vector; a pair's score is the [dot
# product](../docs/glossary.md#dot-product) of its two
# vectors. Our **user tower** has a hidden layer and four outputs. The **product tower** is linear over a one-hot id:
# such a layer looks up a row of its weights, so it is a vector a product (Lesson 05). Scoring a user against all five
# is one matrix product, which is what a `Dense` layer does: its weights are the product vectors, its biases say what
# sells. What comes out goes through a sigmoid, one for each product.

# %%
keras.utils.set_random_seed(SEED)
numbers = keras.Input((10,))
around_zero = layers.Rescaling(2, offset=-1)(numbers)  # from [0, 1] to [-1, 1]
vector = layers.Dense(4)(layers.Dense(32, "tanh")(around_zero))  # (batch, 4): the user's vector
product_tower = layers.Dense(len(PRODUCTS), "sigmoid")  # weights (4, products): a vector a product
shop = keras.Model(numbers, product_tower(vector))
print("product vectors", product_tower.kernel.numpy().T.shape, "parameters", f"{shop.count_params():,}")

# %% [markdown]
# Train in batches. The last fifth of the training users is held out, to watch the loss there.

# %%
shop.compile(keras.optimizers.Adam(0.03), "binary_crossentropy", steps_per_execution=25, jit_compile=False)
data = users[train_rows], bought[train_rows]
shop_history = shop.fit(*data, 128, EPOCHS, validation_split=0.2, verbose=0).history
predicted = shop.predict(users[test_rows], batch_size=1_024, verbose=0)  # (n_test, products)
print(f"loss a product: fitted {shop_history['loss'][-1]:.2f}, validation {shop_history['val_loss'][-1]:.2f}")

# %% [markdown]
# ## Evaluate: label by label, user by user
#
# First question, label by label: how often does a buyer get a higher score than somebody who did not buy? That is the
# **[AUC](../docs/glossary.md#auc)** (Hanley and McNeil, 1982); a coin gets 0.5. The first row is the **prior**, which
# tells everybody what sells best. The oracle knows each
# chance and not the outcome.

# %%
truth = bought[test_rows]
chances = {"prior": np.tile(prior, (len(truth), 1)), "two towers": predicted, "oracle": chance[test_rows]}
auc = {name: roc_auc_score(truth, score, average=None) for name, score in chances.items()}  # each (products,)
columns = ["AUC", *PRODUCTS]
results_table(pd.DataFrame([(name, *row) for name, row in auc.items()], columns=columns))

# %% [markdown]
# Second question, user by user: of the k products that we offer, which share do they buy? That is
# **[precision@k](../docs/glossary.md#precision)**, with
# its interval over users. The loss is the binary cross-entropy a product.

# %%
precision, loss, rows = {}, {}, []
for name, score in chances.items():
    loss[name] = log_loss(truth.ravel(), score.ravel())  # nats, the unit of a natural logarithm
    row = {"model": name, "loss": loss[name]}
    for k in (1, 2):
        precision[name, k] = np.take_along_axis(truth, top_k(score, k), axis=1).mean(axis=1)  # (n_test,)
        low, high = bootstrap_interval(precision[name, k])
        row |= {f"precision@{k}": precision[name, k].mean(), f"interval@{k}": f"{low:.2f} – {high:.2f}"}
    rows.append(row)
results_table(pd.DataFrame(rows))

# %% [markdown]
# The towers offer better products than the prior, with an interval of the difference that is clear of zero, and they
# are close to the oracle.

# %%
for k in (1, 2):
    low, _ = bootstrap_interval(precision["two towers", k] - precision["prior", k])
    assert low > 0, f"the towers should offer better products than the prior at k = {k}"
assert (auc["two towers"] > 0.7).all() and np.allclose(auc["prior"], 0.5), "every label should be learnt"
assert (auc["oracle"] - auc["two towers"]).max() < 0.05, "and each close to the best that is possible"
assert loss["oracle"] < loss["two towers"] < loss["prior"], "the loss should agree"

# %% [markdown]
# ## Recommend for one user
#
# The products for one user of the test, the likeliest first, with the chance that was planted and what happened. The
# chances need not add up to 1.

# %%
order = np.argsort(-predicted[SHOPPER])  # (products,)
offer = pd.DataFrame({"product": np.array(PRODUCTS)[order], "predicted": predicted[SHOPPER, order]})
offer["planted"] = chance[test_rows][SHOPPER, order]
offer["bought"] = np.where(truth[SHOPPER, order] == 1, "yes", "no")
results_table(offer, digits=2)

# %% [markdown]
# ## What goes wrong, and why
#
# This lesson grew from a write-up that also had five products, a random yes or no each. It reports a high loss and low
# accuracies; we put them beside ours. Here is its model: ten numbers between 0 and 1 into an `Embedding`, two towers,
# three heads with a softmax, categorical cross-entropy on all of them.


# %%
def make_original():
    numbers = keras.Input((10,))
    looked_up = layers.Flatten()(layers.Embedding(100, 10)(numbers))  # (batch, 100)
    hidden = [layers.Dense(32, "relu")(layers.Dense(64, "relu")(looked_up)) for _ in range(2)]
    together = layers.Dense(32, "relu")(layers.Concatenate()(hidden))
    model = keras.Model(numbers, [layers.Dense(5, "softmax")(x) for x in (*hidden, together)])
    losses, metrics = ["categorical_crossentropy"] * 3, [["accuracy"]] * 3
    # not in TensorFlow's deterministic mode, which takes the true slope and so hides what goes wrong
    model.compile("adam", losses, metrics=metrics, steps_per_execution=32, jit_compile=False)
    return model


keras.utils.set_random_seed(SEED)
some, answers = users[:1_000], rng.integers(0, 2, size=(1_000, 5)).astype(np.float32)
original = make_original()
original_history = original.fit(some, [answers] * 3, batch_size=32, epochs=10, verbose=0).history

# %% [markdown]
# **It sees no input.** An embedding looks up whole numbers, and every number in [0, 1) is cut to 0. All ten numbers of
# all users fetch row 0, and the model says the same to everybody.

# %% tags=["nbval-check-output"]
rows_fetched = np.unique(some.astype(int))
says = original.predict(some, verbose=0)  # three heads, each (1_000, 5)
largest = max(np.ptp(head, axis=0).max() for head in says)  # 0, or what a processor's rounding leaves
print("rows fetched:", rows_fetched)
print(f"largest difference between two users: {largest:.1f}")
assert rows_fetched.tolist() == [0], "every number should be cut to 0"
assert largest < 1e-2, "so all users should get the same answer"
assert np.ptp(predicted, axis=0).min() > 0.1, "our towers should tell users apart"

# %% [markdown]
# **Its loss grows.** The targets of a row can add up to anything from 0 to 5, while a softmax shares out 1. For a
# softmax, Keras takes the slope of the cross-entropy to be $p - y$: a shortcut that holds only if $y$ adds up to 1.
# Compare it, for a user of three products, with the slope measured by central differences, and with the sigmoid's.

# %%
row = np.array([[1, 1, 0, 1, 0]], dtype=np.float32)  # (1, products): three are right
losses = {"softmax": keras.losses.categorical_crossentropy, "sigmoid": keras.losses.binary_crossentropy}
slopes = {}
for name, function in losses.items():
    start = tf.Variable(tf.zeros((1, 5)))
    with tf.GradientTape() as tape:
        value = function(row, start, from_logits=True)
    taken = tape.gradient(value, start).numpy()[0]
    steps = 0.01 * np.eye(5, dtype=np.float32)  # one logit at a time
    up, down = (function(np.tile(row, (5, 1)), sign * steps, from_logits=True).numpy() for sign in (1, -1))
    slopes[name] = taken, (up - down) / 0.02
    print(f"{name}: taken {taken.round(2)}, measured {slopes[name][1].round(2)}")

# %% [markdown]
# What Keras follows is not the slope of the loss. It adds up to 1 − 3: the logits are pushed up together, step after
# step. The weights grow, differences between logits grow with them, and so does the loss. With the sigmoid each product
# has its own slope. The write-up's loss, 143.6, is one that ours passes on its way up.

# %%
assert np.allclose(slopes["softmax"][0].sum(), 1 - row.sum()), "the shortcut should push all logits one way"
assert not np.allclose(*slopes["softmax"], atol=0.1), "and it should not be the slope of the loss"
assert np.allclose(*slopes["sigmoid"], atol=1e-3), "binary cross-entropy should have the right slope"
print(f"loss by epoch: {' '.join(f'{loss:.0f}' for loss in original_history['loss'])}")
assert original_history["loss"][-1] > 20 * original_history["loss"][0], "the original's loss should grow"
assert original_history["loss"][0] < 143.6 < original_history["loss"][-1], "and pass the reported one"

# %% [markdown]
# **Its accuracy is below that of a constant answer.** For a row with several right answers, Keras compares the
# likeliest product with the *first* right one. So a model that sees no input can still be right more often than not: it
# says "the first product". All three heads are far below that. They are near the fifth that a five-sided die gets,
# because the pushes keep changing their answer. The last column has the write-up's figures.

# %%
accuracies = [values[-1] for name, values in original_history.items() if name.endswith("accuracy")]
first_right = np.bincount(answers.argmax(axis=1), minlength=5) / len(answers)  # (products,), adds up to 1
rows = [(f"always product {place + 1}", share, None) for place, share in enumerate(first_right)]
for head, (accuracy, reported) in enumerate(zip(accuracies, [0.15, 0.15, 0.055], strict=True)):
    rows.append((f"head {head + 1}", accuracy, reported))
assert max(accuracies) < 0.8 * first_right[0], "every head should be far below the best constant answer"
assert np.allclose(accuracies, 1 / 5, atol=0.1), "and near a die of five sides"
results_table(pd.DataFrame(rows, columns=["answer", "accuracy", "as reported"]))

# %% [markdown]
# Side by side: the original's loss climbs, on a logarithmic scale. Ours falls from the prior's towards the oracle's, on
# the fitted and on the held-out part.

# %%
figure, axes = plt.subplots(1, 2)
axes[0].semilogy(range(1, 11), original_history["loss"], marker="o", color="C1")
axes[0].set(title="Original: softmax, three heads", xlabel="epoch", ylabel="sum of three losses (nats)")
epochs = range(1, EPOCHS + 1)
axes[1].plot(epochs, shop_history["loss"], label="fitted")
axes[1].plot(epochs, shop_history["val_loss"], label="validation")
axes[1].axhline(loss["prior"], color="C6", linestyle=":", label="prior, test")
axes[1].axhline(loss["oracle"], color="C6", linestyle="--", label="oracle, test")
axes[1].set(title="Repaired: sigmoid, two towers", xlabel="epoch", ylabel="loss a product (nats)")
axes[1].set_xticks(epochs[::2])
axes[1].legend()
plt.show()

# %% [markdown]
# Two defects are left. Both of its "towers" read the same input, so there was no user side and no product side; the
# repaired model has one of each. And its targets were drawn at random. Give those to the repaired model, and it learns
# nothing either.

# %%
keras.utils.set_random_seed(SEED)
for_noise = keras.models.clone_model(shop)
for_noise.compile("adam", "binary_crossentropy", steps_per_execution=10, jit_compile=False)
for_noise.fit(some[:800], answers[:800], batch_size=80, epochs=10, verbose=0)
noise_auc = roc_auc_score(answers[800:], for_noise.predict(some[800:], verbose=0), average="macro")
print(f"mean AUC: random targets {noise_auc:.2f}, planted targets {auc['two towers'].mean():.2f}")
assert abs(noise_auc - 0.5) < 0.1, "random targets cannot be learnt"

# %% [markdown]
# ## In practice
#
# - **Ask first how many answers can be right.** Exactly one: a softmax. Several or none: a sigmoid each.
# - **Five products fit into a layer, five million do not.** Then a product tower computes the vectors, and the loss
#   compares with a few sampled products at a time; Part III is about that, from
#   [Lesson 11](11_retrieve_with_in_batch_negatives.ipynb) on.
# - **Calibrated or ranked?** Binary cross-entropy gives probabilities. If only the order matters, other losses do
#   better.
# - **Read the axis of a metric.** Accuracy on several labels at once says nothing without a constant answer beside it.
#
# ## Exercises
#
# 1. Without training: for the user of three products above, which chances minimise the softmax's cross-entropy, if its
#    true slope is followed? Aim at three equal numbers and two zeros.
# 2. In a new cell, compile `make_original()` again with a loss of your own that returns
#    `-keras.ops.sum(y * keras.ops.log(p), axis=1)`, and train it. Its slope is the true one. Does the loss still grow?
#    Where does the accuracy end, and why there?
# 3. Take the hidden layer out of the user tower, in a copy of the model's cell. Which products lose AUC, and why so
#    little? Look at how the tastes were planted.
# 4. Add a sixth product that nobody has bought yet, with a description. What must the product tower read instead of a
#    one-hot id?
#
# ## Takeaways
#
# - Several right answers want a sigmoid each and binary cross-entropy. Then two towers beat the prior, in AUC label by
#   label and in precision@k user by user, and came close to the oracle.
# - With a softmax over several right answers, what is followed is not the slope of the loss, and the loss grew.
# - An embedding over numbers between 0 and 1 looks up row 0 for all of them, so the model said the same to everybody.
# - On several labels, a constant answer had a higher accuracy than a model that trained for ten epochs.
#
# ## Next
#
# [Lesson 09](09_predict_watch_ratio.ipynb) predicts how much of a video a user watches, from rich features.
#
# **References**
# - Bridle (1990). *Probabilistic interpretation of feedforward classification network outputs, with relationships to
#   statistical pattern recognition.* Neurocomputing: Algorithms, Architectures and Applications.
# - Hanley and McNeil (1982). *The meaning and use of the area under a receiver operating characteristic (ROC) curve.*
#   Radiology 143(1).
