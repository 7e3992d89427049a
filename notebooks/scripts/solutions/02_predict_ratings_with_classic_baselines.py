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
# # Solutions of lesson 02
#
# [![Open in Colab](../images/open-in-colab.svg)](https://colab.research.google.com/github/two-towers-course/two-towers/blob/main/notebooks/solutions/02_predict_ratings_with_classic_baselines.ipynb) [![Launch Binder](../images/launch-binder.svg)](https://mybinder.org/v2/gh/two-towers-course/two-towers/main?urlpath=lab/tree/notebooks/solutions/02_predict_ratings_with_classic_baselines.ipynb)
#
# These are solutions of the [exercises of lesson 02](../02_predict_ratings_with_classic_baselines.ipynb#Exercises). Try them
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
# The solutions need the lesson's data and helpers, so we run it up to its first table, without its output.

# %%
from recsys_utils.lessons import run_lesson

run_lesson("02", globals(), until="On noise, nothing beats the mean")

# %% [markdown]
# ## Exercise 1. By hand
#
# Subtract the user's mean of the first two movies and take the cosines again.

# %%
by_mean = {name: stars - stars.mean() for name, stars in (("Ann", ann), ("Bob", bob), ("Cy", cy))}
like_bob, like_cy = cosine(by_mean["Ann"], by_mean["Bob"]), cosine(by_mean["Ann"], by_mean["Cy"])
print(f"similarity to Bob {like_bob:+.0f}, to Cy {like_cy:+.0f}")
assert np.isclose(like_bob, 1) and np.isclose(like_cy, -1), "Bob agrees with Ann, and Cy does not"

# %% [markdown]
# Cy's similarity is negative, so only Bob is left. A weighted mean of one rating is that rating:

# %%
promised = like_bob * bobs_third / like_bob
print(f"Ann is promised {promised:.0f} stars")
assert promised == 5

# %% [markdown]
# Deviations turn the promise of three stars into five: Ann is asked to trust who agrees with her.

# %% [markdown]
# ## Exercise 2. A search of your own
#
# Cut the validation part from the training part, as the test was cut from everything. Then try a grid.

# %%
validation = splits.split_random(splits.split_random(planted).train)
values, grid = [1, 3, 10, 15, 30, 50], {}
for reg_u in values:
    for reg_i in values:
        fitted = predict("biases", {"bsl_options": {"reg_u": reg_u, "reg_i": reg_i}}, validation)
        grid[reg_u, reg_i] = metrics.rmse(validation.test[RATING], fitted[0])
grid = pd.Series(grid).unstack()  # (reg_u, reg_i), stars
grid.round(4)

# %%
in_file = baselines.load_tuned("planted")["biases"].validation
best = grid.min().min()
print(f"best {best:.4f}, in the file {in_file:.4f}, worst {grid.max().max():.4f}")
assert np.isclose(best, in_file, atol=2e-4), "the search should find what the file has"
assert grid.loc[15, 10] < best + 0.001, "Surprise's defaults should be as good"
assert grid.max().max() < best + 0.01, "the optimum should be flat"

# %% [markdown]
# Even the worst of the settings is within a hundredth of a star of the best, and Surprise's defaults, 15 and 10, are
# level with it. That is why tuning does nothing for the biases in this world.

# %% [markdown]
# ## Exercise 3. Rows or users
#
# The same two models and the same validation part, twice: with its users, and with a user for every rating.

# %%
by_time = splits.split_by_time(splits.split_by_time(ratings).train)
pair = {model: predict(model, {}, by_time)[:1] for model in ("biases", "user CF")}  # each (1, n_test)
rows = by_time._replace(test=by_time.test.assign(**{USER_ID: np.arange(len(by_time.test))}))
shown = pd.concat([compare(split, pair, "biases").iloc[[1]] for split in (by_time, rows)])
shown.insert(0, "drawn", ["users", "rows"])
results_table(shown.drop(columns="seed_spread"), digits=4)

# %%
width = (shown["high"] - shown["low"]).to_numpy()
print(f"the interval over rows is {width[1] / width[0]:.0%} as wide as the one over users")
assert 0.3 < width[1] / width[0] < 0.8

# %% [markdown]
# The ratings of a user are alike: who draws rows takes sixteen thousand ratings for sixteen thousand opinions, and the
# interval is too narrow.

# %% [markdown]
# ## Exercise 4. Few neighbours
#
# Only `k` changes, and the rest stays tuned. The part is exercise 2's: to read the test for each `k` would be to choose
# by it.

# %%
tuned = baselines.load_tuned("planted")["item CF"].settings
errors = {}
for k in (3, 8, tuned["k"], 40, 120):
    fitted = predict("item CF", tuned | {"k": k}, validation)
    errors[k] = metrics.rmse(validation.test[RATING], fitted[0])
    print(f"k = {k:3}: {errors[k]:.3f} stars")
assert errors[3] > errors[tuned["k"]] + 0.01, "three neighbours should be too few"
assert errors[120] > errors[tuned["k"]] + 0.001, "very many should be too many"

# %% [markdown]
# The mean of three noisy ratings keeps more of their noise than a mean of fifteen. Very many neighbours bring in ones
# that have little to do with the item: the best `k` lies between.
