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
# **What you'll do**: let seven models recommend ten movies to every user, and put them into the one ranking table that
# every two-tower model of this course has to beat.
#
# **What you'll learn**
#
# - how to measure a ranking: the whole catalogue, user by user, seen movies excluded;
# - why a good rating model can be a bad recommender;
# - four models of what users watch: item-based neighbours, iALS, BPR and EASE;
# - two ways to compute an NDCG that means nothing, and how much of the future a split by user lets in.
#
# **What you'll need**: the bias model and SVD of [Lesson 02](02_predict_ratings_with_classic_baselines.ipynb), though
# you need not have run it; about one minute and 0.9 GB of memory.

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
# Surprise brings two rating models; the course brings data, splits, metrics, and helpers that call implicit.

# %%
from recsys_utils.setup import set_up

set_up()

import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from surprise import SVD, BaselineOnly

from recsys_utils import baselines, comparison, leaderboard, metrics, splits
from recsys_utils.columns import ITEM_ID, RATING, TIMESTAMP, TITLE, USER_ID, YEAR
from recsys_utils.datasets.movielens import load_movielens
from recsys_utils.display import results_table

# %% [markdown]
# These are the knobs. The lists are the candidates that a [validation part](../docs/glossary.md#validation) chooses
# from.

# %% tags=["parameters"]
SEED = 1
IALS_FACTORS = [16, 32, 64]
IALS_REGULARIZATION = [1, 10, 30]
BPR_FACTORS = [16, 32, 64]
BPR_PASSES = [25, 50, 100]
EASE_REGULARIZATION = [100, 200, 500, 1000, 2000]
DRAWS = 40  # random subsamples when the future is measured
USER = 387  # whose recommendations we look at

# %% [markdown]
# ## The data
#
# MovieLens: who gave which movie how many stars, and when. Each user's last fifth of ratings is the test.

# %% tags=["nbval-check-output"]
ratings, movies, _ = load_movielens()
movies = movies.set_index(ITEM_ID)
train, test = splits.split_by_time(ratings)
print(f"{len(train):,} training ratings, {len(test):,} test ratings")
ratings.head(3)

# %% [markdown]
# ## Ranking is another question
#
# Nobody is shown a predicted 3.7. Users see ten movies. So we ask each model to order the *whole* catalogue for each
# user, take out what the user rated in training, and look for the test movies among the first $k$:
#
# $$\mathrm{Recall@}k = \frac{\text{hits}}{\text{test movies}} \qquad
# \mathrm{NDCG@}k = \frac{\sum_{\text{hits}} 1 / \log_2(1 + \text{rank})}{\sum_{r=1}^{\min(k,\,\text{test movies})}
# 1 / \log_2(1 + r)}$$
#
# [NDCG](../docs/glossary.md#ndcg), the normalised discounted cumulative gain (Järvelin and Kekäläinen, 2002), asks for
# hits near the top, and 1 is
# the best any model could do for that user. Both are computed **user by user** and then averaged. A case with four
# movies: the user has seen the first and will watch the second and the fourth.

# %% tags=["nbval-check-output"]
has_seen = pd.DataFrame({USER_ID: [1], ITEM_ID: [1]})
will_watch = pd.DataFrame({USER_ID: [1, 1], ITEM_ID: [2, 4]})
tiny = metrics.make_ranking_task(has_seen, will_watch, items=np.array([1, 2, 3, 4]))
tiny_metrics = metrics.evaluate_ranking(np.array([[0.9, 0.5, 0.8, 0.1]]), tiny, k=2)  # movie 3, then 2
print(f"Recall@2 {tiny_metrics.recall[0]:.3f}, NDCG@2 {tiny_metrics.ndcg[0]:.3f}")
assert np.isclose(tiny_metrics.ndcg[0], (1 / np.log2(3)) / (1 + 1 / np.log2(3))), "one hit, at rank 2"

# %% [markdown]
# On MovieLens the task is a table of users by movies. Movies that only the test has stay in: a model that cannot find
# them has missed them.

