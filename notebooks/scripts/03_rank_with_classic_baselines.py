# ---
# jupyter:
#   jupytext:
#     formats: notebooks//ipynb,notebooks/scripts//py:percent
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
# # Rank with classic baselines: neighbours, iALS, BPR and EASE
#
# [![Open in Colab](images/open-in-colab.svg)](https://colab.research.google.com/github/two-towers-course/two-towers/blob/main/notebooks/03_rank_with_classic_baselines.ipynb) [![Launch Binder](images/launch-binder.svg)](https://mybinder.org/v2/gh/two-towers-course/two-towers/main?urlpath=lab/tree/notebooks/03_rank_with_classic_baselines.ipynb)
#
# **What you'll do**: rank movies with ten models, in the one table that every two-tower model here has to beat.
#
# **What you'll learn**
#
# - how to measure a ranking of the whole catalogue;
# - why a good rating model can be a bad recommender;
# - tuned models of what users choose;
# - how to fool yourself with an NDCG, and what a split by user leaks from the future.
#
# **What you'll need**: [Lesson 02](02_predict_ratings_with_classic_baselines.ipynb) for biases and SVD; one minute and
# 1 GB of memory.

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
# Surprise brings the rating models, implicit the factor models.

# %%
from recsys_utils.setup import set_up

set_up()

import json
import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from recsys_utils import baselines, comparison, diagram, leaderboard, metrics, splits
from recsys_utils.columns import ITEM_ID, RATING, TIMESTAMP, TITLE, USER_ID, YEAR
from recsys_utils.datasets import files, movielens
from recsys_utils.display import results_table

# %% [markdown]
# You can change these:

# %% tags=["parameters"]
SEEDS = [1, 2, 3]  # of iALS and BPR, which start from random numbers
GROUPS = 16  # of users, by the time of their test, when the future is measured
USER = 387  # whose recommendations we look at

# %%
default = (SEEDS, GROUPS, USER) == ([1, 2, 3], 16, 387)  # some claims are checked at these settings only

# %% [markdown]
# ## The data
#
# MovieLens: who gave which movie how many stars, and when. Each user's last fifth of ratings is the test.

# %% tags=["nbval-check-output"]
ratings, movies, _ = movielens.load_movielens()
movies = movies.set_index(ITEM_ID)
train, test = splits.split_by_time(ratings)
print(f"{len(train):,} training ratings, {len(test):,} test ratings")
ratings.head(3)

# %% [markdown]
# Let a pause of an hour end a sitting. Then most of the test is the rest of a sitting that training has begun:

# %% tags=["nbval-check-output"]
first_test = test.groupby(USER_ID)[TIMESTAMP].min()  # (n_users,) seconds
pause = first_test - train.groupby(USER_ID)[TIMESTAMP].max()  # (n_users,)
gap = test.groupby(USER_ID)[TIMESTAMP].diff().fillna(test[USER_ID].map(pause))  # (n_test,) since the rating before
same_sitting = (gap >= 60 * 60).groupby(test[USER_ID]).cumsum() == 0  # (n_test,) no pause yet
print(f"{(pause < 60 * 60).mean():.0%} of the users' tests begin within an hour of their training;")
print(f"{same_sitting.mean():.0%} of the test ratings are in the sitting of the last training rating.")
assert (pause < 60 * 60).mean() > 0.9 and same_sitting.mean() > 0.5, "most of the test should continue a sitting"

# %% [markdown]
# [Two-tower models](../docs/glossary.md#two-tower-model) score a movie for a user by the dot product of two vectors.
# iALS and BPR below have this shape already. Their towers look a vector up by its id:

# %%
diagram.draw_two_towers(
    diagram.Tower("user tower", {"user id": ratings[USER_ID].nunique()}, ["row of a table of factors"]),
    diagram.Tower("movie tower", {"movie id": ratings[ITEM_ID].nunique()}, ["row of a table of factors"]),
    meet="dot product = score",
    loss="squared error (iALS) or order (BPR)",
)

