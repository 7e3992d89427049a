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
# # Solutions of lesson 03
#
# [![Open in Colab](../images/open-in-colab.svg)](https://colab.research.google.com/github/two-towers-course/two-towers/blob/main/notebooks/solutions/03_rank_with_classic_baselines.ipynb) [![Launch Binder](../images/launch-binder.svg)](https://mybinder.org/v2/gh/two-towers-course/two-towers/main?urlpath=lab/tree/notebooks/solutions/03_rank_with_classic_baselines.ipynb)
#
# These are solutions of the [exercises of lesson 03](../03_rank_with_classic_baselines.ipynb#Exercises). Try them
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
# A solution starts where the lesson compared its models, so we run the lesson up to there, without its output.

# %%
from recsys_utils.lessons import run_lesson

run_lesson("03", globals(), until="What goes wrong, and why")

# %% [markdown]
# ## Exercise 1. A middle way
#
# A movie's bias is shrunk to zero as if it had `reg_i` more ratings, all of them average. So a large `reg_i` leaves
# high biases only to movies with many ratings, which are the popular ones.

# %%
biases, rmse = {"most popular": by_user["most popular"], "as tuned": by_user["biases"]}, {}
rmse["as tuned"] = metrics.rmse(test[RATING], predicted["biases"])
for reg_i in (30, 100, 300):
    model = baselines.rating_model(
        "biases", bsl_options=tuned_stars["biases"].settings["bsl_options"] | {"reg_i": reg_i}
    )
    rmse[f"reg_i {reg_i}"] = metrics.rmse(test[RATING], baselines.predict_with_surprise(model, train, test))
    scores = np.full(len(task.items), -np.inf)  # (n_items,)
    scores[known] = model.bi[columns]
    ranking = metrics.evaluate_ranking(np.tile(scores, (len(task.users), 1)), task)
    biases[f"reg_i {reg_i}"] = ranking.ndcg

# %% [markdown]
# The table compares with the tuned biases.

# %%
middle_way = comparison.compare(biases, "as tuned").drop(columns="seed_spread").set_index("model")
results_table(middle_way.join(pd.Series(rmse, name="RMSE, stars")).reset_index())

# %%
assert middle_way["mean"]["reg_i 100"] > 2 * middle_way["mean"]["as tuned"], "harder shrinkage should double NDCG"
assert rmse["reg_i 300"] > rmse["reg_i 100"] > rmse["as tuned"] + 0.01, "and cost stars"

# %% [markdown]
# Harder shrinkage more than doubles the NDCG@10, and brings it near that of most popular. The stars pay: the RMSE
# rises with `reg_i`.

# %% [markdown]
# ## Exercise 2. Explain yourself
#
# The score of a movie is the sum of the weights that lead to it from the watched movies. So each watched movie's
# weight is its contribution.

# %%
top = np.argsort(-task.popularity, kind="stable")[:300]  # columns of the 300 most popular movies
history = seen[:, top].astype(float)  # (n_users, 300)
weights = ease_weights(history, penalty=500)  # (300, 300)
row = np.flatnonzero(task.users == USER)[0]
scores = history[row] @ weights  # (300,)
recommended = metrics.recommend(scores[None], history[[row]] > 0, k=1)[0, 0]
contributions = history[row] * weights[:, recommended]  # (300,), 0 where not watched
assert np.isclose(contributions.sum(), scores[recommended]), "contributions should add up to the score"

# %%
title = movies[TITLE].loc[task.items[top]].to_numpy()  # (300,)
reasons = np.argsort(-contributions)[:3]
print(f"{title[recommended]}, score {scores[recommended]:.3f}, because of")
results_table(pd.DataFrame({"watched": title[reasons], "contribution": contributions[reasons]}))

# %% [markdown]
# The list of reasons is exact, not a guess: EASE is linear, so the contributions add up to the score.

# %% [markdown]
# ## Exercise 3. After the sitting
#
# The models stay as they are. The rest of the sitting joins the histories, as if the user had just finished it.

# %%
to_come = test[~same_sitting]
histories = pd.concat([train, test[same_sitting]])
histories = histories[histories[USER_ID].isin(to_come[USER_ID])]
after = metrics.make_ranking_task(histories, to_come, items=task.items)
print(f"{len(after.users)} users have {len(to_come):,} test ratings after the sitting.")

# %%
rows = np.searchsorted(task.users, after.users)  # (n_after,) of the lesson's task
power = {name: tuned[name].settings["power"] for name in ("EASE that fades", "item to next item")}
faded = {name: baselines.faded_history(histories, after, power[name]) for name in power}  # (n_after, n_items) each
scores = {
    "most popular": np.tile(task.popularity, (len(after.users), 1)),  # (n_after, n_items)
    "item CF": item_cf.scores(after.seen),
    "EASE": ease.scores(after.seen),
    "EASE that fades": ease_to_fade.scores(faded["EASE that fades"]),
    "item to next item": next_item.scores(faded["item to next item"]),
}
ndcg_after = {name: metrics.evaluate_ranking(matrix, after).ndcg for name, matrix in scores.items()}
compared = comparison.compare(ndcg_after, "EASE").drop(columns="seed_spread").set_index("model")
results_table(compared.reset_index())

# %% [markdown]
# Item to next item no longer leads. But these are fewer users than the lesson's. So we ask how the lead of each model that
# fades changed for the *same* users, from the lesson's test to this one.

# %%
change = {"no change": np.zeros(len(rows))}  # of the lead over EASE, (n_after,) each
for name in power:
    lead_after, lead_before = ndcg_after[name] - ndcg_after["EASE"], (by_user[name] - by_user["EASE"])[rows]
    change[name] = lead_after - lead_before
    print(f"{name}: {lead_before.mean():.3f} in the lesson's test, {lead_after.mean():.3f} after the sitting")
changed = comparison.compare(change, "no change").drop(columns=["mean", "seed_spread"]).set_index("model")
results_table(changed.reset_index())

# %%
assert compared["verdict"]["most popular"] == "worse", "EASE should still beat most popular"
assert compared["verdict"]["item to next item"] != "better", "item to next item should not lead after the sitting"
assert changed["verdict"]["item to next item"] == "worse", "its lead should fall for the same users"
assert changed["verdict"]["EASE that fades"] == comparison.CANNOT_TELL, "of the other the data should not tell"
assert len(rows) < len(task.users) / 2, "these should be fewer users"

# %% [markdown]
# Item to next item's lead over EASE falls; whether the lead of EASE that fades does, the data cannot tell. Nor can they
# tell who is best on the first screen of the next visit.