# %% tags=["nbval-check-output"]
task = metrics.make_ranking_task(train, test)
seen = task.seen.toarray().astype(np.float32)  # (n_users, n_items), 1 where rated in training
print(seen.shape, f"users by movies, {int(seen.sum()):,} seen, {task.relevant.nnz:,} to find")

# %% [markdown]
# A list of ten cannot hold the whole test of a user who went on to rate more, so even a perfect Recall@10 is below 1:

# %% tags=["nbval-check-output"]
to_find = task.relevant.sum(axis=1)  # (n_users,)
ceiling = (np.minimum(to_find, 10) / to_find).mean()
print(f"the highest possible Recall@10 is {ceiling:.2f}")

# %% [markdown]
# The first row of every ranking table is the same list for everybody: the **[most
# popular](../docs/glossary.md#most-popular)** movies.

# %%
scores, train_seconds = {}, {}
start = time.perf_counter()
scores["most popular"] = np.tile(seen.sum(axis=0), (len(task.users), 1))  # (n_users, n_items)
train_seconds["most popular"] = time.perf_counter() - start

# %% [markdown]
# A rating model ranks by the stars it predicts. Take two from Lesson 02. The bias model is a mean plus a bias for each
# user and each movie. The mean and the user's own bias do not change a user's order, so the movie biases are all that
# is left. Movies unknown to training come last.

# %%
known = task.popularity > 0
bias = BaselineOnly()
predicted = {"mean": np.full(len(test), train[RATING].mean())}  # stars, (n_test,)
predicted["bias"] = baselines.predict_with_surprise(bias, train, test)
columns = [bias.trainset.to_inner_iid(item) for item in task.items[known]]
scores["bias"] = np.full(seen.shape, -np.inf, dtype=np.float32)  # (n_users, n_items)
scores["bias"][:, known] = bias.bi[columns]

# %% [markdown]
# SVD, matrix factorisation fitted to the stars, adds a product of factors: one matrix product scores all users and all
# movies.

# %%
svd = SVD(random_state=SEED)
predicted["SVD"] = baselines.predict_with_surprise(svd, train, test)
columns = [svd.trainset.to_inner_iid(item) for item in task.items[known]]
svd_users = svd.pu[[svd.trainset.to_inner_uid(user) for user in task.users]]  # (n_users, n_factors)
svd_items = np.zeros((len(task.items), svd.n_factors))  # (n_items, n_factors)
svd_items[known] = svd.qi[columns]
svd_bias = np.full(len(task.items), -np.inf)  # (n_items,)
svd_bias[known] = svd.bi[columns]
scores["SVD"] = svd_bias + svd_users @ svd_items.T  # (n_users, n_items)

# %% [markdown]
# ## Item-based neighbours on what users watch
#
# The next four models forget the stars. That somebody *chose* a movie says more about what they will choose next.
# [Item-based collaborative filtering](../docs/glossary.md#item-cf) (CF) becomes: two movies are similar if the same
# users watched both, and a movie's
# score is the sum of its similarities to what the user has watched (Sarwar et al., 2001). With columns scaled to
# length 1, that is two matrix products, and the order of multiplying keeps us from ever holding movies by movies.

# %%
start = time.perf_counter()
unit = seen / np.maximum(np.linalg.norm(seen, axis=0), 1)  # (n_users, n_items), columns of length 1
scores["item CF, watched"] = (seen @ unit.T) @ unit  # (n_users, n_items)
train_seconds["item CF, watched"] = time.perf_counter() - start

# %% [markdown]
# ## iALS: factorise what was watched and what was not
#
# SVD looks only at ratings that exist. [Implicit ALS](../docs/glossary.md#ials) (Hu, Koren and Volinsky, 2008) fits the
# whole table: 1 for a
# watched movie with weight $\alpha$, 0 for every other movie with weight 1,
#
# $$\min_{p, q} \sum_{u, i} c_{ui}\,(x_{ui} - p_u \cdot q_i)^2 + \lambda \Big(\sum_u \|p_u\|^2 + \sum_i \|q_i\|^2\Big),
# \qquad c_{ui} = \alpha \text{ if } x_{ui} = 1 \text{ else } 1.$$
#
# With the items fixed, each user is a small least-squares problem, and the other way round; hence *alternating*.
#
# This lesson leaves $\alpha$ at 1, the helper's default. Then all weights are equal, and the weighting that gave the
# method its name is switched off: what remains is a penalised factorisation of the table of ones and zeros. The number
# of factors and $\lambda$ are chosen on a **validation part**: the last fifth of each user's *training* ratings.