# %% [markdown]
# ## Ranking is another question
#
# Nobody is shown a predicted 3.7. Users see ten movies. So each model orders the *whole* catalogue for each user, less
# what they rated in training. We look for the test movies among the first $k$:
#
# $$\mathrm{Recall@}k=\frac{\text{hits}}{\text{test movies}} \qquad
# \mathrm{NDCG@}k=\frac{\sum_{\text{hits}}1/\log_2(1+\text{rank})}{\sum_{r=1}^{\min(k,\,\text{test movies})}1/\log_2(1+r)}$$
#
# [NDCG](../docs/glossary.md#ndcg), the normalised discounted cumulative gain, rewards hits near the top; 1 is the best
# that any list could reach. Both are means over **users**. Of four movies, a user has seen the first and will watch
# the second and the fourth:

# %% tags=["nbval-check-output"]
has_seen = pd.DataFrame({USER_ID: [1], ITEM_ID: [1]})
will_watch = pd.DataFrame({USER_ID: [1, 1], ITEM_ID: [2, 4]})
tiny = metrics.make_ranking_task(has_seen, will_watch, items=np.array([1, 2, 3, 4]))
tiny_metrics = metrics.evaluate_ranking(np.array([[0.9, 0.5, 0.8, 0.1]]), tiny, k=2)  # movie 3, then 2
print(f"Recall@2 {tiny_metrics.recall[0]:.3f}, NDCG@2 {tiny_metrics.ndcg[0]:.3f}")
assert np.isclose(tiny_metrics.ndcg[0], (1 / np.log2(3)) / (1 + 1 / np.log2(3))), "one hit, at rank 2"

# %% [markdown]
# Movies that only the test has stay in: a model that cannot recommend them has missed them.

# %% tags=["nbval-check-output"]
task = metrics.make_ranking_task(train, test)
seen = task.seen.toarray().astype(np.float32)  # (n_users, n_items), 1 where rated in training
print(seen.shape, f"users by movies, {int(seen.sum()):,} seen, {task.relevant.nnz:,} to find")

# %% [markdown]
# Recall@10 has a ceiling below 1: of 40 test movies a list of ten holds at most a quarter.

# %% tags=["nbval-check-output"]
to_find = task.relevant.sum(axis=1)  # (n_users,)
ceiling = (np.minimum(to_find, 10) / to_find).mean()
print(
    f"{(to_find > 10).mean():.0%} of users have more than ten test movies; the ceiling of Recall@10 is {ceiling:.2f}."
)

# %% [markdown]
# NDCG's ceiling is 1: its denominator stops at $k$.
#
# Our first row is **[most popular](../docs/glossary.md#most-popular)**, the same list for
# everybody. A model is a function from rows of the task to scores.

# %%
models = {"most popular": lambda rows: np.tile(task.popularity, (len(rows), 1))}  # (n_rows, n_items)

# %% [markdown]
# The others are [tuned](../docs/glossary.md#tuned-baseline) on a [validation](../docs/glossary.md#validation) part, the
# last fifth of each user's *training* ratings, by `make tune`.

# %%
tuned = baselines.load_tuned()
names = ["recently popular", "item CF", "BPR", "iALS", "EASE", "EASE that fades", "item to next item"]
chosen = [(name, str(tuned[name].settings)[1:-1].replace("'", ""), tuned[name].validation) for name in names]
results_table(pd.DataFrame(chosen, columns=["model", "settings", "NDCG@10, validation"]))

# %% [markdown]
# **Recently popular** counts a rating half for every year between it and the user's last training rating. The search
# preferred to count *later* ratings, too, which only such a split allows.

# %%
train_seconds = {"most popular": 0.0}


def fit(name, function, *data, **settings):
    """Fit a model and note the seconds."""
    start = time.perf_counter()
    model = function(*data, **settings)
    train_seconds[name] = time.perf_counter() - start
    return model


settings = tuned["recently popular"].settings
recent = fit("recently popular", baselines.rank_with_recent_popularity, train, task, **settings)  # (n_users, n_items)
models["recently popular"] = lambda rows: recent[rows]

# %% [markdown]
# ## Two models of stars
#
# A rating model can rank by the stars it predicts. Two of [Lesson
# 02](02_predict_ratings_with_classic_baselines.ipynb), tuned for stars: biases (a number for each user and movie) and
# SVD (biases and a dot product of factors).

# %%
tuned_stars = baselines.load_tuned("by time")
predicted = {"mean": np.full(len(test), train[RATING].mean())}  # stars, (n_test,)
surprise = {name: baselines.rating_model(name, **tuned_stars[name].settings) for name in ("biases", "SVD")}
for name, model in surprise.items():
    predicted[name] = baselines.predict_with_surprise(model, train, test)
