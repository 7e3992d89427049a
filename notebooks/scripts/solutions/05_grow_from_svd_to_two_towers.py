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
# # Solutions of lesson 05
#
# [![Open in Colab](../images/open-in-colab.svg)](https://colab.research.google.com/github/two-towers-course/two-towers/blob/main/notebooks/solutions/05_grow_from_svd_to_two_towers.ipynb) [![Launch Binder](../images/launch-binder.svg)](https://mybinder.org/v2/gh/two-towers-course/two-towers/main?urlpath=lab/tree/notebooks/solutions/05_grow_from_svd_to_two_towers.ipynb)
#
# These are solutions of the [exercises of lesson 05](../05_grow_from_svd_to_two_towers.ipynb#Exercises). Try them
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
# Three of the exercises are about part one of the lesson. We run it with nine directions, without its output.

# %%
from recsys_utils.lessons import run_lesson

run_lesson("05", globals(), until="From here to two towers", RANK=9)

# %% [markdown]
# ## Exercise 1. Where there is no gap
#
# The error, the largest angle between the towers' users and SVD's, and how much of each SVD direction the towers hold:
# 1 is all of it.

# %%
largest = angles["towers, users"].max()
print(f"RMSE: towers {tower_error:.4f}, SVD {svd_error:.4f} stars")
share = ((left.T @ np.linalg.qr(p)[0]) ** 2).sum(axis=1)  # (n_items,) of each SVD direction
print(f"largest angle {largest:.0f} degrees")
assert tower_error < 1.01 * svd_error, "the error should be SVD's, within 1 %"
assert largest > 30 and share[:8].min() > 0.9 > share[8], "the subspaces should differ, in the ninth direction alone"
results_table(pd.DataFrame({"direction": range(7, 15), "strength": sigma[6:14], "held by the towers": share[6:14]}))

# %% [markdown]
# The strengths from the ninth on are nearly equal, so it hardly matters for the error which of them the towers take.
# Their last direction is a mixture: training has hardly begun to tell these apart. SVD's subspace is defined here, but
# poorly determined.

# %% [markdown]
# ## Exercise 2. Shuffle the wrong table
#
# The strongest direction of the whole table, shuffled ten times.

# %%
rng = np.random.default_rng(2)
counts = []
for _ in range(10):
    shuffled = rng.permutation(table.ravel()).reshape(table.shape)  # (n_users, n_items)
    counts.append(int((sigma > np.linalg.norm(shuffled, 2)).sum()))
print("directions above chance:", counts)
assert 5 <= min(counts) <= max(counts) < 8, "the weak directions should be lost"

# %% [markdown]
# The shuffled table holds the signal's size without its structure, so chance looks stronger than it is. The five strong
# directions are far above it in every shuffle; the weak ones are lost, or nearly so.

# %% [markdown]
# ## Exercise 3. Half a table
#
# We hide half of the cells, subtract the mean of the others, and train fresh linear towers of five directions on them.

# %%
is_hidden = np.random.default_rng(1).random(table.shape) < 0.5  # (n_users, n_items)
visible = table - table[~is_hidden].mean()
keep = ~is_hidden.ravel()  # (n_pairs,)
keras.utils.set_random_seed(1)
sides = [layers.Dense(5, use_bias=False)(one_hot_input) for one_hot_input in (user_one_hot, item_one_hot)]
half = keras.Model([user_one_hot, item_one_hot], layers.Dot(axes=1)(sides))
steps = -(-keep.sum() // 1_000)
falling = keras.optimizers.schedules.CosineDecay(0.05, TABLE_EPOCHS * steps)
half.compile(keras.optimizers.Adam(falling), loss="mse", steps_per_execution=int(steps), jit_compile=False)
half.fit([rows[keep] for rows in one_hots], visible.ravel()[keep], batch_size=1_000, epochs=TABLE_EPOCHS, verbose=0)
p, q = (weight.numpy() for weight in half.weights)  # (n_users, 5), (n_items, 5)

# %%
filled, errors = np.where(is_hidden, 0, visible), []
for _ in range(11):  # once with zeros, ten times refilled
    a, s, b = np.linalg.svd(filled, full_matrices=False)
    by_svd = (a[:, :5] * s[:5]) @ b[:5]  # (n_users, n_items)
    errors.append(metrics.rmse(visible[is_hidden], by_svd[is_hidden]))
    filled = np.where(is_hidden, by_svd, visible)
of_towers = metrics.rmse(visible[is_hidden], (p @ q.T)[is_hidden])
assert abs(errors[-1] / of_towers - 1) < 0.01 < 0.05 < errors[0] / of_towers - 1, "refilling should reach the towers"
rows = {"SVD, holes filled with 0": errors[0], "SVD, refilled ten times": errors[-1], "linear towers": of_towers}
results_table(pd.DataFrame({"model": rows.keys(), "RMSE, hidden half": rows.values()}))

# %% [markdown]
# Filled with zeros, SVD takes them for ratings and predicts too little. Refilled with its own predictions, it fits the
# cells that are there, as the towers' loss does.

# %% [markdown]
# ## Exercise 4. Two directions
#
# We run the lesson up to the ladder with two directions and with eight, and choose each rung's penalty on validation. At
# eight we take the penalties that the lesson chose. Part one is of no use here: one epoch.

# %%
run_lesson("05", globals(), until="Train the ladder", DIM=2, TABLE_EPOCHS=1)
tried = {rung: {one: train_rung(rung, one, fit, validation)[-1] for one in PENALTIES[rung]} for rung in RUNGS}
chosen = {rung: min(errors, key=errors.get) for rung, errors in tried.items()}
narrow = {rung: tried[rung][chosen[rung]] for rung in RUNGS}
print("chosen with two directions:", chosen)

# %%
run_lesson("05", globals(), until="Train the ladder", TABLE_EPOCHS=1)
penalties = {"linear, ids": 3, "linear, features": 100, "nonlinear, features": 1_000}
wide = {rung: train_rung(rung, penalty, fit, validation)[-1] for rung, penalty in penalties.items()}
ratio = {rung: narrow[rung] / wide[rung] for rung in RUNGS}
assert ratio["nonlinear, features"] > 1.05 and min(ratio, key=ratio.get) == "linear, ids", "the top should lose most"
columns = {"rung": wide.keys(), "DIM 2": narrow.values(), "DIM 8": wide.values(), "ratio": ratio.values()}
results_table(pd.DataFrame(columns))

# %% [markdown]
# The rungs with features lose most: two directions are not enough for all that was planted.