# %%
tuning = metrics.make_ranking_task(*splits.split_by_time(train))
validation = pd.DataFrame(0.0, index=pd.Index(IALS_FACTORS, name="factors"), columns=IALS_REGULARIZATION)
for factors in IALS_FACTORS:
    for penalty in IALS_REGULARIZATION:
        tried = baselines.rank_with_ials(tuning, factors, penalty, seed=SEED)  # (n_users, n_items)
        validation.loc[factors, penalty] = metrics.evaluate_ranking(tried, tuning).ndcg.mean()
results_table(validation.add_prefix("λ = ").reset_index())

# %% [markdown]
# The penalty matters more than the number of factors. The grid is small, and a wider one may hold a better pair. The
# best of these, and only it, is fitted again to all training ratings.

# %%
assert np.ptp(validation.max(axis=0)) > np.ptp(validation.max(axis=1)), "the penalty should matter more"
factors, penalty = validation.stack().idxmax()
start = time.perf_counter()
ials = baselines.ials_factors(task, factors, penalty, seed=SEED)
scores["iALS"] = ials.users @ ials.items.T  # (n_users, n_items)
train_seconds["iALS"] = time.perf_counter() - start
print(f"{factors} factors, λ = {penalty}")

# %% [markdown]
# ## BPR: put the watched movie first
#
# iALS says what each cell of the table should be. [Bayesian personalised ranking](../docs/glossary.md#bpr) (Rendle et
# al., 2009) asks for the
# order alone. Take a user, a movie $i$ that they watched and a movie $j$ that they did not, and push $i$ above $j$:
#
# $$\max_{p, q, b} \sum_{u, i, j} \log \sigma\big(p_u \cdot q_i + b_i - p_u \cdot q_j - b_j\big)
# - \lambda \big(\|p\|^2 + \|q\|^2 + \|b\|^2\big).$$
#
# The paper draws $j$ evenly from all movies. The library implicit draws it from all *pairs* of user and movie, so a
# popular movie is drawn more often, and it skips the draw if the user has watched that movie too. A pass makes as many
# draws as there are watched pairs. Factors and passes are chosen on the same validation part.

# %%
validation = pd.DataFrame(0.0, index=pd.Index(BPR_FACTORS, name="factors"), columns=BPR_PASSES)
for factors in BPR_FACTORS:
    for passes in BPR_PASSES:
        tried = baselines.bpr_factors(tuning, factors, passes, seed=SEED)
        validation.loc[factors, passes] = metrics.evaluate_ranking(tried.users @ tried.items.T, tuning).ndcg.mean()
results_table(validation.add_suffix(" passes").reset_index())

# %% [markdown]
# Longer is not better: after too many passes it knows the training pairs by heart. The best is fitted to all of them.

# %%
assert validation[BPR_PASSES[-1]].max() < validation.max().max(), "longest should not be best"
factors, passes = validation.stack().idxmax()
start = time.perf_counter()
bpr = baselines.bpr_factors(task, factors, passes, seed=SEED)
scores["BPR"] = bpr.users @ bpr.items.T  # (n_users, n_items)
train_seconds["BPR"] = time.perf_counter() - start
print(f"{factors} factors, {passes} passes")

# %% [markdown]
# ## EASE: one matrix of weights, in closed form
#
# [EASE](../docs/glossary.md#ease) (Steck, 2019) asks for item-to-item weights $B$ that rebuild every user's history
# $x_u$ from itself, $x_u B
# \approx x_u$. A movie must not explain itself, so the diagonal of $B$ is zero:
#
# $$\min_B \|X - XB\|^2 + \lambda\|B\|^2,\quad B_{jj} = 0
# \qquad\Rightarrow\qquad B = I - P\,\mathrm{diag}(P)^{-1},\quad P = (X^\top X + \lambda I)^{-1}.$$
#
# For two movies that is ridge regression of one on the other: who watched both, over who watched the first plus
# $\lambda$.