stars = comparison.compare_rmse(predicted, test, RATING, "mean")
assert (stars["verdict"].iloc[1:] == "better").all(), "both should predict stars better than the mean"
results_table(stars.drop(columns="seed_spread").rename(columns={"mean": "RMSE, stars"}))

# %% [markdown]
# The mean and the user's bias do not change a user's order. Movies unknown to training come last.

# %%
known, inner = task.popularity > 0, surprise["SVD"].trainset  # Surprise numbers users and movies in its own way
columns = [inner.to_inner_iid(item) for item in task.items[known]]
svd_users = surprise["SVD"].pu[[inner.to_inner_uid(user) for user in task.users]]  # (n_users, n_factors)
svd_items = np.zeros((len(task.items), svd_users.shape[1]))  # (n_items, n_factors)
svd_items[known] = surprise["SVD"].qi[columns]
movie_bias = {name: np.full(len(task.items), -np.inf) for name in surprise}  # (n_items,) each
for name, model in surprise.items():
    movie_bias[name][known] = model.bi[columns]
models["biases"] = lambda rows: np.tile(movie_bias["biases"], (len(rows), 1))
models["SVD"] = lambda rows: movie_bias["SVD"] + svd_users[rows] @ svd_items.T

# %% [markdown]
# ## Item-based neighbours on what users watch
#
# The other models forget the stars and ask what users *choose*. [Item-based collaborative
# filtering](../docs/glossary.md#item-cf) (CF) adds up a movie's similarities to what the user has watched. Two movies
# with $n_i$ and $n_j$ users, $n_{ij}$ of them in common, have the similarity $n_{ij}/(n_i^{a}n_j^{b})$: the cosine, if
# both powers are ½. Three users and two movies:

# %%
watched = np.array([[1, 1], [1, 1], [1, 0]])  # (users, movies): two watched both, one the first alone
assert np.isclose(baselines.fit_item_cf(watched).weights.toarray()[0, 1], 2 / np.sqrt(3 * 2)), "2 of 3 and 2"
item_cf = fit("item CF", baselines.fit_item_cf, task.seen, **tuned["item CF"].settings)
models["item CF"] = lambda rows: item_cf.scores(task.seen[rows])

# %% [markdown]
# ## iALS: factorise what was watched and what was not
#
# SVD looks only at ratings that exist. [Implicit ALS](../docs/glossary.md#ials) (Hu et al., 2008) fits the whole
# table, 1 for a watched movie and 0 for every other:
#
# $$\min_{p,q}\sum_{u,i}c_{ui}\,(x_{ui}-p_u\cdot q_i)^2+\lambda\Big(\sum_u\|p_u\|^2+\sum_i\|q_i\|^2\Big),\qquad
# c_{ui}=\alpha\text{ if }x_{ui}=1\text{ else }1.$$
#
# With the movies fixed, each user is a least-squares problem, and vice versa; hence *alternating*. At $\alpha=1$ all
# weights are equal. (This is implicit's $\alpha$; the paper's is smaller by 1.) What the search tried: the best NDCG@10 on
# validation with this $\alpha$ and $\lambda$, of all factors and iterations; a dash was not tried.

# %%
search = json.loads(files.course_file("tuned_baselines.json").read_text(encoding="utf-8"))["tables"]["ranking"]["iALS"]
tried = pd.DataFrame(search["tried"], columns=[*search["grid"], "validation"])  # (n_tried, 5)
grid = tried.pivot_table("validation", "alpha", "regularization", aggfunc="max")  # (n_alphas, n_lambdas)
results_table(grid.rename(index="α = {:g}".format, columns="λ = {:g}".format).rename_axis("").reset_index(), digits=4)

# %% [markdown]
# The search chose 1, where the weighting is off; 3 comes close. The best $\lambda$ grows with $\alpha$.

# %%
assert tuned["iALS"].settings["alpha"] == 1 < max(search["grid"]["alpha"]), "equal weights should be the choice"
assert grid.idxmax(axis=1).is_monotonic_increasing, "α and λ should grow together"
ials = fit("iALS", baselines.ials_factors, task, **tuned["iALS"].settings, seed=SEEDS[0])
models["iALS"] = lambda rows: ials.users[rows] @ ials.items.T

