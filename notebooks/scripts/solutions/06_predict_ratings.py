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
# # Solutions of lesson 06
#
# [![Open in Colab](../images/open-in-colab.svg)](https://colab.research.google.com/github/two-towers-course/two-towers/blob/main/notebooks/solutions/06_predict_ratings.ipynb) [![Launch Binder](../images/launch-binder.svg)](https://mybinder.org/v2/gh/two-towers-course/two-towers/main?urlpath=lab/tree/notebooks/solutions/06_predict_ratings.ipynb)
#
# These are solutions of the [exercises of lesson 06](../06_predict_ratings.ipynb#Exercises). Try them
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
# ## Exercise 1. A tenth of the rate
#
# We run the lesson down to its table, with two parameters changed.

# %%
from recsys_utils.lessons import run_lesson

run_lesson("06", globals(), until="The leak in three steps", LEARNING_RATE=0.001, EPOCHS=6)
slowly = table.set_index("model")
show.results_table(table.rename(columns={"mean": "RMSE"}))

# %%
assert slowly["mean"][recipe] < 0.88, "six epochs should do about what thirty did"
assert slowly["verdict"]["biases, tuned"] == comparison.WORSE, "the recipe should be ahead of the biases"
assert slowly["verdict"]["item CF, tuned"] != comparison.WORSE, "it should not be ahead of item CF"

# %% [markdown]
# A fifth of the epochs is enough at a tenth of the rate. The recipe does not get ahead of item CF.
#
# ## Exercise 2. Folds
#
# The parts of the lesson are at hand: its validation part, and the size of the trees. Leave-one-out describes a row by all
# the other rows.

# %%
of_folds = {f"{folds} folds": out_of_fold(inner.train, folds) for folds in (2, 5, 20)}
of_folds["leave-one-out"] = describe(inner.train, inner.train, "leave-one-out")
of_folds = {name: boost(sides, inner.train, of_valid, leaves) for name, sides in of_folds.items()}  # (n_validation,)
folds = comparison.compare_rmse(of_folds, inner.test, RATING, against="20 folds")
show.results_table(folds.drop(columns="seed_spread").rename(columns={"mean": "RMSE"}))

# %%
assert folds["mean"][0] > folds["mean"][2] < folds["mean"][3], "2 folds and leave-one-out should be worse than 20"
assert (folds["verdict"][[0, 3]] == comparison.WORSE).all(), "and beyond doubt"
assert folds["high"][1] < 0.015, "5 folds should not be far from 20"

# %% [markdown]
# With two folds, a training row's averages rest on half of the ratings that a test row's rest on, and are noisier. With
# leave-one-out, the trees decode the ratings. Between five folds and twenty the data cannot tell: that many rows are alone
# with their movie does no harm that we can see, and we keep twenty.
#
# ## Exercise 3. Without training
#
# Surprise keeps the biases that it fitted. On the scale from −1 to 1, one star is $1 / 2.25$. Half of the mean goes to
# each side.

# %%
biases = baselines.rating_model("biases", **tuned["biases"].settings)
baselines.predict_with_surprise(biases, *split)
middle = (biases.trainset.global_mean - 2.75) / 2.25
of_user, of_item = biases.bu / 2.25 + middle / 2, biases.bi / 2.25 + middle / 2  # (n_users,), (n_movies,)

# %% [markdown]
# With $k^2 = 1/2$, a vector has length 1 or less, before it is filled up, if its bias is at most $1/2$.

# %%
k, fits_user, fits_item = np.sqrt(0.5), np.abs(of_user) <= 0.5, np.abs(of_item) <= 0.5
q, c = np.zeros((fits_user.sum(), 4)), np.zeros((fits_item.sum(), 4))  # (users, 4), (movies, 4)
q[:, 0], q[:, 1] = k, of_user[fits_user] / k
c[:, 0], c[:, 1] = of_item[fits_item] / k, k
for vectors, place in ((q, 2), (c, 3)):
    vectors[:, place] = np.sqrt(np.maximum(1 - (vectors**2).sum(axis=1), 0))
error = np.abs(q @ c.T - of_user[fits_user][:, None] - of_item[fits_item]).max()
print(f"{fits_user.mean():.0%} of users, {fits_item.mean():.0%} of movies, largest error {error:.0e}")
assert fits_user.mean() > 0.9 and fits_item.mean() > 0.9, "most biases should fit"
assert error < 1e-12, "the cosine should be the sum of the biases"

# %% [markdown]
# Nearly all fit, and the cosine is the sum of the biases up to rounding. A cosine *can* hold biases; whether training
# finds them is another question.
#
# ## Exercise 4. By time
#
# The settings are those of exercise 1, and the split alone differs. With it come other settings of the rivals.

# %%
run_lesson("06", globals(), until="The leak in three steps", SPLIT="by time", LEARNING_RATE=0.001, EPOCHS=6)
by_time = table.set_index("model")
show.results_table(table.rename(columns={"mean": "RMSE"}))

# %%
rise = by_time["mean"][recipe] - slowly["mean"][recipe]
print(f"the recipe's error rises by {rise:.3f} stars")
assert 0.01 < rise < 0.04, "what comes next should be harder to predict than a random part"
assert by_time["low"]["biases, tuned"] < 0.01, "the recipe should not be far ahead of the biases"

# %% [markdown]
# The error is higher by time, and the interval of the biases begins near zero: with one seed, we do not rely on being ahead
# of them. [Lesson 07](../07_beat_the_rating_baselines.ipynb) goes on from here.