# %%
def ease_weights(x, penalty):
    """Compute EASE's weights, (n_items, n_items), from a history, (n_users, n_items)."""
    inverse = np.linalg.inv(x.T @ x + penalty * np.eye(x.shape[1]))  # (n_items, n_items)
    return np.eye(x.shape[1]) - inverse / np.diag(inverse)


watched = np.array([[1, 1], [1, 1], [1, 0]])  # (users, items): two watched both, one the first alone
assert np.isclose(ease_weights(watched, penalty=1)[0, 1], 2 / (3 + 1)), "both / (first + λ)"

# %% [markdown]
# For the whole catalogue this would invert a matrix of movies by movies. We have far fewer users than movies, and the
# Woodbury identity moves the inverse to the users' side. With $A = (X X^\top + \lambda I)^{-1} X$,
#
# $$XB = X - \frac{\lambda A}{1 - \sum_u X_u \circ A_u},$$
#
# where the division is column by column. That is what the course's `fit_ease` computes, and it is the same model, to
# the last digits that floats have:

# %%
head = seen[:, np.argsort(-task.popularity)[:300]].astype(float)  # (n_users, 300) most popular
assert np.allclose(baselines.fit_ease(head, 500).scores(head), head @ ease_weights(head, 500)), (
    "both forms should agree"
)
print(f"{task.seen.shape[1] ** 2 / task.seen.shape[0] ** 2:.0f} times fewer numbers to invert")

# %% [markdown]
# The only hyper-parameter, $\lambda$, is chosen on the same validation part.

# %%
earlier = tuning.seen.toarray().astype(np.float32)  # (n_users, n_items)
validation = pd.Series(0.0, index=pd.Index(EASE_REGULARIZATION, name="λ"))
for penalty in EASE_REGULARIZATION:
    tried = baselines.fit_ease(earlier, penalty).scores(earlier)  # (n_users, n_items)
    validation[penalty] = metrics.evaluate_ranking(tried, tuning).ndcg.mean()
results_table(validation.rename("NDCG@10 on the validation part").reset_index())

# %% [markdown]
# Again the best one is fitted to all training ratings.

# %%
penalty = validation.idxmax()
start = time.perf_counter()
ease = baselines.fit_ease(seen, penalty)
scores["EASE"] = ease.scores(seen)  # (n_users, n_items)
train_seconds["EASE"] = time.perf_counter() - start
print(f"λ = {penalty}")

# %% [markdown]
# ## Everything in one table
#
# Each ranking gets its metrics at 10 and at 100, the share of the catalogue that is recommended to somebody
# (**[coverage](../docs/glossary.md#coverage)**), and how often a recommended movie was rated in training
# (**popularity**).

# %%
ranking = {name: metrics.evaluate_ranking(matrix, task) for name, matrix in scores.items()}
rows = {}
for name, result in ranking.items():
    at_10, at_100 = result.summary(), metrics.evaluate_ranking(scores[name], task, k=100).summary()
    rows[name] = {
        "Recall@10": at_10["Recall@10"],
        "NDCG@10": at_10["NDCG@10"],
        "95 % interval": f"{at_10['low']:.3f}–{at_10['high']:.3f}",
        "Recall@100": at_100["Recall@100"],
        "NDCG@100": at_100["NDCG@100"],
        "coverage": at_10["coverage"],
        "popularity": round(at_10["popularity"]),
    }

# %% [markdown]
# The rating models, and the mean, get the error of their predicted stars as well. A dash means that the question does
# not apply.

# %%
stars = pd.Series({name: metrics.rmse(test[RATING], p) for name, p in predicted.items()}, name="RMSE")
names = ["most popular", "mean", "bias", "SVD", "item CF, watched", "BPR", "iALS", "EASE"]
table = pd.DataFrame(rows).T.reindex(names)
table.insert(0, "RMSE", stars)
results_table(table.rename_axis("model").reset_index())

