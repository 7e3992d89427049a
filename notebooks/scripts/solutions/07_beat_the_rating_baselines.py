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
# # Solutions of lesson 07
#
# [![Open in Colab](../images/open-in-colab.svg)](https://colab.research.google.com/github/two-towers-course/two-towers/blob/main/notebooks/solutions/07_beat_the_rating_baselines.ipynb) [![Launch Binder](../images/launch-binder.svg)](https://mybinder.org/v2/gh/two-towers-course/two-towers/main?urlpath=lab/tree/notebooks/solutions/07_beat_the_rating_baselines.ipynb)
#
# These are solutions of the [exercises of lesson 07](../07_beat_the_rating_baselines.ipynb#Exercises). Try them
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
# ## Exercise 1. Without ids
#
# We run the lesson down to its training, and train the last rung with and without ids, two seeds each.

# %%
from recsys_utils.lessons import run_lesson

run_lesson("07", globals(), until="One rung at a time")
data, test = prepared["by time"], two_splits["by time"].test


def predict_with_seeds(data, parts=PARTS):
    towers, described, predicted = make_towers(data), data.describe(test), []
    for seed in SEEDS[:2]:
        fit(towers, data, parts, seed)
        predicted.append(predict(towers, described, parts))
    return np.stack(predicted)  # (seeds, n_test)


predicted = {"with ids": predict_with_seeds(data), "without ids": predict_with_seeds(data, PARTS[1:])}
without = comparison.compare_rmse(predicted, test, RATING, against="with ids")
results_table(without.rename(columns={"mean": "RMSE"}), digits=4)

# %%
assert abs(without["difference"][1]) < 0.01, "ids should add little"

# %% [markdown]
# Ids add little: the content and the history already say what an id could learn.
#
# ## Exercise 2. Without folds
#
# The training rows get the features that test rows get. Their own ratings are in them.

# %%
train = two_splits["by time"].train
leaky_rows = data.describe(train)._replace(history=data.rows.history)
leaky = data._replace(rows=leaky_rows, stars=train[RATING].to_numpy())
predicted["without folds"] = predict_with_seeds(leaky)
two = {name: predicted[name] for name in ("with ids", "without folds")}
leak = comparison.compare_rmse(two, test, RATING, against="with ids")
results_table(leak.rename(columns={"mean": "RMSE"}), digits=4)

# %%
assert leak["verdict"][1] == comparison.WORSE, "features that contain the target should do harm"

# %% [markdown]
# The towers learn to read the rating out of averages, residuals and the history. On the test it is not there.
#
# ## Exercise 3. Tune the rival
#
# A grid around the settings of the lesson. Its validation part of the split by time is at hand.

# %%
from itertools import product

tried = []
for leaves, rate, rounds in product((7, 15, 31), (0.03, 0.06), (200, 400)):
    change = {"max_leaf_nodes": leaves, "learning_rate": rate, "max_iter": rounds}
    stars = predict_with_trees(of_inner, watched, **TREES | change)
    tried.append(change | {"RMSE": metrics.rmse(inner.test[RATING], stars)})
tried = pd.DataFrame(tried).sort_values("RMSE")
results_table(tried.head(5), digits=4)

# %%
own = metrics.rmse(inner.test[RATING], predict_with_trees(of_inner, watched, **TREES))
print(f"the lesson's settings {own:.4f}, the best of {len(tried)} {tried['RMSE'].min():.4f}")
assert own < tried["RMSE"].min() + 0.003, "the rival should be tuned"

# %% [markdown]
# The rival is near the best of the grid. Larger trees and more rounds at a smaller rate may gain a little more.
#
# ## Exercise 4. Without training
#
# `log(1 + 0)` is 0. In standard deviations from the mean of training:

# %%
count = prepared["by time"].rows.user[:, 1]  # (n_train,) log(1 + ratings)
z_of_zero = (0 - count.mean()) / count.std()
print(
    f"a count of 0 lies {-z_of_zero:.1f} standard deviations below the mean; the least in training is {count.min():.1f}"
)
assert z_of_zero < -3 and count.min() > 0, "no user of training has a count of 0"

# %% [markdown]
# Training never saw such a user. What the tower says about one is an accident.
