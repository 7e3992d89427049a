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
# # Solutions of lesson 10
#
# [![Open in Colab](../images/open-in-colab.svg)](https://colab.research.google.com/github/two-towers-course/two-towers/blob/main/notebooks/solutions/10_learn_from_likes.ipynb) [![Launch Binder](../images/launch-binder.svg)](https://mybinder.org/v2/gh/two-towers-course/two-towers/main?urlpath=lab/tree/notebooks/solutions/10_learn_from_likes.ipynb)
#
# These are solutions of the [exercises of lesson 10](../10_learn_from_likes.ipynb#Exercises). Try them
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
# A solution starts where the lesson ends. These need the lesson down to its table of negatives, so we run it until
# there, without its output.

# %%
from recsys_utils.lessons import run_lesson

run_lesson("10", globals(), until="What goes wrong, and why")

# %% [markdown]
# ## Exercise 1. One class
#
# "Yes" to every later view is right where there is a like. Equal scores cannot tell one post from another, and a tie
# counts ½.

# %%
yes = np.ones(validation.liked.shape)  # (n_users, n_posts)
views = validation.later_liked | validation.later_passed
accuracy = (yes[views] == validation.later_liked[views]).mean()
print(f"accuracy {accuracy:.1%}, AUC by user {auc_of(yes, validation):.2f}")
assert np.isclose(accuracy, validation.later_liked.sum() / views.sum())
assert np.isclose(auc_of(yes, validation), 0.5)

# %% [markdown]
# On the likes alone, the same model has an accuracy of 100 %. Its accuracy tells how many labels are 1, nothing else.

# %% [markdown]
# ## Exercise 2. Show the ids always
#
# Some posts of the validation window had no view before the cut. We ask for these alone, among the whole catalogue, with
# and without hidden ids.

# %%
found, rate = {}, best["rate"][KEPT]
for share in (ID_DROPOUT, 0.0):
    run_lesson("10", globals(), until="Which negatives, and how many", ID_DROPOUT=share)
    task = tasks["validation"]
    rows, unviewed = metrics.ask_for(task.ranking, ~(task.liked | task.passed).any(axis=0))
    scores = train(make_model(task), task, "uniform", 4, PASSED, rate, SEEDS[0])
    found[f"ID_DROPOUT = {share}"] = metrics.evaluate_ranking(scores[task.asked][rows], unviewed)
    hidden = hidden if share == 0 else scores  # (n_users, n_posts) of the lesson's towers, for exercise 3
of_unviewed = {name: each.ndcg for name, each in found.items()}
print(f"{len(rows)} users like one of these posts")
results_table(comparison.compare(of_unviewed, against="ID_DROPOUT = 0.3").drop(columns="seed_spread"))

# %% [markdown]
# Shown always, ids leave the features a worse stand-in for posts without one.

# %%
assert found["ID_DROPOUT = 0.0"].ndcg.mean() < 0.8 * found["ID_DROPOUT = 0.3"].ndcg.mean()

# %% [markdown]
# ## Exercise 3. Lift the towers
#
# We take the towers with hidden ids from exercise 2. Their scores are logits of either sign, so we add, where the lesson
# multiplies the scores of iALS.

# %%
new, lifted = ~(task.liked | task.passed).any(axis=0), []  # (n_posts,)
for step in (0, 0.5, 1, 2):
    scores = (hidden + step * new)[task.asked]  # (n_asked, n_posts)
    of_all, of_new = (metrics.evaluate_ranking(*each) for each in ((scores, task.ranking), (scores[rows], unviewed)))
    lifted.append((step, of_all.ndcg.mean(), of_new.ndcg.mean()))
lifted = pd.DataFrame(lifted, columns=["added", "NDCG@10", "NDCG@10, new posts alone"])
results_table(lifted)

# %% [markdown]
# The same trade-off: new posts that rise take places from others. How far to lift is a choice for validation, or for the
# app's owner, here as in iALS.

# %%
assert lifted["NDCG@10, new posts alone"].is_monotonic_increasing
assert lifted["NDCG@10"].iloc[-1] < lifted["NDCG@10"][0] - 0.01