# %% [markdown]
# The two questions have opposite answers. Biases and SVD are far ahead of the mean at predicting stars, and rank worse
# than the most popular list. They learnt from movies that somebody chose to watch, and so know nothing of what users
# choose. SVD recommends what it thinks best rated, and its movies have less than half the training ratings of the most
# popular. That alone is no fault: BPR's movies are as rare, and it finds more.

# %%
ndcg = {name: result.ndcg.mean() for name, result in ranking.items()}
popularity = {name: result.popularity for name, result in ranking.items()}
assert max(stars["bias"], stars["SVD"]) < stars["mean"] - 0.1, "rating models should predict stars"
assert max(popularity["SVD"], popularity["BPR"]) < popularity["most popular"] / 2, "both should go for rarer"

# %% [markdown]
# Each dot is a mean over users, each bar its 95 % interval, and the dashed line the most popular list. To its left
# are the rating models, to its right the models of what people watch.

# %%
order = sorted(ndcg, key=ndcg.get)
low, high = np.array([comparison.bootstrap_interval(ranking[name].ndcg) for name in order]).T
middle = np.array([ndcg[name] for name in order])
figure, axes = plt.subplots()
axes.errorbar(middle, order, xerr=[middle - low, high - middle], fmt="o", capsize=3)
axes.axvline(ndcg["most popular"], color="C6", linestyle="--", linewidth=1)
axes.set(xlabel="NDCG@10, mean over users with 95 % interval", xlim=(0, None))
axes.set_title("Ranking models on MovieLens, by time")
plt.show()

# %% [markdown]
# iALS and EASE overlap, but overlapping bars are not a test: both models met the same users. So compare them
# **[paired](../docs/glossary.md#paired-bootstrap)**: take the difference user by user, draw the users again and again,
# with replacement, and see between which
# bounds the mean difference lies. A model is called better or worse only if its interval is clear of zero, and the
# intervals are wide enough for all the comparisons of a table together (Holm, 1979). First against the most popular
# list:

# %%
by_user = {name: result.ndcg for name, result in ranking.items()}  # (n_users,) each
against_popular = comparison.compare(by_user, "most popular").drop(columns="seed_spread").set_index("model")
results_table(against_popular.reset_index(), digits=4)

# %% [markdown]
# Then against the strongest on the validation part, EASE:

# %%
of_choices = {name: by_user[name] for name in ("item CF, watched", "BPR", "iALS", "EASE")}
against_ease = comparison.compare(of_choices, "EASE").drop(columns="seed_spread").set_index("model")
results_table(against_ease.reset_index(), digits=4)

# %% [markdown]
# The rating models lose to the most popular list, and the models of what users watch beat it. EASE beats the
# neighbours and BPR. Between iALS and EASE these users cannot decide: if one is better, then by little. SVD, BPR and
# iALS start from random numbers, and this is one seed of each.

# %%
verdict = against_popular["verdict"]
assert (verdict[["bias", "SVD"]] == "worse").all(), "rating models should rank badly"
assert (verdict[list(of_choices)] == "better").all(), "choices should beat the most popular list"
assert (against_ease["verdict"][["item CF, watched", "BPR"]] == "worse").all(), "EASE should beat these two"
assert against_ease.loc["iALS", ["low", "high"]].abs().max() < 0.02, "EASE and iALS should be close"

# %% [markdown]
# ## How much of the future leaks in
#
# Our split by time cuts each user at *their own* moment. One user's test can lie before another's training, and so
# the models learn from days that have not happened yet. Count it:

# %% tags=["nbval-check-output"]
first_test = test[TIMESTAMP].min()
after = (train[TIMESTAMP] > first_test).sum()
given_before = np.searchsorted(np.sort(train[TIMESTAMP]), test[TIMESTAMP], side="right")  # (n_test,) ratings
still_to_come = 1 - given_before.mean() / len(train)
print(f"{after:,} of {len(train):,} training ratings lie after the first test rating;")
print(f"for the average test rating, {still_to_come:.0%} of them are still to come.")