# %% [markdown]
# ## BPR: put the watched movie first
#
# [Bayesian personalised ranking](../docs/glossary.md#bpr) (Rendle et al., 2009) learns the order alone. It pushes a
# movie $i$ that the user watched above a movie $j$ that they did not:
#
# $$\max_{p,q,b}\sum_{u,i,j}\log\sigma\big(p_u\cdot q_i+b_i-p_u\cdot q_j-b_j\big)-\lambda\big(\|p\|^2+\|q\|^2+\|b\|^2\big).$$
#
# The paper draws $j$ evenly. The library implicit takes the movie of a random watched pair, so popular ones come more
# often, and skips it if this user has watched it.

# %%
bpr = fit("BPR", baselines.bpr_factors, task, **tuned["BPR"].settings, seed=SEEDS[0])
models["BPR"] = lambda rows: bpr.users[rows] @ bpr.items.T

# %% [markdown]
# ## EASE: one matrix of weights, in closed form
#
# [EASE](../docs/glossary.md#ease) (Steck, 2019) finds movie-to-movie weights $B$ that rebuild every history from
# itself, $XB\approx X$. No movie may explain itself, so $B$'s diagonal is zero:
#
# $$\min_B\|X-XB\|^2+\lambda\|B\|^2,\; B_{jj}=0\quad\Rightarrow\quad
# B=I-P\,\mathrm{diag}(P)^{-1},\quad P=(X^\top X+\lambda I)^{-1}.$$
#
# For two movies, the weight is $n_{12}/(n_1+\lambda)$.


# %%
def ease_weights(x, penalty):
    """Compute EASE's weights, (n_items, n_items), from a history, (n_users, n_items)."""
    inverse = np.linalg.inv(x.T @ x + penalty * np.eye(x.shape[1]))  # (n_items, n_items)
    return np.eye(x.shape[1]) - inverse / np.diag(inverse)


assert np.isclose(ease_weights(watched, penalty=1)[0, 1], 2 / (3 + 1)), "both / (first + λ)"

# %% [markdown]
# `fit_ease` gets the same by inverting users by users, who are fewer.

# %%
ease = fit("EASE", baselines.fit_ease, task.seen, **tuned["EASE"].settings)
models["EASE"] = lambda rows: ease.scores(task.seen[rows])

# %% [markdown]
# ## Item to next item: the order counts
#
# So far a history was a set. **Item to next item** counts which movie *follows* which: a pair at a distance of $d$
# steps, at most 200, counts $d^{-½}$, and popular movies are discounted as in item CF. In a history, the movie $r$
# places before the latest counts $(1+r)^{-¾}$. One user watched movies 1, 2, 3 in this order:

# %%
trip = pd.DataFrame({USER_ID: 1, ITEM_ID: [1, 2, 3], TIMESTAMP: [10, 20, 30]})
follows = baselines.fit_directed(trip, tiny, history_power=0, item_power=0).weights.toarray()  # (4, 4)
assert np.isclose(follows[0, 2], 2**-0.5) and follows[2, 0] == 0, "1 leads to 3 over two steps; 3 never to 1"
directed = {name: value for name, value in tuned["item to next item"].settings.items() if name != "power"}
fading = baselines.faded_history(train, task, tuned["item to next item"].settings["power"])  # (n_users, n_items)
next_item = fit("item to next item", baselines.fit_directed, train, task, **directed)
models["item to next item"] = lambda rows: next_item.scores(fading[rows])

# %% [markdown]
# The counts have a direction; the history fades. **EASE that fades** has EASE's weights and such a history.

# %%
fades = tuned["EASE that fades"].settings
ease_history = baselines.faded_history(train, task, fades["power"])  # (n_users, n_items)
ease_to_fade = fit("EASE that fades", baselines.fit_ease, task.seen, fades["strength"])
models["EASE that fades"] = lambda rows: ease_to_fade.scores(ease_history[rows])

# %% [markdown]
# ## Everything in one table
#
# All choices are made; now we read the test. Only SVD, iALS and BPR start from random numbers: SVD has one seed, the others
# three. We compare
# **[paired](../docs/glossary.md#paired-bootstrap)**: take the difference user by user, resample the users, and
# see where the mean difference lies. "Better" and "worse" need an interval clear of zero, which Holm's
# (1979) correction widens for the number of comparisons.

