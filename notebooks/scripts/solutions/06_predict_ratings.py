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
# ## Exercise 1. The lab's rate
#
# We run the lesson down to its table, with one seed of the towers. Then its function trains at the lab's rate.

# %%
from recsys_utils.lessons import run_lesson

run_lesson("06", globals(), until="The leak in three steps", SEEDS=(1,))
_, at_lab_rate = train_model(x_train, rate=0.01, epochs=20, held_back=0.1)
held_back = {"lesson": curve["val_loss"], "lab's rate": at_lab_rate["val_loss"]}
held_back = pd.DataFrame(held_back)  # (epochs, 2) stars
held_back.loc[[1, 2, 5, 10, 15, 20]].round(3)

# %%
assert held_back["lab's rate"][5] > held_back["lesson"][5] + 0.004, "after five epochs, the lab's rate should be behind"
assert abs(held_back["lab's rate"][20] - held_back["lesson"][5]) < 0.01, "after twenty, it should be as good"

# %% [markdown]
# The lab's rate needs about twenty epochs for what a tenth of it reaches in five.
#
# ## Exercise 2. Leaves and folds
#
# The validation part is cut from the training part as the test was cut from everything. Leave-one-out describes a row by
# all the other rows.

# %%
inner = cut(split.train)
of_valid = describe(inner.test, inner.train)
of_folds = {f"{folds} folds": out_of_fold(inner.train, folds) for folds in (2, 5, FOLDS)}
of_folds["leave-one-out"] = describe(inner.train, inner.train, "leave-one-out")
with_leaves = {
    leaves: boost(of_folds["20 folds"], [of_valid], inner.train, leaves)[0] for leaves in (63, 127, 255)
}  # (n_validation,) each
chosen = {leaves: metrics.rmse(inner.test[RATING], stars) for leaves, stars in with_leaves.items()}
print("validation RMSE by leaves of a tree:", {leaves: round(error, 3) for leaves, error in chosen.items()})
assert chosen[LEAVES] < min(chosen.values()) + 0.003, "the lesson's size should be the best, or as good"

# %%
by_folds = {name: boost(of_folds[name], [of_valid], inner.train)[0] for name in ("2 folds", "5 folds", "leave-one-out")}
folds = comparison.compare_rmse({"20 folds": with_leaves[LEAVES]} | by_folds, inner.test, RATING, against="20 folds")
show.results_table(folds.drop(columns="seed_spread").rename(columns={"mean": "RMSE"}))

# %%
folds = folds.set_index("model")
assert (folds["verdict"][["2 folds", "leave-one-out"]] == comparison.WORSE).all(), "both should be worse beyond doubt"
assert folds["high"]["5 folds"] < 0.015, "5 folds should not be far from 20"

# %% [markdown]
# With two folds, a training row's averages rest on half of the ratings that a test row's rest on, and are noisier. With
# leave-one-out, the trees decode the ratings. Between five folds and twenty the data cannot tell. With twenty, half of the
# rows still leak by one of their averages; what that costs, this comparison does not show.
#
# ## Exercise 3. Without training
#
# Surprise keeps the biases that it fitted. On the scale from −1 to 1, one star is $1 / 2.25$. Half of the mean goes to
# each side.

# %%
biases = baselines.rating_model("biases", **baselines.load_tuned(SPLIT)["biases"].settings)
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
# The towers' settings are the same, and the split alone differs. With it come other settings of the rivals.

# %%
at_random = table.set_index("model")["mean"][recipe]
run_lesson("06", globals(), until="The leak in three steps", SPLIT="by time", SEEDS=(1,))
show.results_table(table.rename(columns={"mean": "RMSE"}))

# %%
by_time = table.set_index("model")
rise = by_time["mean"][recipe] - at_random
print(f"the recipe's error rises by {rise:.3f} stars")
assert 0.01 < rise < 0.04, "what comes next should be harder to predict than a random part"
classic = by_time["mean"][["biases, tuned", "SVD, tuned", "item CF, tuned"]]
assert classic.idxmin() == "SVD, tuned", "SVD should lead among the classic rivals"

# %% [markdown]
# The error is higher by time, and SVD takes the lead among the rivals of Lesson 02.
# [Lesson 07](../07_beat_the_rating_baselines.ipynb) goes on from here.
