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
# A solution starts where the lesson ends. We need the lesson up to its costs, with one seed.

# %%
from recsys_utils.lessons import run_lesson

run_lesson("09", globals(), until="What a head costs", SEEDS=(1,))
retriever = models[RETRIEVER][0]

# %% [markdown]
# ## Exercise 1. Give the towers ids
#
# `make_tower` reads `HIDE_ID`, so we set it and train again.


# %%
logs = {"no ids": logs_of[RETRIEVER][0]}
for HIDE_ID in (0, 0.9):
    with_some = train_seeds("dot")[0]
    logs[f"ids, {HIDE_ID:.0%} hidden"] = lambda views, model=with_some: predict(model, views)
ratios = {name: predict_ratio(one, validation) for name, one in logs.items()}
with_ids = comparison.compare_rmse(ratios, validation, WATCH_RATIO, against="no ids")
results_table(with_ids.rename(columns={"mean": "RMSE"}))

# %%
assert with_ids["verdict"][1] == "worse", "towers that read every id should be worse"
assert abs(with_ids["difference"][2]) < 0.01, "with nine in ten hidden, ids should change little"
HIDE_ID = 1

# %% [markdown]
# Towers that read every id learn the training ids by heart, and are worse. If nine in ten are hidden, ids change little.
# Then the few that are left count ten times in training, so that their sum is as large as in prediction, which reads
# all. So the lesson leaves ids out: a smaller model, which can score a new user.

# %% [markdown]
# ## Exercise 2. New videos
#
# The first five numbers of a video are its counts. Index 0 stands for a word that training never saw.

# %%
index, tokens, numbers = encoded[1]
no_counts = keras.ops.concatenate([keras.ops.zeros_like(numbers[:, : len(COUNTS)]), numbers[:, len(COUNTS) :]], axis=1)
no_author = keras.ops.stack([tokens[:, 0], keras.ops.zeros_like(tokens[:, 1])], axis=1)
known = {"all": (tokens, numbers), "no counts": (tokens, no_counts), "no counts, no author": (no_author, no_counts)}
r2 = {}
for name, columns in known.items():
    side = (index, *columns)
    ratios = predict_ratio(lambda views, side=side: predict(retriever, views, (encoded[0], side)), validation)
    r2[name] = explained(ratios, held_out)
assert r2["all"] > r2["no counts"] + 0.01 and r2["no counts, no author"] > 0.8 * r2["all"], "features should keep most"
results_table(pd.DataFrame(r2.items(), columns=["known of a video", "R²"]))

# %% [markdown]
# The counts say how a video was received. Without them the $R^2$ falls a little: that is what the trained model loses
# without counts. A new video may lose more: these videos and authors were trained on, with counts that include later
# days. What is left comes from length, tags and upload type, which are known before anybody has watched.

# %% [markdown]
# ## Exercise 3. No smearing

# %%
smeared = predict_ratio(logs_of[RETRIEVER][0], validation)  # (n_validation,)
without = np.expm1(predict(retriever, validation))  # (n_validation,)
rows = [
    (name, metrics.mae(held_out, p), explained(p, held_out), p.mean())
    for name, p in (("with", smeared), ("without", without))
]
results_table(pd.DataFrame(rows, columns=["smearing", "MAE", "R²", "mean prediction"]))

# %%
assert metrics.mae(held_out, without) < metrics.mae(held_out, smeared), "the absolute error should fall"
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