# %%
results = {name: metrics.evaluate_ranking(model, task) for name, model in models.items()}
by_user = {name: result.ndcg for name, result in results.items()}  # (n_users,) each
for name, factorise in (("iALS", baselines.ials_factors), ("BPR", baselines.bpr_factors)):
    more_seeds = [factorise(task, **tuned[name].settings, seed=seed) for seed in SEEDS[1:]]
    by_seed = [metrics.evaluate_ranking(each.users @ each.items.T, task).ndcg for each in more_seeds]
    by_user[name] = np.stack([by_user[name], *by_seed])  # (n_seeds, n_users)
against_popular = comparison.compare(by_user, "most popular").set_index("model")

# %% [markdown]
# **[Coverage](../docs/glossary.md#coverage)** is the share of the catalogue that is recommended to anybody,
# **popularity** the mean number of training ratings of a recommended movie. **Seed spread** is the largest less the
# smallest NDCG@10 of the seeds; a dash means one fit. The last three columns are the first seed's.

# %%
more = {name: (each.recall.mean(), each.coverage, f"{each.popularity:.0f}") for name, each in results.items()}
more = pd.DataFrame.from_dict(more, "index", columns=["Recall@10", "coverage", "popularity"])
table = against_popular.rename(columns={"mean": "NDCG@10", "seed_spread": "seed spread"}).join(more)
results_table(table.reset_index())

# %% [markdown]
# The rating models rank *worse* than the most popular list: they learnt nothing of what users choose. Models of choices
# beat the list. Against EASE:

# %%
against_ease = comparison.compare({name: by_user[name] for name in names}, "EASE").set_index("model")
results_table(against_ease.reset_index(), digits=4)

# %% [markdown]
# Item to next item beats EASE, and so does EASE that fades. The data cannot tell iALS from EASE.

# %%
verdict = against_popular["verdict"]
assert (verdict[["biases", "SVD"]] == "worse").all(), "rating models should rank badly"
assert not default or (verdict[names] == "better").all(), "at the default settings, choices should beat popularity"
assert (against_ease["verdict"][["EASE that fades", "item to next item"]] == "better").all(), "the order should count"
assert not default or against_ease.loc["iALS", ["low", "high"]].abs().max() < 0.02, "iALS should be close to EASE"

# %% [markdown]
# Which part of item to next item does it? **Without direction**, we add the counts of the histories read backwards.
# **Without fading**, all that was watched counts the same.

# %%
backwards = train.assign(**{TIMESTAMP: -np.arange(len(train))})  # train is sorted by user and time
both_ways = next_item._replace(weights=next_item.weights + baselines.fit_directed(backwards, task, **directed).weights)
without = {
    "item to next item": next_item.scores(fading),  # (n_users, n_items)
    "without direction": both_ways.scores(fading),
    "without fading": next_item.scores(task.seen),
    "without both": both_ways.scores(task.seen),
}
ndcg_without = {name: metrics.evaluate_ranking(scores, task).ndcg for name, scores in without.items()}
ndcg_without |= {name: by_user[name] for name in ("EASE", "EASE that fades")}
parts_of_it = comparison.compare(ndcg_without, "item to next item").set_index("model")
results_table(parts_of_it.drop(columns="seed_spread").reset_index())

# %% [markdown]
# It needs both; losing the fading costs more.

# %%
assert (parts_of_it["verdict"][["without direction", "without fading", "without both"]] == "worse").all(), "needs both"
assert parts_of_it["mean"]["without fading"] < parts_of_it["mean"]["without direction"], "fading should matter more"

# %% [markdown]
# The rating models lie left of the dashed line, most popular. Overlapping bars are no test; the paired tables are.

# %%
of_users = {name: np.atleast_2d(ndcg).mean(axis=0) for name, ndcg in by_user.items()}  # (n_users,) over seeds
order = sorted(of_users, key=lambda name: of_users[name].mean())
middle = np.array([of_users[name].mean() for name in order])
low, high = np.array([comparison.bootstrap_interval(of_users[name]) for name in order]).T
figure, axes = plt.subplots()
axes.errorbar(middle, order, xerr=[middle - low, high - middle], fmt="o", capsize=3)
axes.axvline(of_users["most popular"].mean(), color="C6", linestyle="--", linewidth=1)
axes.set(title="Ranking models on MovieLens, by time", xlabel="NDCG@10, mean over users, 95 % interval", xlim=(0, None))
plt.show()