# %% [markdown]
# What is that worth? Count popularity once more, for each user only up to their first test rating. But this also
# leaves fewer ratings to count, and that alone may make the list worse. A fair comparison gives each user **as many**
# ratings, drawn at random from past and future alike. Any gap that is left is due to *when* they were given.

# %%
oldest_first = train.sort_values(TIMESTAMP, kind="stable")
users_first_test = test.groupby(USER_ID)[TIMESTAMP].min().loc[task.users]
past = np.searchsorted(oldest_first[TIMESTAMP], users_first_test)  # (n_users,) number of past ratings


def rank_by_first(columns):
    """Rank by popularity, counted for each user in the first `past` of the movies' columns; give NDCG@10."""
    counts = [np.bincount(columns[:count], minlength=len(task.items)) for count in past]
    return metrics.evaluate_ranking(np.stack(counts), task).ndcg  # (n_users,)


# %% [markdown]
# The random draw is made many times; the column `seed_spread` shows how far the draws lie apart.

# %%
in_order = np.searchsorted(task.items, oldest_first[ITEM_ID])  # (n_train,) columns
rng = np.random.default_rng(SEED)
histories = {
    "as many, at random": np.stack(
        [rank_by_first(rng.permutation(in_order)) for _ in range(DRAWS)]
    ),  # (draws, n_users)
    "all of them": by_user["most popular"],
    "the past alone": rank_by_first(in_order),
}
future = comparison.compare(histories, "as many, at random").set_index("model").rename_axis("ratings counted")
results_table(future.reset_index(), digits=4)

# %% [markdown]
# More ratings make the list better, whenever they were given. Whether it matters beyond that *when* they were given,
# these users cannot tell: the last interval holds zero. It does bound the effect: whatever the future is worth to the
# most popular list, it is little beside what separates the list from EASE. Had we compared the past with all ratings,
# we would have blamed the future for both.

# %%
assert future["verdict"]["all of them"] == "better", "fewer ratings should cost"
effect = future.loc["the past alone", ["low", "high"]].abs().max()
assert effect < (ndcg["EASE"] - ndcg["most popular"]) / 2, "the future should be worth little here"

# %% [markdown]
# A better model may gain more from the future than this one. Ji et al. (2023) find that such a leak can even change
# the order of models, and in ways that nobody can foresee. So a lead on this split is no proof of a lead in
# production. A system in production should be judged on a **global** split, with one moment for everybody. On so small
# a data set that leaves little to rank for:

# %% tags=["nbval-check-output"]
global_split = splits.split_by_global_time(ratings)
test_users = global_split.test[USER_ID].unique()
new_users = np.setdiff1d(test_users, global_split.train[USER_ID])
print(f"{len(test_users)} users have test ratings; {len(new_users)} of them have none in training.")
assert len(new_users) > len(test_users) / 2, "most test users should be new"

# %% [markdown]
# ## Recommend for one user
#
# Figures can hide nonsense, so look at a list. This user was picked because the taste is easy to read. The first
# movies with five stars were:

# %%
row = int(np.flatnonzero(task.users == USER)[0])
history = train[train[USER_ID] == USER].join(movies, on=ITEM_ID)
favourites = history[history[RATING] == history[RATING].max()].sort_values([TIMESTAMP, ITEM_ID])
results_table(favourites[[TITLE, YEAR, RATING]].head(8), digits=1)

# %% [markdown]
# Three lists of ten. A tick marks a movie that the user did go on to rate.

# %%
lists, years = {}, {"history": history[YEAR]}
for name in ("most popular", "SVD", "EASE"):
    best = metrics.recommend(scores[name][[row]], task.seen[[row]])[0]  # (10,) columns
    listed = movies.loc[task.items[best]]
    found = np.isin(best, task.relevant[[row]].indices)  # (10,)
    lists[name] = np.where(found, "✓ ", "") + listed[TITLE].to_numpy(dtype=object)
    years[name] = listed[YEAR]
results_table(pd.DataFrame(lists))

# %% [markdown]
# The median year tells how well a list fits the taste:

