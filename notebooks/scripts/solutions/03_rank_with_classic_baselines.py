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
# ## Exercise 2. Neighbours of users
#
# Two users are similar by the cosine of their histories; a movie's score is the sum of the similarities of those who
# watched it.

# %%
unit = seen / np.linalg.norm(seen, axis=1, keepdims=True)  # (n_users, n_items), rows of length 1
user_cf = (unit @ unit.T) @ seen  # (n_users, n_users) times (n_users, n_items)
found = metrics.evaluate_ranking(user_cf, task)
compared = comparison.compare(
    {"most popular": by_user["most popular"], "user CF": found.ndcg, "item CF": by_user["item CF"]}, "most popular"
).set_index("model")
coverage = pd.Series({"user CF": found.coverage, "item CF": results["item CF"].coverage}, name="coverage")
results_table(compared.drop(columns="seed_spread").join(coverage).reset_index())

# %%
assert compared["verdict"]["user CF"] == "better", "neighbours of users should beat most popular"
assert coverage["user CF"] < coverage["item CF"], "item CF should cover more"
assert found.popularity > results["item CF"].popularity, "user CF should recommend more popular movies"

# %% [markdown]
# User-based CF beats most popular, but it covers less than item CF and recommends more popular movies. Nothing in its
# sum discounts popularity, as item CF does.

# %% [markdown]
# ## Exercise 3. Explain yourself
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
# ## Exercise 4. Recent first
#
# The weights of EASE stay as they are; only the history that they are applied to fades.

# %%
fades = {f"power {power}": baselines.faded_history(train, task, power) for power in (0.25, 0.5, 0.75)}
recent_first = {name: metrics.evaluate_ranking(ease.scores(faded), task).ndcg for name, faded in fades.items()}
known_models = {name: by_user[name] for name in ("EASE", "item to next item")}
recent_table = comparison.compare(known_models | recent_first, "EASE").drop(columns="seed_spread").set_index("model")
results_table(recent_table.reset_index(), digits=4)

# %%
assert recent_table["verdict"]["power 0.5"] == "better", "a history that fades should beat a set"
assert recent_table["mean"][list(fades)].max() < recent_table["mean"]["item to next item"], "but not the next item"

# %% [markdown]
# A history that fades is clearly better than a set. Item to next item is still ahead in the mean. The powers are only
# shown here: to choose one, use the validation part, not the test.
