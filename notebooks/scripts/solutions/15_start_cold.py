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
# # Solutions of lesson 15
#
# [![Open in Colab](../images/open-in-colab.svg)](https://colab.research.google.com/github/two-towers-course/two-towers/blob/main/notebooks/solutions/15_start_cold.ipynb) [![Launch Binder](../images/launch-binder.svg)](https://mybinder.org/v2/gh/two-towers-course/two-towers/main?urlpath=lab/tree/notebooks/solutions/15_start_cold.ipynb)
#
# These are solutions of the [exercises of lesson 15](../15_start_cold.ipynb#Exercises). Try them
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
# A solution starts where the lesson ends. We run the lesson down to "In practice", with one seed and without its output.

# %%
from recsys_utils.lessons import run_lesson

run_lesson("15", globals(), until="In practice", SEEDS=(1,))

# %% [markdown]
# ## Exercise 1. Three movies
#
# The window has three movies in place of five. The movies that we no longer name may come back as recommendations.

# %%
three = ask(horror[:3], towers[0], test_movie)
stay = np.isin(lists[horror[0]], three).sum()
print(f"{stay} of ten recommendations stay.")
print(*titles[three], sep="; ")
assert stay >= 4

# %% [markdown]
# Most of the list is carried by what the movies have in common.

# %% [markdown]
# ## Exercise 2. Beginnings or whole lives
#
# Both towers make about as many steps with as many windows. What differs is where the windows lie in a life. Two seeds
# each.

# %%
asked = ask_after(NAMED, fold)
windows = {"beginnings": {}, "whole lives": {"until": 120, "epochs": 4}}
by_windows = {}
for name, options in windows.items():
    models = [train_model(fold.seen, seed, **tuned["history tower"].settings | options) for seed in (1, 2)]
    by_windows[name] = np.stack([ndcg_of(score(one, asked.windows), asked) for one in models])  # (2, n_new)
against_beginnings = comparison.compare(by_windows, "beginnings").set_index("model")
results_table(against_beginnings.reset_index())

# %%
assert against_beginnings["verdict"]["whole lives"] != comparison.BETTER

# %% [markdown]
# On average the towers of whole lives are behind, though they have seen the same beginnings, and more. The users of one
# fold are too few for an interval clear of zero.

# %% [markdown]
# ## Exercise 3. Never hidden
#
# We train on the first fold, where other movies are new, and compare what features say with and without hiding. One seed
# each.

# %%
asked, settings = ask_for_new(fold), LATER | tuned_new["tower"].settings
hidden = {}
for hide in (0.0, settings["hide"]):
    model = train_model(fold.seen, 1, **settings | {"hide": hide})
    scores = score(model, asked.windows)[:, fold.new_movies]  # (n_asked, n_new_movies)
    hidden[f"hide {hide}"] = ndcg_of(scores, asked)
never = comparison.compare(hidden, f"hide {settings['hide']}").set_index("model")
results_table(never.drop(columns="seed_spread").reset_index())

# %%
assert never["difference"]["hide 0.0"] < 0

# %% [markdown]
# With own vectors always at hand, the features learn only what these leave over.