# %%
median_year = {name: int(year.median()) for name, year in years.items()}
print(", ".join(f"{name} {year}" for name, year in median_year.items()))
if USER == 387:
    assert median_year["EASE"] < median_year["most popular"] - 10, "EASE should stay with the old movies"

# %% [markdown]
# The history is of old movies, and so is EASE's list. SVD is in the right decade too, but mixes in well-rated
# rarities; EASE lists what users with such a history have watched. Few users are as easy as this one:

# %%
best = metrics.recommend(scores["EASE"], task.seen)  # (n_users, 10)
hits = np.take_along_axis(task.relevant.toarray(), best, axis=1).sum(axis=1)  # (n_users,)
print(f"of EASE's ten, this user went on to rate {hits[row]}, the average user {hits.mean():.1f}")
if USER == 387:
    assert hits[row] > hits.mean(), "this user should be an easy one"

# %% [markdown]
# ## In practice
#
# - **Start here.** On public data, tuned classics have beaten many neural recommenders that claimed the opposite
#   (Ferrari Dacrema et al., 2019).
# - **EASE** needs an inverse of users by users or movies by movies, whichever is smaller. With 100,000 of both, that
#   alone is 40 GB in single precision. The cost of a sweep of **iALS** grows with the number of interactions instead.
# - **Neighbours** need movies by movies, unless there are few enough users to multiply in the order of this lesson.
# - None of them can say anything about a new user or a new movie: they know ids, not features.

# %% [markdown]
# ## What goes wrong, and why
#
# An NDCG near 1 is a warning, not a triumph. Two mistakes make one. The first ranks all test rows as **one query**,
# as if a single user had rated everything, with the stars as gains:


# %%
def ndcg_of_one_query(stars, score):
    """Rank all rows together, which is not what NDCG means."""
    discount = 1 / np.log2(np.arange(2, len(stars) + 2))  # (n_rows,)
    return (stars[np.argsort(-score, kind="stable")] * discount).sum() / (np.sort(stars)[::-1] * discount).sum()


rng = np.random.default_rng(SEED)
test_stars, test_column = test[RATING].to_numpy(), np.searchsorted(task.items, test[ITEM_ID])  # (n_test,)
one_query = {
    "most popular": ndcg_of_one_query(test_stars, task.popularity[test_column]),
    "random numbers": ndcg_of_one_query(test_stars, rng.random(len(test))),
    "SVD": ndcg_of_one_query(test_stars, predicted["SVD"]),
}

# %% [markdown]
# The second scores the **training pairs**, which the model has already been told. Beside both, the right figure:

# %%
trained_stars = baselines.predict_with_surprise(svd, train, train)  # (n_train,)
one_query["SVD, training pairs"] = ndcg_of_one_query(train[RATING].to_numpy(), trained_stars)
ndcg_by_user = ndcg | {"random numbers": metrics.evaluate_ranking(rng.random(seen.shape), task).ndcg.mean()}
wrong = pd.DataFrame({"NDCG of one query": one_query}).assign(**{"NDCG@10 by user": pd.Series(ndcg_by_user)})
results_table(wrong.rename_axis("model").reset_index())

# %% [markdown]
# As one query, random numbers score above 0.9 and SVD beats the most popular list. With thousands of rows the
# discount is almost flat, every row has stars, and nobody was asked what they would *choose*: the movies they did not
# rate are missing. Done right, by user, over the whole catalogue, on held-out pairs, random numbers score next to
# nothing and the order turns round.

# %%
assert one_query["random numbers"] > 0.9, "the mistaken NDCG should praise random numbers"
assert one_query["most popular"] < one_query["SVD"] < one_query["SVD, training pairs"], "and training pairs most"
assert ndcg_by_user["random numbers"] < 0.01, "by user, random numbers should find next to nothing"
assert ndcg_by_user["SVD"] < ndcg_by_user["most popular"], "by user, the most popular list should beat SVD"

# %% [markdown]
# One more figure matters in production: how long it takes to rank the catalogue for one user, with all that can be
# computed beforehand in memory. Popularity and biases are one list for everybody, a factor model multiplies one vector
# with the movies', and neighbours and EASE read a history.

