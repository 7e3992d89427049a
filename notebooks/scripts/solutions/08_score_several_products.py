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
# # Solutions of lesson 08
#
# [![Open in Colab](../images/open-in-colab.svg)](https://colab.research.google.com/github/two-towers-course/two-towers/blob/main/notebooks/solutions/08_score_several_products.ipynb) [![Launch Binder](../images/launch-binder.svg)](https://mybinder.org/v2/gh/two-towers-course/two-towers/main?urlpath=lab/tree/notebooks/solutions/08_score_several_products.ipynb)
#
# These are solutions of the [exercises of lesson 08](../08_score_several_products.ipynb#Exercises). Try them
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
# A solution starts from the lesson, so we run it first, without its output, up to the model that goes wrong.

# %%
from recsys_utils.lessons import run_lesson

run_lesson("08", globals(), until="What goes wrong, and why")

# %% [markdown]
# ## Exercise 1. The softmax's best
#
# Start at equal logits and step against the true slope, which is $3p - y$ for three right answers.

# %%
y, z = np.array([1, 1, 0, 1, 0]), np.zeros(5)  # (products,) each
for _ in range(5_000):
    p = np.exp(z) / np.exp(z).sum()
    z -= 0.1 * (y.sum() * p - y)
print("chances:", p.round(3))
assert np.allclose(p, y / 3, atol=0.01), "three thirds and two zeros should be the best"

# %% [markdown]
# The best that a softmax can do for three right answers is a third each. It can never be sure of all three.

# %% [markdown]
# ## Exercise 2. Chances from shares
#
# The mean number of products comes from the users we fit on. The product can pass 1, so we cut it. A chance of 1 that
# is wrong once costs a lot, so the cap matters; we choose it on the validation part.

# %%
n_products = bought[fit].sum(axis=1).mean()
shares = np.stack([np.asarray(model(users[validation])) for model, _ in runs["softmax"]])
loss_of = {
    cap: cross_entropy(np.minimum(n_products * shares, cap), validation).mean() for cap in (0.9, 0.95, 0.99, 0.999, 1)
}
cap = min(loss_of, key=loss_of.get)
assert loss_of[1] > loss_of[cap] + 0.02 and 0.9 < cap < 1, "the cap should matter"
results_table(pd.DataFrame(loss_of.items(), columns=["cap", "validation loss"]))

# %%
rescaled = np.minimum(n_products * chances["softmax towers"], cap)  # (n_seeds, n_test, products)
names = ["sigmoid towers", RIVAL, "softmax towers"]
table = compare(
    {name: losses[name] for name in names} | {"rescaled softmax": cross_entropy(rescaled, test).mean(axis=-1)},
    against="sigmoid towers",
    lower_is_better=True,
).set_index("model")
assert table["verdict"]["rescaled softmax"] == "worse", "rescaling should not be enough"
assert table["mean"]["rescaled softmax"] < table["mean"]["softmax towers"] - 0.1, "but it should help a lot"
results_table(table.reset_index().rename(columns={"mean": "loss"}))

# %% [markdown]
# One factor for everybody repairs most of the loss. It stays above the sigmoid towers', because shares are not
# proportional to chances. Say the chances are 1 and 0.5: the shares are 0.75 and 0.25. Even times the user's own 1.5
# they give 1.13 and 0.38.

# %% [markdown]
# ## Exercise 3. No hidden layer
#
# We run the lesson again up to its evaluation, without the hidden layer and with one seed.

# %%
linear = {}  # its names stay apart from ours
run_lesson("08", linear, until="Sigmoid against softmax", HIDDEN=0, SEEDS=(1,))
linear_auc = linear["auc"]["sigmoid towers"].mean(axis=0)  # (products,)
results_table(pd.DataFrame({"product": PRODUCTS, "AUC": linear_auc}))

# %%
assert linear_auc[tent] < 0.6, "without a hidden layer the tent should be little better than a coin's"
assert np.delete(linear_auc, tent).min() > 0.85, "and the other four should be learnt as before"

# %% [markdown]
# Without a hidden layer the towers are a logistic regression of rank four. The other products keep their AUC: `tanh`
# keeps the order of a weighted sum, and the AUC reads only the order. For coffee and lamp, which need one taste, that is
# exact.

# %% [markdown]
# ## Exercise 4. Nothing to learn
#
# The lesson's `train` reads `bought`, so we put coin flips there.

# %%
bought = np.random.default_rng(2).integers(0, 2, size=chance.shape).astype(np.float32)
model, noise_history = train("sigmoid", rate_of["sigmoid"], 1)
noise_auc = metrics.roc_auc_score(bought[test], np.asarray(model(users[test])), average=None)  # (products,)
print(f"AUC {noise_auc.round(2)}, lowest validation loss {min(noise_history['val_loss']):.3f}")
assert np.abs(noise_auc - 0.5).max() < 0.1 and abs(noise_auc.mean() - 0.5) < 0.04, "a coin cannot be learnt"
assert min(noise_history["val_loss"]) > np.log(2) - 0.005, "nor can its loss be passed"

# %% [markdown]
# The model is the same, and it learns nothing, as it should. Always try a model on data with no signal: a good figure
# there would mean a leak.
