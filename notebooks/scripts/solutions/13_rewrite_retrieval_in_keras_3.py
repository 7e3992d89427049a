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
# # Solutions of lesson 13
#
# [![Open in Colab](../images/open-in-colab.svg)](https://colab.research.google.com/github/two-towers-course/two-towers/blob/main/notebooks/solutions/13_rewrite_retrieval_in_keras_3.ipynb) [![Launch Binder](../images/launch-binder.svg)](https://mybinder.org/v2/gh/two-towers-course/two-towers/main?urlpath=lab/tree/notebooks/solutions/13_rewrite_retrieval_in_keras_3.ipynb)
#
# These are solutions of the [exercises of lesson 13](../13_rewrite_retrieval_in_keras_3.ipynb#Exercises). Try them
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
# The solutions start where the lesson has trained, evaluated and made its index. It runs again up to there, lesson 11's
# process too, without its output. The comparisons below are on the validation part, since a choice is what they serve.

# %%
from recsys_utils.lessons import run_lesson

run_lesson("13", globals(), until="Errors that people search for")

# %% [markdown]
# ## Exercise 1. Grow the index
#
# Training has never seen the movie, so it gets the row of the unknown, 0. That row was never trained, either; its period
# and its genres speak for the movie.

# %%
genre_names = items[GENRES].str.get_dummies("|").columns
arrival = {
    "movie": np.array([0], "int32"),
    "period": np.digitize([2016], range(1905, 2020, 5)).astype("int32"),
    "genres": np.array([genre_names == "Horror"], "float32"),  # (1, n_genres)
}
vector = ops.convert_to_numpy(model.candidate_tower(arrival))  # (1, dim)
print("vector", vector.shape, "length", np.linalg.norm(vector).round(2))

# %% [markdown]
# `update_candidates` writes into a variable whose shape is that of the old catalogue. It takes new vectors for the same
# number of movies, as after training again, and no more:

# %%
grown, new_id = np.concatenate([vectors, vector]), int(items[ITEM_ID].max()) + 1  # (n_items + 1, dim)
grown_ids = np.append(items[ITEM_ID].to_numpy(), new_id)  # (n_items + 1,)
try:
    brute_force.update_candidates(grown, grown_ids)
    refused = False
except ValueError as error:
    refused = True
    print(str(error).split("Target variable")[0])
assert refused, "a larger catalogue needs a new index"

# %% [markdown]
# So make a new one. It returns every movie here, so that we can look for the new one's rank among all:

# %%
everything = keras_rs.layers.BruteForceRetrieval(grown, grown_ids, k=len(grown))
grown_index = keras.Model(model.query_tower.input, everything(model.query_tower.output))
query = look_up(np.array([USER]), users)
ranked = ops.convert_to_numpy(grown_index(query)[1])[0]  # (n_items + 1,) ids, best first
rank = 1 + int(np.flatnonzero(ranked == new_id)[0])
print(f"for user {USER}, the new movie has the rank {rank:,} of {len(ranked):,}")
before = pd.Series(score(model, catalogue)[query[0] - 1], index=items[ITEM_ID])  # (n_items,) scores before it came
assert (np.diff(before[ranked[ranked != new_id]]) < 1e-4).all(), "the other movies should keep their order"

# %% [markdown]
# All other movies kept their order (but for ties), because a dot product looks at one movie at a time. The new one stands
# far down, for a user who likes horror, too. Is that its own fault? Where do movies stand that were in the catalogue, and
# in no training pair? They have row 0 as well:

# %%
unknown = items[ITEM_ID].to_numpy()[catalogue["movie"] == 0]
middle = np.median(1 + np.flatnonzero(np.isin(ranked, unknown)))
print(f"{len(unknown):,} movies with row 0 have a median rank of {middle:,.0f}")
assert middle > len(ranked) / 2, "movies with row 0 should stand in the lower half"

# %% [markdown]
# Most of them stand in the lower half, too. That fits a row which has learnt nothing, and does not prove it the cause.
# [Lesson 15](../15_start_cold.ipynb) asks what features can do.

# %% [markdown]
# ## Exercise 2. What the defect costs
#
# `in_batch_softmax` removes the hits, `by_keras_rs` leaves them in. Everything else is equal, the random numbers too.

# %%
inner, inner_task = validation_split.train, metrics.make_ranking_task(*validation_split, items=items[ITEM_ID])
inner_catalogue, _ = describe(inner)


def validate(**options):
    """Train with each seed, and return NDCG@10 on the validation part, (n_seeds, n_users)."""
    trained = [train_model(inner, seed, **options)[0] for seed in SEEDS]
    scores = (score(model, inner_catalogue) for model in trained)
    return np.stack([metrics.evaluate_ranking(one, inner_task).ndcg for one in scores])


by_user = {"hits removed": validate(), "hits left in": validate(loss_of_batch=by_keras_rs)}
defect = comparison.compare(by_user, "hits removed")
results_table(defect.rename(columns={"mean": "NDCG@10"}), digits=4)

# %%
low, high = defect[["low", "high"]].iloc[1]
assert -MARGIN < low <= high < MARGIN, "the defect should cost less than the margin here"

# %% [markdown]
# Here the defect costs less than `MARGIN` either way. How often does a row meet its own movie? That grows with the batch,
# and with the share of the most popular movies:

# %%
shares = inner_task.popularity / inner_task.popularity.sum()  # (n_items,)
print(f"{(BATCH - 1) * (shares**2).sum():.1f} hits a row, among {BATCH - 1:,} negatives")

# %% [markdown]
# ## Exercise 3. A mean in place of the sum
#
# The mean's gradient is the sum's divided by the batch. Adagrad divides a gradient by the root of the squares so far, and
# starts them at 0.1. That start was small beside the sum's squares. Beside the mean's it is enormous, so that the model
# hardly moves:


# %%
def mean_softmax(*given):
    return in_batch_softmax(*given) / BATCH


by_user["mean"] = validate(loss_of_batch=mean_softmax)
by_user["mean, start rescaled"] = validate(loss_of_batch=mean_softmax, accumulator=0.1 / BATCH**2)
by_user["most popular"] = metrics.evaluate_ranking(
    np.tile(inner_task.popularity, (len(users), 1)).astype("float32"), inner_task
).ndcg

# %% [markdown]
# With a gradient divided by $B$, squares are divided by $B^2$. If the start is, too, then every step is the sum's: $B$
# cancels. Only Adagrad's $\epsilon$, added to the squares, does not know of it: it is small beside either start, but no
# longer tiny.

# %%
epsilon = keras.optimizers.Adagrad().epsilon
print(f"epsilon is {epsilon / 0.1:.4%} of the start, and {epsilon / (0.1 / BATCH**2):.1%} of the rescaled one")
means = comparison.compare(
    {name: by_user[name] for name in ("most popular", "mean", "mean, start rescaled", "hits removed")}, "most popular"
)
results_table(means.rename(columns={"mean": "NDCG@10"}), digits=4)

# %%
verdict = means.set_index("model")["verdict"]
assert verdict["mean"] == "worse", "the mean should fall below most popular"
assert verdict["mean, start rescaled"] == "better", "rescaled, it should be back above"

# %% [markdown]
# And is it back where the sum was? A difference needs its own paired interval:

# %%
sums = comparison.compare({name: by_user[name] for name in ("hits removed", "mean, start rescaled")}, "hits removed")
low, high = sums[["low", "high"]].iloc[1]
print(f"the mean, start rescaled, less the sum: from {low:.4f} to {high:.4f}")
assert -MARGIN < low <= high < MARGIN, "rescaled, the mean should be level with the sum"
