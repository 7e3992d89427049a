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
# # Solutions of lesson 09
#
# [![Open in Colab](../images/open-in-colab.svg)](https://colab.research.google.com/github/two-towers-course/two-towers/blob/main/notebooks/solutions/09_predict_watch_ratio.ipynb) [![Launch Binder](../images/launch-binder.svg)](https://mybinder.org/v2/gh/two-towers-course/two-towers/main?urlpath=lab/tree/notebooks/solutions/09_predict_watch_ratio.ipynb)
#
# These are solutions of the [exercises of lesson 09](../09_predict_watch_ratio.ipynb#Exercises). Try them
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
# A solution starts where the lesson ends. We need one seed, and the lesson up to its costs.

# %%
from recsys_utils.lessons import run_lesson

run_lesson("09", globals(), until="What a head costs", SEEDS=(1,))
retriever = models[RETRIEVER][0]

# %% [markdown]
# ## Exercise 1. Hide fewer ids
#
# `make_tower` reads `HIDE_ID`, so we set it and train again.

# %%
lowest = {HIDE_ID: min(retriever[2]["val_loss"])}
for share in (0, 0.5, 0.95):
    HIDE_ID = share
    lowest[share] = min(train_model("dot", 1)[2]["val_loss"])
results_table(pd.DataFrame(sorted(lowest.items()), columns=["ids hidden", "validation loss"]), digits=4)

# %%
assert lowest[0] == max(lowest.values()), "hiding no id should be worst"
assert max(lowest[0.5], lowest[0.9]) < lowest[0] - 3e-4, "by a margin"

# %% [markdown]
# Without hiding, the towers learn training ids by heart, and the loss on the validation part is highest. From one half
# on, the curve is nearly flat; differences there are those of one seed.

# %% [markdown]
# ## Exercise 2. Cold videos
#
# Index 0 stands for a video that training never saw.

# %%
index, tokens, numbers = encoded[1]
cold = encoded[0], (keras.ops.zeros_like(index), tokens, numbers)
scores = {"known": predict_ratio(lambda views: predict(retriever, views), validation)}
scores["cold"] = predict_ratio(lambda views: predict(retriever, views, cold), validation)
r2 = {name: explained(predicted, held_out) for name, predicted in scores.items()}
print(f"R² with known ids {r2['known']:.3f}, with cold ones {r2['cold']:.3f}")
assert abs(r2["known"] - r2["cold"]) < 0.1 * r2["known"], "features alone should keep nearly all"

# %% [markdown]
# The features keep nearly all of the explained variance. The towers hardly use the ids of videos, so a new video, whose id
# no tower knows, is predicted as well.

# %% [markdown]
# ## Exercise 3. No smearing

# %%
without = np.expm1(predict(retriever, validation))  # (n_validation,)
rows = [
    (name, metrics.mae(held_out, p), explained(p, held_out), p.mean())
    for name, p in (("with", scores["known"]), ("without", without))
]
results_table(pd.DataFrame(rows, columns=["smearing", "MAE", "R²", "mean prediction"]))

# %%
assert metrics.mae(held_out, without) < metrics.mae(held_out, scores["known"]), "the absolute error should fall"
assert without.mean() < held_out.mean() - 0.03, "and the mean prediction should be too low"
print(f"mean ratio {held_out.mean():.3f}")

# %% [markdown]
# Without the factor the absolute error is lower, since the predictions are near the median. Their mean is too low, and
# less of the variance is explained.

# %% [markdown]
# ## Exercise 4. Save and load
#
# The parts are layers, so one model can hold them. Here it takes encoded columns; a server would put the look-ups and
# the scaler in front.

# %%
import tempfile

towers, head, _ = retriever
smearing = float(np.exp(np.log1p(held_out) - predict(retriever, validation)).mean())
log_ratio = head([tower.output for tower in towers])  # (batch, 1)
answer = layers.Rescaling(smearing, offset=-1)(keras.ops.exp(log_ratio))  # (batch, 1)
served = keras.Model([*towers[0].inputs, *towers[1].inputs], answer)
with tempfile.TemporaryDirectory() as folder:
    served.save(f"{folder}/watch_ratio.keras")
    loaded = keras.models.load_model(f"{folder}/watch_ratio.keras")

# %%
some_views = test.head(1_000)
columns = [np.asarray(column)[rows] for side, rows in zip(encoded, rows_of(some_views), strict=True) for column in side]
after = np.asarray(loaded(columns))[:, 0]  # (1_000,)
assert np.allclose(after, predictions[RETRIEVER][0, :1_000], rtol=1e-3, atol=1e-3), "the same answers as before"
print(f"{len(after):,} predictions agree")

# %% [markdown]
# The loaded model gives the same predictions, up to rounding, and answers in ratios: the way back from logarithms is a
# part of it.
