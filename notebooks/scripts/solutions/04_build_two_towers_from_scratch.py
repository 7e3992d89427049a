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
# # Solutions of lesson 04
#
# [![Open in Colab](../images/open-in-colab.svg)](https://colab.research.google.com/github/two-towers-course/two-towers/blob/main/notebooks/solutions/04_build_two_towers_from_scratch.ipynb) [![Launch Binder](../images/launch-binder.svg)](https://mybinder.org/v2/gh/two-towers-course/two-towers/main?urlpath=lab/tree/notebooks/solutions/04_build_two_towers_from_scratch.ipynb)
#
# These are solutions of the [exercises of lesson 04](../04_build_two_towers_from_scratch.ipynb#Exercises). Try them
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
# A solution starts where the lesson ends, so we run the lesson first, without its output. Two penalties in place of six
# and no new items are enough here.

# %%
from recsys_utils.lessons import run_lesson

run_lesson("04", globals(), until="Recommend for one user", PENALTIES=[100, 1_000], RATINGS_OF_NEW_ITEMS=[])

# %% [markdown]
# ## Exercise 1. How small a step?
#
# We take the first layer of the user tower. Its exact gradient is known, so the relative error is that of the
# measurement.

# %%
exact = gradients(small_p, small_x, small_stars)["user W1"]
steps = 10.0 ** -np.arange(13)
relative = []
for step in steps:
    measured = measure_gradients(small_p, small_x, small_stars, step)["user W1"]
    relative.append(np.linalg.norm(measured - exact) / np.linalg.norm(exact))

# %%
figure, axis = plt.subplots()
axis.loglog(steps, relative, marker="o", color="C0")
axis.set(title="A valley", xlabel="step", ylabel="relative error of the measured gradient")
plt.show()
best = steps[np.argmin(relative)]
assert 1e-7 < best < 1e-2 and min(relative) < 1e-8, "the best step should lie between both troubles"
assert relative[0] > 1e-3 < relative[-1], "a large and a tiny step should both be bad"

# %% [markdown]
# To the right of the valley the formula is at fault: its error shrinks with the square of the step. To the left the two
# losses are so close that their difference has few correct digits left.

# %% [markdown]
# ## Exercise 2. A narrower meeting point
#
# `initialise` reads `DIM` when it is called, so it is enough to change it.

# %%
errors = {}
for DIM in (1, 2, 4, 8, 16):
    errors[DIM] = fit_towers(planted, fit, chosen["planted"], [validation])[1][-1, 0]
DIM = 8
results_table(pd.DataFrame({"DIM": errors.keys(), "RMSE, validation": errors.values()}))

# %%
enough = min(dim for dim, error in errors.items() if error < 1.02 * min(errors.values()))
print("smallest DIM within 2 % of the best:", enough)
assert errors[1] > 1.05 * errors[8] and 2 < enough <= 8, "one direction should be too few, eight enough"


# %% [markdown]
# One direction cannot say that neighbouring regions like neighbouring categories: on a circle that takes a cosine and a
# sine, two directions. The ridge of age and price and the bargains of the devices want theirs, too.

# %% [markdown]
# ## Exercise 3. NDCG among rated pairs
#
# Users with at least ten test pairs count, if some are relevant and some not. The gain of an order is divided by the
# gain of the best one.


# %%
def gain(scores):  # (n_test,) -> (n_users,)
    ranked = test.assign(score=scores)[is_asked].sort_values("score", ascending=False, kind="stable")
    place = ranked.groupby(USER_ID).cumcount()  # 0 for the best of a user
    return ((ranked[RATING] >= 4) * (place < 10) / np.log2(place + 2)).groupby(ranked[USER_ID]).sum()


of_user = test.groupby(USER_ID)[RATING]
is_asked = (of_user.transform("size") >= 10) & (of_user.transform("min") < 4) & (of_user.transform("max") >= 4)
best_gain = gain(test[RATING])

# %%
from recsys_utils.comparison import compare

ndcg = {name: [gain(seed) / best_gain for seed in np.atleast_2d(each)] for name, each in predictions.items()}
table = compare(ndcg, against="SVD").set_index("model")
assert table.loc["two towers", "verdict"] == "better", "the towers should rank better than SVD"
results_table(table.reset_index())

# %% [markdown]
# The towers rank better than SVD. Even the mean, which gives every pair the same stars and so ranks at random, gets more
# than 0.3: with a dozen pairs to rank, chance finds many relevant ones.

# %%
assert table.loc["mean", "mean"] > 0.3, "a random order should look good on this metric"

# %% [markdown]
# ## Exercise 4. New users
#
# As in the lesson, with users in the place of items: a hundred for the test, another hundred to choose by.

# %%
new, trial = np.split(np.random.default_rng(1).permutation(planted.users[USER_ID])[:200], 2)
known = half[~half[USER_ID].isin(new)]
few = keep_few(known, trial, 0, USER_ID)
late = test[test[USER_ID].isin(new)]
table = compare_models(few, known.drop(few.index), keep_few(half, new, 0, USER_ID), late)
error = table.set_index("model")["times_floor"]
assert error["two towers"] < min(1.1, 0.9 * error["biases"]), "features should say who a new user is"
results_table(table)

# %% [markdown]
# The towers stay below 1.1 times the floor. A new user lacks a bias of their own. The latent taste, which no feature
# tells, our towers miss for known users, too.
