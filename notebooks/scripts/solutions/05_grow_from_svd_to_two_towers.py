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
# The error, the strengths around the cut, and the largest angle between the towers' users and SVD's.

# %%
largest = angles["towers, users"].max()
print(f"RMSE: towers {tower_error:.4f}, SVD {svd_error:.4f} stars")
print(f"strengths 9 and 10: {sigma[8]:.2f}, {sigma[9]:.2f}; largest angle {largest:.0f} degrees")
assert tower_error < 1.01 * svd_error, "the error should be SVD's, within 1 %"
assert largest > 30, "the subspaces should differ"

# %% [markdown]
# The ninth and the tenth strength are nearly equal. So it hardly matters for the error which of the two the towers
# take, and training stops somewhere between them. A subspace is defined only where there is a gap.

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
a, s, b = np.linalg.svd(np.where(is_hidden, 0, visible), full_matrices=False)
by_svd = (a[:, :5] * s[:5]) @ b[:5]  # (n_users, n_items)
error = {"zero": 0 * visible, "SVD, holes filled with 0": by_svd, "linear towers": p @ q.T}
error = {name: metrics.rmse(visible[is_hidden], each[is_hidden]) for name, each in error.items()}
assert error["linear towers"] < 0.95 * error["SVD, holes filled with 0"], "the towers should be clearly better"
results_table(pd.DataFrame({"model": error.keys(), "RMSE, hidden half": error.values()}))

# %% [markdown]
# SVD takes the zeros for ratings and predicts about half of every deviation. The towers' loss leaves the holes out.

# %% [markdown]
# ## Exercise 4. Two directions
#
# We run the lesson up to the ladder once more, with two directions, and train each rung with the penalty that the
# lesson chose.

# %%
run_lesson("05", globals(), until="Train the ladder", DIM=2)
penalties = {"linear, ids": 3, "linear, features": 100, "nonlinear, features": 1_000}
narrow = {
    rung: np.sqrt(train_rung(rung, penalty, fit, validation)["val_mse"][-1]) for rung, penalty in penalties.items()
}
run_lesson("05", globals(), until="Train the ladder")
wide = {rung: np.sqrt(train_rung(rung, penalty, fit, validation)["val_mse"][-1]) for rung, penalty in penalties.items()}
ratio = {rung: narrow[rung] / wide[rung] for rung in penalties}
assert ratio["nonlinear, features"] > 1.05 and min(ratio, key=ratio.get) == "linear, ids", "the top should lose most"
columns = {"rung": wide.keys(), "DIM 2": narrow.values(), "DIM 8": wide.values(), "ratio": ratio.values()}
results_table(pd.DataFrame(columns))

# %% [markdown]
# The top rungs lose most. Two directions are enough for one planted effect, the circle of regions and categories or the
# ridge of age and price, but not for all of them.