# %% [markdown]
# ## What goes wrong, and why
#
# An NDCG near 1 is a warning. Two mistakes lead to one: to rank all test rows as **one query** with the stars as
# gains, and to score **training pairs**.


# %%
def ndcg_of_one_query(stars, score):
    """Rank all rows together, which is not what NDCG means."""
    discount = 1 / np.log2(np.arange(2, len(stars) + 2))  # (n_rows,)
    return (stars[np.argsort(-score, kind="stable")] * discount).sum() / (np.sort(stars)[::-1] * discount).sum()


rng = np.random.default_rng(SEEDS[0])
by_name = {"random numbers": rng.random(len(test)), "SVD": predicted["SVD"]}
by_name["most popular"] = task.popularity[np.searchsorted(task.items, test[ITEM_ID])]
one_query = {name: ndcg_of_one_query(test[RATING].to_numpy(), score) for name, score in by_name.items()}
on_train = surprise["SVD"].test(inner.build_testset())  # n_train predictions
true_stars, svd_stars = np.array([(pair.r_ui, pair.est) for pair in on_train]).T  # (n_train,) each
one_query["SVD, training pairs"] = ndcg_of_one_query(true_stars, svd_stars)

# %%
right = {name: result.ndcg.mean() for name, result in results.items()}
right["random numbers"] = metrics.evaluate_ranking(rng.random(seen.shape), task).ndcg.mean()
assert one_query["random numbers"] > 0.9 and right["random numbers"] < 0.01, "one query should praise random numbers"
assert one_query["SVD"] > one_query["most popular"], "and put SVD before the most popular list"
assert one_query["SVD, training pairs"] > one_query["SVD"], "and training pairs should score most"
wrong = pd.DataFrame({"NDCG of one query": one_query}).assign(**{"NDCG@10 by user": pd.Series(right)})
results_table(wrong.rename_axis("model").reset_index())

# %% [markdown]
# Even random numbers score above 0.9: over thousands of rows the discount is almost flat, and what users did *not*
# choose is missing.
#
# ## How much of the future leaks in
#
# Our split cuts each user at *their own* moment, so models learn from ratings given after a user's test:

# %% tags=["nbval-check-output"]
given_before = np.searchsorted(np.sort(train[TIMESTAMP]), test[TIMESTAMP], side="right")  # (n_test,) ratings
print(f"For the average test rating, {1 - given_before.mean() / len(train):.0%} of the training ratings are to come.")

# %% [markdown]
# Such leaks can change the *order* of models (Ji et al., 2023). We group users by the time of their test. For each group,
# models learn from others' ratings: of **the past**, before the group's first test, or of **any time**. For equal size
# we draw as many users of any time as the past has, pair both by length, and cut the longer history.


# %%
def match(past, others):
    """Cut two frames to the same number of users and the same lengths of their histories."""
    sizes = [past.groupby(USER_ID).size(), others.groupby(USER_ID).size()]  # (n_past,), (n_others,)
    sizes[1] = sizes[1].sample(len(sizes[0]), random_state=rng)  # (n_past,)
    sizes = [size.sort_values(kind="stable") for size in sizes]
    shorter = np.minimum(*(size.to_numpy() for size in sizes))  # (n_past,)
    for frame, size in zip((past, others), sizes, strict=True):
        limit = frame[USER_ID].map(pd.Series(shorter, size.index))  # (n_rows,) NaN for who was not drawn
        yield frame[frame.groupby(USER_ID).cumcount() < limit]


# %%
def rank_from(sample, users):
    """Fit four models to a sample of other users' ratings, and return the NDCG@10 of these users, by model."""
    x = np.zeros_like(seen)
    x[np.searchsorted(task.users, sample[USER_ID]), np.searchsorted(task.items, sample[ITEM_ID])] = 1
    x, rows, count = x[x.any(axis=1)], np.searchsorted(task.users, users), np.maximum(x.sum(axis=0), 1)
    by_cf = tuned["item CF"].settings  # without its limit on neighbours, item CF is two matrix products
    scores = {
        "most popular": np.tile(x.sum(axis=0), (len(rows), 1)),  # (n_rows, n_items)
        "item CF": ((seen[rows] / count ** by_cf["history_power"]) @ x.T) @ x / count ** by_cf["item_power"],
        "EASE": baselines.fit_ease(x, **tuned["EASE"].settings).scores(seen[rows]),
        "item to next item": baselines.fit_directed(sample, task, **directed).scores(fading[rows]),
    }
    part = task._replace(users=users, seen=task.seen[rows], relevant=task.relevant[rows])
    return {name: metrics.evaluate_ranking(matrix, part).ndcg for name, matrix in scores.items()}