# %%
scores_of_one = {
    "most popular": lambda row: scores["most popular"][0],
    "bias": lambda row: scores["bias"][0],
    "SVD": lambda row: svd_bias + svd_users[row] @ svd_items.T,
    "item CF, watched": lambda row: (seen[row] @ unit.T) @ unit,
    "BPR": lambda row: bpr.users[row] @ bpr.items.T,
    "iALS": lambda row: ials.users[row] @ ials.items.T,
    "EASE": lambda row: ease.scores(seen[[row]])[0],
}
assert np.allclose(scores_of_one["EASE"](0), scores["EASE"][0], atol=1e-3), "one history should score the same"
query_ms = {name: leaderboard.query_milliseconds(score, task) for name, score in scores_of_one.items()}

# %% [markdown]
# The rows go to the course's leaderboard. Those of the bias model and of SVD are Lesson 02's.

# %%
board = leaderboard.Leaderboard("03")
for name in ("most popular", "item CF, watched", "BPR", "iALS", "EASE"):
    board.add(
        name,
        kind="baseline",
        ranking=ranking[name],
        train_seconds=train_seconds[name],
        query_ms=query_ms[name],
    )
board.save()

# %% [markdown]
# ## Exercises
#
# 1. **A middle way.** Rank by $b_i$ shrunk harder: `BaselineOnly(bsl_options={"reg_i": 100})`, as a model of its own.
#    How far towards the most popular list does its NDCG@10 get, and what does its RMSE pay?
# 2. **Neighbours of users.** Write user-based CF on what was watched, in two matrix products like the item-based one.
#    Which of the two covers more of the catalogue?
# 3. **Explain yourself.** EASE's weights say why a movie is recommended. With `ease_weights` on the 300 most popular
#    movies, find the three watched movies that contribute most to one recommendation.
# 4. **Recent first.** Keep EASE's weights, but score a history $h$ in which the latest movie counts 1 and the others
#    $1/\sqrt{1 + \text{rank}}$: `ease.scores(h)` takes it. How far up does NDCG@10 go?
#    [Lesson 14](14_encode_watch_history.ipynb) builds on the answer.

# %% [markdown]
# ## Takeaways
#
# - The models that predicted ratings well ranked worse than the most popular list.
# - The models of what users watch beat that list. EASE beat the neighbours and BPR, and the data could not tell it
#   from iALS.
# - An NDCG over all rows at once praised random numbers; by user, over the whole catalogue, it told models apart.
# - The split by user let in the future. What that was worth to the most popular list could not be told from zero once
#   we compared histories of equal size.
#
# **Next**: [Lesson 04](04_build_two_towers_from_scratch.ipynb) builds a first two-tower model by hand.
# [Lesson 11](11_retrieve_with_in_batch_negatives.ipynb) builds two towers that rank, with this lesson's table to beat.
#
# **References**
#
# - M. Ferrari Dacrema, P. Cremonesi, D. Jannach (2019). Are we really making much progress? A worrying analysis of
#   recent neural recommendation approaches. *RecSys*.
# - S. Holm (1979). A simple sequentially rejective multiple test procedure. *Scandinavian Journal of Statistics* 6(2).
# - Y. Hu, Y. Koren, C. Volinsky (2008). Collaborative filtering for implicit feedback datasets. *ICDM*.
# - K. Järvelin, J. Kekäläinen (2002). Cumulated gain-based evaluation of IR techniques. *ACM TOIS* 20(4).
# - Y. Ji, A. Sun, J. Zhang, C. Li (2023). A critical study on data leakage in recommender system offline evaluation.
#   *ACM TOIS* 41(3).
# - S. Rendle, C. Freudenthaler, Z. Gantner, L. Schmidt-Thieme (2009). BPR: Bayesian personalized ranking from implicit
#   feedback. *UAI*.
# - B. Sarwar, G. Karypis, J. Konstan, J. Riedl (2001). Item-based collaborative filtering recommendation algorithms.
#   *WWW*.
# - H. Steck (2019). Embarrassingly shallow autoencoders for sparse data. *WWW*.
