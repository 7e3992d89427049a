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
# We run the lesson down to its training. A validation part is cut from the training part, in time; on it, we train the
# last rung with and without ids, two seeds each.

# %%
from recsys_utils.lessons import run_lesson

run_lesson("07", globals(), until="One rung at a time")
inner = splits.split_by_time(train)
data = prepare(inner.train, look_ahead=False)
watched = data.describe(inner.test)


def validate(data, parts=PARTS):
    towers, predicted = make_towers(data), []
    for seed in SEEDS[:2]:
        fit(towers, data, parts, seed)
        predicted.append(predict(towers, watched, parts))
    return np.stack(predicted)  # (seeds, n_validation)


predicted = {"with ids": validate(data), "without ids": validate(data, [part for part in PARTS if part != "ids"])}
without = comparison.compare_rmse(predicted, inner.test, RATING, against="with ids")
results_table(without.rename(columns={"mean": "RMSE"}), digits=4)

# %%
assert abs(without["difference"][1]) < 0.015, "ids should change little"

# %% [markdown]
# Half of the rows to predict are of movies that have no id of their own, because they were rated too seldom. How many?

# %%
rare = watched.ids[:, 1] == data.rows.history.shape[1]
print(f"{rare.mean():.0%} of the validation rows are of movies without an id")

# %% [markdown]
# ## Exercise 2. Without folds
#
# The training rows get the features that test rows get. Their own ratings are in them.

# %%
leaky_rows = data.describe(inner.train)._replace(history=data.rows.history)
leaky = data._replace(rows=leaky_rows, stars=inner.train[RATING].to_numpy())
two = {"out-of-fold": predicted["with ids"], "without folds": validate(leaky)}
leak = comparison.compare_rmse(two, inner.test, RATING, against="out-of-fold")
results_table(leak.rename(columns={"mean": "RMSE"}), digits=4)

# %%
assert leak["verdict"][1] == comparison.WORSE, "features that contain the target should do harm"

# %% [markdown]
# The towers learn to read the rating out of averages, residuals and the history. In the rows to predict it is not there.
#
# ## Exercise 3. Tune the rival
#
# Smaller trees, and trees that look at every feature at each split.

# %%
tried = []
for leaves, share in ((127, 0.3), (127, 1.0), (31, 0.3), (31, 1.0)):
    change = {"max_leaf_nodes": leaves, "max_features": share}
    tried.append(
        change | {"RMSE": metrics.rmse(inner.test[RATING], predict_with_trees(data, watched, **TREES | change))}
    )
tried = pd.DataFrame(tried)  # the lesson's settings first
results_table(tried, digits=4)

# %%
assert tried["RMSE"][0] < tried["RMSE"].min() + 0.003, "the rival should be tuned"

# %% [markdown]
# No other setting is better by more than the noise of one validation part.
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