# %% [markdown]
# The first group has no past. We keep two halves apart: early on, the past is small and "any time" mostly later.

# %%
of_groups, later = [], []  # of each group: NDCG@10 of its users, share of the ratings from any time that came later
for users in np.array_split(first_test.sort_values(kind="stable").index.to_numpy(), GROUPS)[1:]:
    start, others = first_test[users].min(), train[~train[USER_ID].isin(users)]
    past, any_time = match(others[others[TIMESTAMP] < start], others)
    assert len(past) == len(any_time) and past[USER_ID].nunique() == any_time[USER_ID].nunique(), "of equal size"
    of_groups.append({"the past": rank_from(past, np.sort(users)), "any time": rank_from(any_time, np.sort(users))})
    later.append((any_time[TIMESTAMP] >= start).mean())

# %% [markdown]
# What is the future worth at equal size? Each half gets half of the 5 % for false verdicts.

# %%
halves = {"earlier": slice(GROUPS // 2 - 1), "later": slice(GROUPS // 2 - 1, None)}
four, sources, ndcg_from, worth, tables = list(of_groups[0]["the past"]), ("the past", "any time"), {}, {}, {}
for half, groups in halves.items():
    by_source = {key: {n: np.concatenate([g[key][n] for g in of_groups[groups]]) for n in four} for key in sources}
    past, any_time = ndcg_from[half] = [by_source[key] for key in sources]  # dicts of (n_users,)
    worth[half] = {name: any_time[name] - past[name] for name in past}
    tables[half] = comparison.compare({"nothing": 0 * past["EASE"]} | worth[half], "nothing", level=0.975).iloc[1:]
    for place, source in enumerate(sources, 1):
        tables[half].insert(place, source, [ndcg.mean() for ndcg in by_source[source].values()])
    print(f"{half} half: {np.mean(later[groups]):.0%} of the ratings from any time came after the past")
future = pd.concat(tables, names=["half"]).reset_index("half").drop(columns=["mean", "seed_spread"])
results_table(future.rename(columns={"difference": "worth of the future"}))

# %% [markdown]
# In the later half every model gains; in the earlier half none does. The order of models? Item to
# next item's lead over EASE:

# %%
leads = {}
for half, (past, any_time) in ndcg_from.items():
    for source, each in (("the past", past), ("any time", any_time), ("any time, less the past", worth[half])):
        leads[half, source] = comparison.compare(each, "EASE")
lead = pd.concat(leads, names=["half", "learnt from"]).reset_index(["half", "learnt from"])
lead = lead[lead["model"] == "item to next item"].set_index(["half", "learnt from"])
assert not default or (tables["later"]["verdict"] == "better").all(), "the future should help every model"
assert not default or (tables["earlier"]["verdict"] != "better").all(), "but not early on"
assert not default or (lead["verdict"]["later"] == comparison.CANNOT_TELL).all(), "too close to call"
assert not default or lead["difference"]["earlier"]["any time"] < lead["difference"]["earlier"]["the past"]
results_table(lead.reset_index()[["half", "learnt from", "difference", "low", "high", "verdict"]])

# %% [markdown]
# In the later half the data cannot tell the two apart, from either source. In the earlier half the mean lead turns round,
# in one draw of few users.
#
# A **global** split, with one moment for everybody, leaks nothing. Here it leaves little to rank for:

# %% tags=["nbval-check-output"]
global_split = splits.split_by_global_time(ratings)
test_users = global_split.test[USER_ID].unique()
new_users = np.setdiff1d(test_users, global_split.train[USER_ID])
print(f"{len(test_users)} users have test ratings; {len(new_users)} of them have none in training.")
assert len(new_users) > len(test_users) / 2, "most test users should be new"

# %% [markdown]
# ## Recommend for one user
#
# The first movies that this user gave five stars:

# %%
row = np.flatnonzero(task.users == USER)
history = train[train[USER_ID] == USER].join(movies, on=ITEM_ID)
favourites = history[history[RATING] == history[RATING].max()].sort_values([TIMESTAMP, ITEM_ID])
results_table(favourites[[TITLE, YEAR, RATING]].head(5), digits=1)

# %% [markdown]
# A tick marks a movie that the user did go on to rate.

# %%
lists = {}
for name in ("most popular", "SVD", "EASE", "item to next item"):
    best_ten = metrics.recommend(models[name](row), task.seen[row])[0]  # (10,) columns
    listed = movies.loc[task.items[best_ten]]
    is_hit = np.isin(best_ten, task.relevant[row].indices)  # (10,)
    lists[name] = np.where(is_hit, "✓ ", "") + listed[TITLE].to_numpy(dtype=object)
results_table(pd.DataFrame(lists))

# %% [markdown]
# ## In practice
#
# - **Start here.** Tuned classics have beaten many neural recommenders (Ferrari Dacrema et al., 2019).
# - **EASE** inverts users by users or movies by movies: with 100,000 of both, 40 GB in single precision. The cost of
#   **iALS** grows with the interactions.
# - None of these models can recommend a new movie: they know ids, not features.
#
# What training and one query cost on this machine goes to the leaderboard:

# %%
board = leaderboard.Leaderboard("03")
for name in ["most popular", *names]:
    query_ms = leaderboard.query_milliseconds(lambda row, model=models[name]: model(np.array([row]))[0], task)
    shown_as = {"most popular": name, "item CF": "item CF, watched, tuned"}.get(name, f"{name}, tuned")  # as make tune
    board.add(shown_as, "baseline", ranking=results[name], train_seconds=train_seconds[name], query_ms=query_ms)
board.save()
results_table(pd.DataFrame(board.rows)[["model", "train_seconds", "query_ms"]], digits=1)

# %% [markdown]
# ## Check yourself
#
# 1. Every user gets twice as many test movies. What happens to the ceilings of Recall@10 and NDCG@10?
#
# <details><summary>Answer</summary>
#
# Recall@10's falls, to half for users who had ten or more. NDCG@10's stays at 1.
#
# </details>
#
# 2. At $\alpha=1$ all pairs weigh the same. Does iALS still know which movies were watched?
#
# <details><summary>Answer</summary>
#
# Yes: the targets differ, 1 and 0. Only an error costs the same.
#
# </details>
#
# 3. Would item to next item lead on the first screen of the morning?
#
# <details><summary>Answer</summary>
#
# No: most of this test is the rest of a sitting. Exercise 3 measures what comes after.
#
# </details>
#
# ## Exercises
#
# 1. **A middle way.** Shrink the movie biases harder: `reg_i` of 30, 100 and 300, the rest as tuned. Aim: twice the
#    NDCG@10 of the tuned biases. What does the RMSE pay?
# 2. **Explain yourself.** With `ease_weights` on the 300 most popular movies, find the three watched movies that
#    contribute most to one recommendation. Aim: all contributions add up to the score.
# 3. **After the sitting.** Without training: add the rest of `same_sitting` to the histories, and look for the other test
#    ratings. Aim: the lead of item to next item over EASE is gone.
#
# [Solutions](solutions/03_rank_with_classic_baselines.ipynb)
#
# ## Takeaways
#
# - Models that predicted stars well ranked worse than most popular.
# - Models of choices beat it. Item to next item beat EASE, by direction and fading; after the sitting its lead was gone
#   (exercise 3).
# - An NDCG over all rows at once praised random numbers.
# - At equal size, the future helped every model in the later half of the users, and none in the earlier half.
#
# **Next**: [Lesson 04](04_build_two_towers_from_scratch.ipynb) builds a two-tower model by hand.
#
# **References**
#
# - Ferrari Dacrema, Cremonesi, Jannach (2019). Are we really making much progress? *RecSys*.
# - Holm (1979). A simple sequentially rejective multiple test procedure. *Scandinavian Journal of Statistics*.
# - Hu, Koren, Volinsky (2008). Collaborative filtering for implicit feedback datasets. *ICDM*.
# - Ji, Sun, Zhang, Li (2023). A critical study on data leakage in recommender system offline evaluation. *ACM TOIS*.
# - Rendle, Freudenthaler, Gantner, Schmidt-Thieme (2009). BPR: Bayesian personalized ranking from implicit feedback.
#   *UAI*.
# - Steck (2019). Embarrassingly shallow autoencoders for sparse data. *WWW*.
