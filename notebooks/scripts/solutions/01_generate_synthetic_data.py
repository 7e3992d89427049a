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
# # Solutions of lesson 01
#
# [![Open in Colab](../images/open-in-colab.svg)](https://colab.research.google.com/github/two-towers-course/two-towers/blob/main/notebooks/solutions/01_generate_synthetic_data.ipynb) [![Launch Binder](../images/launch-binder.svg)](https://mybinder.org/v2/gh/two-towers-course/two-towers/main?urlpath=lab/tree/notebooks/solutions/01_generate_synthetic_data.ipynb)
#
# These are solutions of the [exercises of lesson 01](../01_generate_synthetic_data.ipynb#Exercises). Try them
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
# A solution starts where the lesson ends, so we run the lesson first, without its output.

# %%
from recsys_utils.lessons import run_lesson

run_lesson("01", globals())

# %% [markdown]
# ## Exercise 1. Unrelated neighbours
#
# The average of $k$ draws with the standard deviation $\sigma = \sqrt 2$ misses their mean $\mu$ by $\sigma / \sqrt k$. So the
# equation gives an MSE of $2 + 2/k$.

# %%
draws = np.random.default_rng(1).integers(1, 6, size=(100_000, 41))  # a rating to predict, and 40 others
for k in (1, 2, 5, 40):
    measured = metrics.rmse(draws[:, 0], draws[:, 1 : k + 1].mean(axis=1))
    formula = np.sqrt(2 + 2 / k)
    print(f"k = {k:2}  measured {measured:.3f}  formula {formula:.3f}")
    assert np.isclose(measured, formula, rtol=0.01), "the neighbours' noise should add 2 / k"

# %% [markdown]
# Two unrelated neighbours give √3, far above the mean's √2. Neighbours that know nothing do harm, least if there are
# many of them.

# %% [markdown]
# ## Exercise 2. More noise
#
# The lesson runs once more, with noise of one star.

# %%
run_lesson("01", globals(), NOISE_STD=1.0)
floor = on_planted["RMSE"]["oracle: the floor"]
print(f"{at_a_bound:.1%} of the ratings lie at a bound; the oracle's error is {floor:.3f} stars")
assert 0.03 < at_a_bound < 0.08
assert floor < 1.0

# %% [markdown]
# A rating beyond 0.5 or 5 stars is moved to the bound, and so towards what the oracle expects. The noise that is left is
# smaller than the noise that was drawn.

# %% [markdown]
# ## Exercise 3. A pair of features
#
# `predict_by_means` averages over any column, so a column with the pair's number is enough. We go back to the lesson's
# noise first.

# %%
run_lesson("01", globals(), until="Would more data help?")
train, test = (
    part.merge(planted.users, on=USER_ID).merge(planted.items, on=ITEM_ID).eval("pair = 10 * region + category")
    for part in split_of["planted"]
)
models = {
    "user and item means": [USER_ID, ITEM_ID],
    "region × category means": ["pair"],
    "all three": [USER_ID, ITEM_ID, "pair"],
}
predicted = {name: predict_by_means(train, test, columns) for name, columns in models.items()}  # (n_test,) each

# %% [markdown]
# The share of the signal, measured as in the lesson:

# %%
known = {"mean": np.full(len(test), train[RATING].mean()), **predicted, "floor": test[EXPECTED]}
squares = {name: metrics.rmse(test[RATING], values) ** 2 for name, values in known.items()}  # stars²
share = {name: (squares["mean"] - squares[name]) / (squares["mean"] - squares["floor"]) for name in predicted}
print(*(f"{found:.0%}  {name}" for name, found in share.items()), sep="\n")
assert share["all three"] > 0.55 > 0.3 > share["user and item means"]

# %% [markdown]
# Do fifty averages, one for each region and category, find more than fifteen hundred user and item effects?

# %%
table = comparison.compare_rmse(predicted, test, RATING, "user and item means")
assert (table["verdict"].iloc[1:] == "better").all()
display.results_table(table.drop(columns="seed_spread").rename(columns={"mean": "RMSE"}))

# %% [markdown]
# They do: the interval is clear of zero. What they find is not in the user and item means, so all three together find
# most. An effect for each pair of user and item would have at most one rating to learn from in training, and none for
# the pairs of the test.
