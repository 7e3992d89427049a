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
# # Recommend with classic baselines: biases, SVD, neighbours, iALS and EASE
#
# [![Open in Colab](images/open-in-colab.svg)](https://colab.research.google.com/github/two-towers-course/two-towers/blob/main/notebooks/02_predict_ratings_with_classic_baselines.ipynb) [![Launch Binder](images/launch-binder.svg)](https://mybinder.org/v2/gh/two-towers-course/two-towers/main?urlpath=lab/tree/notebooks/02_predict_ratings_with_classic_baselines.ipynb)
#
# **What you'll do**: fit eleven classic baselines to real movie ratings and put them into the one table that every
# two-tower model of this course has to beat.
#
# **What you'll learn**
#
# - why the mean comes first, and what it means when a model does not beat it;
# - what biases, matrix factorisation and neighbours each add, on a world whose noise floor is known;
# - how user-based and item-based collaborative filtering differ, and why raw cosine is a poor similarity;
# - why a good rating model can be a bad recommender, and two models that rank well: iALS and EASE;
# - two ways to compute an NDCG that means nothing, and how much of the future a split by user lets in.
#
# **What you'll need**: the two worlds of [Lesson 01](01_generate_synthetic_data.ipynb), though you need not have run
# it; about one minute and 0.9 GB of memory.

# %% [markdown]
# On Colab this installs the course; elsewhere it does nothing.

# %% tags=["colab"]
import importlib.util
import subprocess
import sys

if importlib.util.find_spec("recsys_utils") is None:
    course = "two-towers[lessons] @ git+https://github.com/two-towers-course/two-towers@v0.1.0"
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", course], check=True)

# %% [markdown]
# Surprise brings the rating models.

# %%
import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from surprise import SVD, BaselineOnly, KNNBaseline, KNNBasic

plt.style.use("recsys_utils.two_towers")

# %% [markdown]
# The course brings data, splits and metrics, and helpers that call Surprise and implicit.

# %%
from recsys_utils.baselines import bpr_factors, fit_ease, ials_factors, predict_with_surprise, rank_with_ials
from recsys_utils.columns import ITEM_ID, RATING, TIMESTAMP, TITLE, USER_ID, YEAR
from recsys_utils.comparison import bootstrap_interval
from recsys_utils.datasets.movielens import load_movielens
from recsys_utils.datasets.synthetic import load_synthetic
from recsys_utils.display import results_table
from recsys_utils.leaderboard import Leaderboard, query_milliseconds
from recsys_utils.metrics import RankingTask, evaluate_ranking, mae, make_ranking_task, rmse, top_k
from recsys_utils.splits import split_by_global_time, split_by_time, split_random

# %% [markdown]
# These are the knobs. The lists are the candidates that a validation part chooses from.

# %% tags=["parameters"]
SEED = 1
IALS_FACTORS = [16, 32, 64]
IALS_REGULARIZATION = [1, 10, 30]
BPR_FACTORS = [16, 32, 64]
BPR_PASSES = [25, 50, 100]
EASE_REGULARIZATION = [100, 200, 500, 1000, 2000]
USER = 387  # whose recommendations we look at

# %% [markdown]
# ## The data
#
# Three data sets, from hopeless to real: ratings that are pure noise, ratings with a planted signal and noise of
# known size, and MovieLens.

# %% tags=["nbval-check-output"]
noise, planted, movielens = load_synthetic("noise"), load_synthetic("planted"), load_movielens()
ratings, movies = movielens.ratings, movielens.items.set_index(ITEM_ID)
for name, frame in {"noise": noise.ratings, "planted": planted.ratings, "MovieLens": ratings}.items():
    users, items = frame[USER_ID].nunique(), frame[ITEM_ID].nunique()
    print(f"{name:9} {len(frame):7,} ratings {users:5,} users {items:5,} items")

# %% [markdown]
# A row of MovieLens says who gave which movie how many stars, and when:

# %% tags=["nbval-check-output"]
ratings.head(3)

# %% [markdown]
# ## The idea: a mean, two biases and a taste
#
# Part of a rating has nothing to do with taste. Some people are generous, some movies are good. Take that away and
# what is left is the part worth personalising:
#
# $$\hat r_{ui} = \mu + b_u + b_i + p_u \cdot q_i$$
#
# $\mu$ is the mean, $b_u$ and $b_i$ are the biases of user and item, and $p_u \cdot q_i$ is how well the user's
# tastes match the item. Take two people and two movies. Ann gave 5 and 1 stars, Bob 2 and 4:

# %% tags=["nbval-check-output"]
stars = np.array([[5.0, 1.0], [2.0, 4.0]])  # (users, items)
mean = stars.mean()
user_bias = stars.mean(axis=1) - mean  # (users,)
item_bias = stars.mean(axis=0) - mean  # (items,)
left = stars - mean - user_bias[:, None] - item_bias  # (users, items)
print(f"mean {mean}, user biases {user_bias}, item biases {item_bias}, left over:\n{left}")

# %% [markdown]
# Both are equally generous and the first movie is a little better. What is left over is pure taste, and *one* number
# a user and one an item explain it: Ann is a +1, Bob a −1, the first movie a +1.5, the second a −1.5. Finding such
# numbers is **matrix factorisation**; the model is called SVD in Surprise, after the decomposition that inspired it.

# %%
taste_of_user, taste_of_item = np.array([1.0, -1.0]), np.array([1.5, -1.5])
assert np.array_equal(left, np.outer(taste_of_user, taste_of_item)), "one factor should do"

# %% [markdown]
# ## User-based and item-based neighbours
#
# Collaborative filtering by neighbours needs no factors, only a similarity. Should Ann see a movie she does not know?
#
# - **User-based**: ask the people who rated it, and trust those who rate *like Ann*.
# - **Item-based**: ask Ann, who has rated others, and trust her ratings of movies *like this one*.
#
# $$\hat r_{ui} = \frac{\sum_{v} \mathrm{sim}(u, v)\, r_{vi}}{\sum_{v} \mathrm{sim}(u, v)}
# \qquad \text{or} \qquad
# \hat r_{ui} = \frac{\sum_{j} \mathrm{sim}(i, j)\, r_{uj}}{\sum_{j} \mathrm{sim}(i, j)}$$
#
# Left, $v$ are users who rated the item; right, $j$ are items the user rated. Cosine is taken over what both have in
# common. Here Bob rates exactly like Ann and Cy the other way round, and Ann has yet to see the third movie:

# %% tags=["nbval-check-output"]
ann, bob, cy = np.array([3.0, 4.0]), np.array([3.0, 4.0]), np.array([4.0, 3.0])  # stars of movies 1 and 2
bobs_third, cys_third = 5.0, 1.0


def cosine(a, b):
    return a @ b / (np.linalg.norm(a) * np.linalg.norm(b))


like_bob, like_cy = cosine(ann, bob), cosine(ann, cy)
by_hand = (like_bob * bobs_third + like_cy * cys_third) / (like_bob + like_cy)
print(f"similarity to Bob {like_bob:.2f}, to Cy {like_cy:.2f}; user-based prediction {by_hand:.2f} stars")

# %% [markdown]
# Surprise says the same. One flag, `user_based`, turns the table on its side.

# %%
rows = [(1, 1, 3), (1, 2, 4), (2, 1, 3), (2, 2, 4), (2, 3, 5), (3, 1, 4), (3, 2, 3), (3, 3, 1)]
small = pd.DataFrame(rows, columns=[USER_ID, ITEM_ID, RATING])
anns_third = pd.DataFrame({USER_ID: [1], ITEM_ID: [3]})
user_based = KNNBasic(sim_options={"name": "cosine", "user_based": True})
assert np.isclose(predict_with_surprise(user_based, small, anns_third), by_hand), "Surprise should agree"

# %% [markdown]
# Cy likes the two movies the other way round, and cosine still calls Cy similar, because all stars are positive. So
# Ann is promised a 3, when only Bob's 5 makes sense. The repair has three parts. Compare *deviations* from the
# biases, so that disagreement is negative. Shrink a similarity that rests on few common raters. And average
# deviations on top of the biases, not raw stars. Surprise calls this `KNNBaseline` with `pearson_baseline`.

# %% [markdown]
# ## The rating models
#
# Five models from one library, made one at a time, so that the similarities of one are freed before the next.


# %%
def rating_models():
    """Yield the name of each rating model and the model, not yet fitted."""
    yield "bias", BaselineOnly()
    yield "SVD", SVD(random_state=SEED)
    yield "user CF, cosine", KNNBasic(sim_options={"name": "cosine", "user_based": True})
    yield "item CF, cosine", KNNBasic(sim_options={"name": "cosine", "user_based": False})
    yield "item CF, deviations", KNNBaseline(sim_options={"name": "pearson_baseline", "user_based": False})


# %% [markdown]
# Each is fitted to the training part of a split and measured on its test part. The mean comes first.


# %%
def compare_ratings(split):
    """Measure the mean and every rating model; the seconds are for fitting and predicting together."""
    predictions, seconds = {"mean": np.full(len(split.test), split.train[RATING].mean())}, {"mean": 0.0}
    for name, algorithm in rating_models():
        start = time.perf_counter()
        predictions[name] = predict_with_surprise(algorithm, split.train, split.test)  # (n_test,)
        seconds[name] = time.perf_counter() - start
    stars = split.test[RATING]
    rows = [(name, rmse(stars, p), mae(stars, p), seconds[name]) for name, p in predictions.items()]
    return pd.DataFrame(rows, columns=["model", "RMSE", "MAE", "seconds"]).set_index("model")


# %% [markdown]
# ## On noise, nothing beats the mean
#
# Here the ratings depend on nothing. A model that finds patterns anyway has learnt the noise.

# %%
on_noise = compare_ratings(split_random(noise.ratings))
results_table(on_noise[["RMSE", "MAE"]].reset_index())

# %% [markdown]
# Every model is worse than the mean, and the neighbours are far worse. Without the first row the table would look
# like a contest between three kinds of model. With it, it says: stop, there is nothing to learn here.

# %%
assert (on_noise["RMSE"].drop("mean") > on_noise["RMSE"]["mean"]).all(), "nothing beats the mean"

# %% [markdown]
# ## On a planted world, close the gap to the floor
#
# In this world we know each rating's expected value, so we know the error that even a perfect model would keep: the
# **noise floor**. How far a model gets from the mean down to the floor, in squared error, is the share of the signal
# that it found.

# %%
split = split_random(planted.ratings)
floor = rmse(split.test[RATING], split.test["expected"])
on_planted = compare_ratings(split)
on_planted.loc["noise floor", "RMSE"] = floor
signal = on_planted["RMSE"]["mean"] ** 2 - floor**2  # stars², what there is to explain
on_planted["signal found"] = 1 - (on_planted["RMSE"] ** 2 - floor**2) / signal  # 0 to 1
results_table(on_planted[["RMSE", "signal found"]].reset_index())

# %% [markdown]
# Read it as a ladder. Biases find a part, factors more, and neighbours that compare deviations the most. Item-based
# raw cosine finds no more than the biases. And the best of them leaves a gap: part of this signal sits in the
# features of users and items, which none of these models can see. Closing that gap is what towers are for.

# %%
ladder = on_planted["RMSE"][["mean", "bias", "SVD", "item CF, deviations", "noise floor"]]
assert ladder.is_monotonic_decreasing, "each rung should be lower than the one before"
assert on_planted["RMSE"]["item CF, cosine"] > on_planted["RMSE"]["bias"], "raw cosine should lose"
assert on_planted["signal found"]["item CF, deviations"] < 0.8, "a fifth should be left for features"

# %% [markdown]
# ## On MovieLens, predict ratings
#
# Two splits. At **random**, 80/20, as most published tables do: easy to compare, but a person's later ratings help to
# predict their earlier ones. **By time**, each user's last fifth is the test: closer to what a recommender is asked.

# %% tags=["nbval-check-output"]
random_split, time_split = split_random(ratings), split_by_time(ratings)
train, test = time_split
print(f"random: {len(random_split.train):,} training ratings, {len(random_split.test):,} test ratings")
print(f"by time: {len(train):,} training ratings, {len(test):,} test ratings")

# %% [markdown]
# Item-based neighbours compare every pair of movies. Surprise holds five square matrices of doubles while it does so.
# We cannot afford that here, so our helper computes the same similarities in blocks of rows and keeps one matrix of
# floats.

# %%
n_movies = random_split.train[ITEM_ID].nunique()
print(f"{n_movies:,} movies: {5 * 8 * n_movies**2 / 1e9:.1f} GB, or {4 * n_movies**2 / 1e9:.1f} GB by blocks")

# %% [markdown]
# Now both splits, the same five models. This is the longest cell of the lesson.

# %%
at_random, by_time = compare_ratings(random_split), compare_ratings(time_split)
both = at_random.join(by_time, suffixes=(", random", ", by time")).filter(regex="RMSE|MAE")
results_table(both.reset_index())

# %% [markdown]
# By its RMSE, the split by time is the harder one for every model. The biases alone are hard to beat: SVD is no
# better than level with them, and raw cosine, user-based or item-based, is clearly worse. Neighbours that compare
# deviations are the best of the five on both splits, and so the mark to beat when a later lesson predicts ratings.

# %%
for rmse_of in (at_random["RMSE"], by_time["RMSE"]):
    assert rmse_of.idxmin() == "item CF, deviations", "the deviations should win"
    assert rmse_of.idxmax() == "mean", "on real ratings everything should beat the mean"
    assert abs(rmse_of["SVD"] - rmse_of["bias"]) < 0.02, "SVD should be level with the biases"
    assert rmse_of.filter(like="CF, cosine").min() > rmse_of["bias"] + 0.05, "raw cosine should lose"
assert (by_time["RMSE"] > at_random["RMSE"]).all(), "the future should be harder than a random sample"

# %% [markdown]
# ## Ranking is another question
#
# Nobody is shown a predicted 3.7. People see ten movies. So we ask each model to order the *whole* catalogue for each
# user, take out what the user rated in training, and look for the test movies among the first $k$:
#
# $$\mathrm{Recall@}k = \frac{\text{hits}}{\text{test movies}} \qquad
# \mathrm{NDCG@}k = \frac{\sum_{\text{hits}} 1 / \log_2(1 + \text{rank})}{\sum_{r=1}^{\min(k,\,\text{test movies})}
# 1 / \log_2(1 + r)}$$
#
# NDCG asks for hits near the top, and 1 is the best any model could do for that user. Both are computed **user by
# user** and then averaged. A case with four movies: the user has seen the first and will watch the second and the
# fourth.

# %% tags=["nbval-check-output"]
tiny = RankingTask(
    users=np.array([1]),
    items=np.array([1, 2, 3, 4]),
    seen=np.array([[True, False, False, False]]),
    relevant=np.array([[False, True, False, True]]),
)
metrics = evaluate_ranking(np.array([[0.9, 0.5, 0.8, 0.1]]), tiny, k=2)  # movie 3, then 2
print(f"Recall@2 {metrics.recall[0]:.3f}, NDCG@2 {metrics.ndcg[0]:.3f}")
assert np.isclose(metrics.ndcg[0], (1 / np.log2(3)) / (1 + 1 / np.log2(3))), "one hit, at rank 2"

# %% [markdown]
# On MovieLens the task is a table of users by movies. Movies that only the test has stay in: a model that cannot find
# them has missed them.

# %% tags=["nbval-check-output"]
task = make_ranking_task(train, test)
seen = task.seen.astype(np.float32)  # (n_users, n_items), 1 where rated in training
print(seen.shape, f"users by movies, {int(seen.sum()):,} seen, {task.relevant.sum():,} to find")

# %% [markdown]
# The first row of every ranking table is the same list for everybody: the **most popular** movies.

# %%
scores, train_seconds = {}, by_time["seconds"].to_dict()
start = time.perf_counter()
scores["most popular"] = np.tile(seen.sum(axis=0), (len(task.users), 1))  # (n_users, n_items)
train_seconds["most popular"] = time.perf_counter() - start

# %% [markdown]
# A rating model ranks by the stars it predicts. The mean and the user's own bias do not change a user's order, so the
# item biases are all that is left of the bias model. Movies unknown to training come last.

# %%
known = task.popularity > 0
scores["bias"] = np.full(task.seen.shape, -np.inf, dtype=np.float32)  # (n_users, n_items)
bias = BaselineOnly()
predict_with_surprise(bias, train, test)
columns = [bias.trainset.to_inner_iid(item) for item in task.items[known]]
scores["bias"][:, known] = bias.bi[columns]

# %% [markdown]
# SVD adds a product of factors: one matrix product scores all users and all movies.

# %%
svd = SVD(random_state=SEED)
svd_stars = predict_with_surprise(svd, train, test)  # (n_test,)
columns = [svd.trainset.to_inner_iid(item) for item in task.items[known]]
svd_users = svd.pu[[svd.trainset.to_inner_uid(user) for user in task.users]]  # (n_users, n_factors)
svd_items = np.zeros((len(task.items), svd.n_factors))  # (n_items, n_factors)
svd_items[known] = svd.qi[columns]
svd_bias = np.full(len(task.items), -np.inf)  # (n_items,)
svd_bias[known] = svd.bi[columns]
scores["SVD"] = svd_bias + svd_users @ svd_items.T  # (n_users, n_items)

# %% [markdown]
# ## Item-based neighbours on what people watch
#
# The next four models forget the stars. That somebody *chose* a movie says more about what they will choose next.
# Item-based cosine becomes: two movies are similar if the same people watched both, and a movie's score is the sum of
# its similarities to what the user has watched. With columns scaled to length 1, that is two matrix products, and the
# order of multiplying keeps us from ever holding movies by movies.

# %%
start = time.perf_counter()
unit = seen / np.maximum(np.linalg.norm(seen, axis=0), 1)  # (n_users, n_items), columns of length 1
scores["item CF, watched"] = (seen @ unit.T) @ unit  # (n_users, n_items)
train_seconds["item CF, watched"] = time.perf_counter() - start

# %% [markdown]
# ## iALS: factorise what was watched and what was not
#
# SVD looks only at ratings that exist. Implicit ALS (Hu, Koren and Volinsky, 2008) fits the whole table: 1 for a
# watched movie with weight $\alpha$, 0 for every other movie with weight 1,
#
# $$\min_{p, q} \sum_{u, i} c_{ui}\,(x_{ui} - p_u \cdot q_i)^2 + \lambda \Big(\sum_u \|p_u\|^2 + \sum_i \|q_i\|^2\Big),
# \qquad c_{ui} = \alpha \text{ if } x_{ui} = 1 \text{ else } 1.$$
#
# With the items fixed, each user is a small least-squares problem, and the other way round; hence *alternating*. The
# number of factors and $\lambda$ are chosen on a **validation part**: the last fifth of each user's *training*
# ratings.

# %%
tuning = make_ranking_task(*split_by_time(train))
validation = pd.DataFrame(0.0, index=pd.Index(IALS_FACTORS, name="factors"), columns=IALS_REGULARIZATION)
for factors in IALS_FACTORS:
    for strength in IALS_REGULARIZATION:
        tried = rank_with_ials(tuning, factors, strength, seed=SEED)  # (n_users, n_items)
        validation.loc[factors, strength] = evaluate_ranking(tried, tuning).ndcg.mean()
results_table(validation.add_prefix("λ = ").reset_index())

# %% [markdown]
# Read down the columns: with little regularization more factors hurt, with enough of it they help. The best of these,
# and only it, is fitted again to all training ratings.

# %%
factors, strength = validation.stack().idxmax()
start = time.perf_counter()
ials = ials_factors(task, factors, strength, seed=SEED)
scores["iALS"] = ials.users @ ials.items.T  # (n_users, n_items)
train_seconds["iALS"] = time.perf_counter() - start
print(f"{factors} factors, λ = {strength}")

# %% [markdown]
# ## BPR: put the watched movie first
#
# iALS says what each cell of the table should be. Bayesian personalised ranking (Rendle et al., 2009) asks for the
# order alone. Take a user, a movie $i$ that they watched and a movie $j$ that they did not, and push $i$ above $j$:
#
# $$\max_{p, q, b} \sum_{u, i, j} \log \sigma\big(p_u \cdot q_i + b_i - p_u \cdot q_j - b_j\big)
# - \lambda \big(\|p\|^2 + \|q\|^2 + \|b\|^2\big).$$
#
# Each pass draws one such pair of movies for every watched one. Factors and passes are chosen on the same validation
# part.

# %%
validation = pd.DataFrame(0.0, index=pd.Index(BPR_FACTORS, name="factors"), columns=BPR_PASSES)
for factors in BPR_FACTORS:
    for passes in BPR_PASSES:
        tried = bpr_factors(tuning, factors, passes, seed=SEED)
        validation.loc[factors, passes] = evaluate_ranking(tried.users @ tried.items.T, tuning).ndcg.mean()
results_table(validation.add_suffix(" passes").reset_index())

# %% [markdown]
# Longer is not better: after too many passes it knows the training pairs by heart. The best is fitted to all of them.

# %%
assert validation[BPR_PASSES[-1]].max() < validation.max().max(), "longest should not be best"
factors, passes = validation.stack().idxmax()
start = time.perf_counter()
bpr = bpr_factors(task, factors, passes, seed=SEED)
scores["BPR"] = bpr.users @ bpr.items.T  # (n_users, n_items)
train_seconds["BPR"] = time.perf_counter() - start
print(f"{factors} factors, {passes} passes")

# %% [markdown]
# ## EASE: one matrix of weights, in closed form
#
# EASE (Steck, 2019) asks for item-to-item weights $B$ that rebuild every user's history $x_u$ from itself, $x_u B
# \approx x_u$. A movie must not explain itself, so the diagonal of $B$ is zero:
#
# $$\min_B \|X - XB\|^2 + \lambda\|B\|^2,\quad B_{jj} = 0
# \qquad\Rightarrow\qquad B = I - P\,\mathrm{diag}(P)^{-1},\quad P = (X^\top X + \lambda I)^{-1}.$$
#
# For two movies that is ridge regression of one on the other: who watched both, over who watched the first plus
# $\lambda$.


# %%
def ease_weights(x, strength):
    """Compute EASE's weights, (n_items, n_items), from a history, (n_users, n_items)."""
    inverse = np.linalg.inv(x.T @ x + strength * np.eye(x.shape[1]))  # (n_items, n_items)
    return np.eye(x.shape[1]) - inverse / np.diag(inverse)


history = np.array([[1, 1], [1, 1], [1, 0]])  # (users, items): two watched both, one the first alone
assert np.isclose(ease_weights(history, strength=1)[0, 1], 2 / (3 + 1)), "both / (first + λ)"

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
assert np.allclose(fit_ease(head, 500).scores(head), head @ ease_weights(head, 500)), "both forms should agree"
print(f"{task.seen.shape[1] ** 2 / task.seen.shape[0] ** 2:.0f} times fewer numbers to invert")

# %% [markdown]
# The only hyper-parameter, $\lambda$, is chosen on the same validation part.

# %%
history = tuning.seen.astype(np.float32)
validation = pd.Series(0.0, index=pd.Index(EASE_REGULARIZATION, name="λ"))
for strength in EASE_REGULARIZATION:
    validation[strength] = evaluate_ranking(fit_ease(history, strength).scores(history), tuning).ndcg.mean()
results_table(validation.rename("NDCG@10 on the validation part").reset_index())

# %% [markdown]
# Again the best one is fitted to all training ratings.

# %%
strength = validation.idxmax()
start = time.perf_counter()
ease = fit_ease(seen, strength)
scores["EASE"] = ease.scores(seen)  # (n_users, n_items)
train_seconds["EASE"] = time.perf_counter() - start
print(f"λ = {strength}")

# %% [markdown]
# ## Everything in one table
#
# Each ranking gets its metrics at 10 and at 100, the share of the catalogue that is recommended to somebody
# (**coverage**), and how often a recommended movie was rated in training (**popularity**).

# %%
ranking = {name: evaluate_ranking(matrix, task) for name, matrix in scores.items()}
rows = {}
for name, metrics in ranking.items():
    at_10, at_100 = metrics.summary(), evaluate_ranking(scores[name], task, k=100).summary()
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
# The rating models join with their RMSE. A dash means that the question does not apply.

# %%
names = ["mean", "most popular", *by_time.index[1:], "item CF, watched", "BPR", "iALS", "EASE"]
table = both.filter(like="RMSE").reindex(names).join(pd.DataFrame(rows).T)
results_table(table.rename_axis("model").reset_index())

# %% [markdown]
# The two questions have opposite answers. Biases and SVD are far ahead of the mean at predicting stars, and rank
# worse than the most popular list. They learnt from movies that somebody chose to watch, and so know nothing of what
# people choose; they recommend the best-rated movies, however few have seen them. Their low popularity shows it.

# %%
ndcg = {name: metrics.ndcg.mean() for name, metrics in ranking.items()}
assert max(ndcg["bias"], ndcg["SVD"]) < ndcg["most popular"], "rating models should rank badly"
assert ndcg["most popular"] < min(ndcg["BPR"], ndcg["item CF, watched"]), "choices should beat it"
assert ndcg["item CF, watched"] < min(ndcg["iALS"], ndcg["EASE"]), "iALS and EASE should lead"
assert ranking["SVD"].popularity < ranking["most popular"].popularity / 2, "SVD should go for rarer"

# %% [markdown]
# Each dot is a mean over users, each bar its 95 % interval, and the dashed line the most popular list. To its left
# are the rating models, to its right the models of what people watch.

# %%
order = sorted(ndcg, key=ndcg.get)
low, high = np.array([bootstrap_interval(ranking[name].ndcg) for name in order]).T
middle = np.array([ndcg[name] for name in order])
figure, axes = plt.subplots()
axes.errorbar(middle, order, xerr=[middle - low, high - middle], fmt="o", capsize=3)
axes.axvline(ndcg["most popular"], color="0.5", linestyle="--", linewidth=1)
axes.set(xlabel="NDCG@10, mean over users with 95 % interval", xlim=(0, None))
axes.set_title("Ranking models on MovieLens, by time")
plt.show()

# %% [markdown]
# iALS and EASE overlap, but overlapping bars are not a test: both models met the same users. Take the difference user
# by user and bootstrap *that*. Only an interval that excludes zero tells two models apart.

# %%
pairs = [("EASE", "most popular"), ("EASE", "item CF, watched"), ("EASE", "iALS")]
difference = {pair: bootstrap_interval(ranking[pair[0]].ndcg - ranking[pair[1]].ndcg) for pair in pairs}
for (better, other), (low, high) in difference.items():
    print(f"{better} − {other}: {low:+.4f} to {high:+.4f}")
assert difference["EASE", "item CF, watched"][0] > 0, "EASE should beat item CF beyond doubt"
assert difference["EASE", "iALS"][0] < 0 < difference["EASE", "iALS"][1], "EASE and iALS should be level"

# %% [markdown]
# ## How much of the future leaks in
#
# Our split by time cuts each user at *their own* moment. One user's test can lie before another's training, and so
# the models learn from days that have not happened yet. Count it:

# %% tags=["nbval-check-output"]
first_test = test[TIMESTAMP].min()
after = (train[TIMESTAMP] > first_test).sum()
earlier = np.searchsorted(np.sort(train[TIMESTAMP]), test[TIMESTAMP], side="right")  # (n_test,) ratings
still_to_come = 1 - earlier.mean() / len(train)
print(f"{after:,} of {len(train):,} training ratings lie after the first test rating;")
print(f"for the average test rating, {still_to_come:.0%} of them are still to come.")

# %% [markdown]
# What is that worth? Count popularity once more, for each user only up to their first test rating.

# %%
ordered = train.sort_values(TIMESTAMP)
column = np.searchsorted(task.items, ordered[ITEM_ID])  # (n_train,)
users_first_test = test.groupby(USER_ID)[TIMESTAMP].min().loc[task.users]
known_by_then = np.searchsorted(ordered[TIMESTAMP], users_first_test)  # (n_users,) number of past ratings
popular_by_then = np.stack([np.bincount(column[:n], minlength=len(task.items)) for n in known_by_then])
past_only = evaluate_ranking(popular_by_then, task).ndcg
low, high = bootstrap_interval(past_only - ranking["most popular"].ndcg)
print(f"most popular, NDCG@10 {ndcg['most popular']:.3f}, from the past alone {past_only.mean():.3f}")
print(f"95 % interval of the difference {low:+.4f} to {high:+.4f}")
assert high < 0, "knowing the future should help"

# %% [markdown]
# So the figures of this course flatter all models a little. They compare models fairly, since all are given the same,
# but a production system should be judged on a **global** split, with one moment for everybody. On so small a data
# set that leaves little to rank for:

# %% tags=["nbval-check-output"]
global_split = split_by_global_time(ratings)
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
    unseen = np.where(task.seen[row], -np.inf, scores[name][row])  # (n_items,)
    best = top_k(unseen[None], k=10)[0]  # (10,) columns
    listed = movies.loc[task.items[best]]
    lists[name] = np.where(task.relevant[row, best], "✓ ", "") + listed[TITLE].to_numpy(dtype=object)
    years[name] = listed[YEAR]
results_table(pd.DataFrame(lists))

# %% [markdown]
# The median year tells how well a list fits the taste:

# %%
median_year = {name: int(year.median()) for name, year in years.items()}
print(", ".join(f"{name} {year}" for name, year in median_year.items()))
assert median_year["EASE"] < median_year["most popular"] - 10, "EASE should stay with the old movies"

# %% [markdown]
# Old Hollywood in, old Hollywood out. SVD is in the right decade too, but mixes in well-rated rarities; EASE lists
# what people with such a history have watched. Few users are as easy as this one:

# %%
best = top_k(np.where(task.seen, -np.inf, scores["EASE"]), k=10)  # (n_users, 10)
hits = np.take_along_axis(task.relevant, best, axis=1).sum(axis=1)  # (n_users,)
print(f"of EASE's ten, this user went on to rate {hits[row]}, the average user {hits.mean():.1f}")
assert hits[row] > hits.mean(), "this user should be an easy one"

# %% [markdown]
# ## In practice
#
# - **Start here.** On public data, tuned classics have beaten many neural recommenders that claimed the opposite
#   (Ferrari Dacrema et al., 2019; Rendle et al., 2019).
# - **EASE** needs an inverse of users by users or movies by movies, whichever is smaller. With 100,000 of both, that
#   alone is 40 GB in single precision. The cost of a sweep of **iALS** grows with the number of interactions instead.
# - **Neighbours** need movies by movies. **User-based** ones need users by users, usually the larger of the two.
# - None of them can say anything about a new user or a new movie: they know ids, not features.
# - **SVD++** (Koren, 2008) is left out, as too slow for a lesson; `make bench` measures it. Each of its steps updates a
#   factor for every movie in the user's history, where a step of SVD updates one:

# %%
length = train.groupby(USER_ID).size()  # (n_users,) ratings of each user
print(f"the history behind the average rating has {(length**2).sum() / length.sum():.0f} movies")

# %% [markdown]
# ## What goes wrong, and why
#
# An NDCG near 1 is a warning, not a triumph. Two mistakes make one. The first ranks all test rows as **one query**,
# as if a single person had rated everything, with the stars as gains:


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
    "SVD": ndcg_of_one_query(test_stars, svd_stars),
}

# %% [markdown]
# The second scores the **training pairs**, which the model has already been told. Beside both, the right figure:

# %%
trained_stars = predict_with_surprise(svd, train, train)  # (n_train,)
one_query["SVD, training pairs"] = ndcg_of_one_query(train[RATING].to_numpy(), trained_stars)
by_user = ndcg | {"random numbers": evaluate_ranking(rng.random(task.seen.shape), task).ndcg.mean()}
wrong = pd.DataFrame({"NDCG of one query": one_query}).assign(**{"NDCG@10 by user": pd.Series(by_user)})
results_table(wrong.rename_axis("model").reset_index())

# %% [markdown]
# As one query, random numbers score above 0.9 and SVD beats the most popular list. With thousands of rows the
# discount is almost flat, every row has stars, and nobody was asked what they would *choose*: the movies they did not
# rate are missing. Done right, by user, over the whole catalogue, on held-out pairs, random numbers score next to
# nothing and the order turns round.

# %%
assert one_query["random numbers"] > 0.9, "the mistaken NDCG should praise random numbers"
assert one_query["most popular"] < one_query["SVD"] < one_query["SVD, training pairs"], "and training pairs most"
assert by_user["random numbers"] < 0.01, "by user, random numbers should find next to nothing"
assert by_user["SVD"] < by_user["most popular"], "by user, the most popular list should beat SVD"

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
query_ms = {name: query_milliseconds(score, task) for name, score in scores_of_one.items()}

# %% [markdown]
# The rows go to the course's leaderboard. Seconds of the rating models include predicting the test.

# %%
board = Leaderboard("02")
for name in names:
    board.add(
        name,
        kind="baseline",
        rmse_random=at_random["RMSE"].get(name),
        rmse_by_time=by_time["RMSE"].get(name),
        ranking=ranking.get(name),
        train_seconds=train_seconds[name],
        query_ms=query_ms.get(name),
    )
board.save()

# %% [markdown]
# ## Exercises
#
# 1. **A middle way.** Rank by $b_i$ shrunk harder: `BaselineOnly(bsl_options={"reg_i": 100})`. How far towards the
#    most popular list does its NDCG@10 get, and what does its RMSE pay?
# 2. **Neighbours of people.** Write user-based CF on what was watched, in two matrix products like the item-based
#    one. Which of the two covers more of the catalogue?
# 3. **Explain yourself.** EASE's weights say why a movie is recommended. With `ease_weights` on the 300 most popular
#    movies, find the three watched movies that contribute most to one recommendation.
# 4. **Ties.** Shuffle the training rows, `train.sample(frac=1, random_state=0)`, and predict with item-based raw
#    cosine again. Why does its RMSE change by more than 0.02, and that of `KNNBaseline` hardly at all?
# 5. **Recent first.** Keep EASE's weights, but score a history $h$ in which the latest movie counts 1 and the others
#    $1/\sqrt{1 + \text{rank}}$: $hB = h - (h - h X^\top A) / (1 - \sum_u X_u \circ A_u)$. How far up does NDCG@10 go?

# %% [markdown]
# ## Takeaways
#
# - We saw every model lose to the mean on noise, which a table without the mean would have hidden.
# - On the planted world each idea closed part of the gap to the floor, and a gap was left for features.
# - On MovieLens, neighbours that compare deviations predicted ratings best; SVD was level with the biases, and raw
#   cosine lost to them.
# - The models that predicted ratings well ranked worse than the most popular list; EASE and iALS led, level with each
#   other.
# - An NDCG over all rows at once praised random numbers; by user, over the whole catalogue, it told models apart.
# - The split by user let in the future, and most-popular was the worse without it.
#
# **Next**: [Lesson 07](06_predict_ratings.ipynb) builds two towers that predict ratings, and
# [Lesson 11](11_retrieve_with_in_batch_negatives.ipynb) two towers that rank. Both have this lesson's table to beat.
#
# **References**
#
# - M. Ferrari Dacrema, P. Cremonesi, D. Jannach (2019). Are we really making much progress? A worrying analysis of
#   recent neural recommendation approaches. *RecSys*.
# - Y. Hu, Y. Koren, C. Volinsky (2008). Collaborative filtering for implicit feedback datasets. *ICDM*.
# - N. Hug (2020). Surprise: a Python library for recommender systems. *Journal of Open Source Software* 5(52).
# - K. Järvelin, J. Kekäläinen (2002). Cumulated gain-based evaluation of IR techniques. *ACM TOIS* 20(4).
# - Y. Ji, A. Sun, J. Zhang, C. Li (2023). A critical study on data leakage in recommender system offline evaluation.
#   *ACM TOIS* 41(3).
# - Y. Koren (2008). Factorization meets the neighborhood: a multifaceted collaborative filtering model. *KDD*.
# - S. Rendle, C. Freudenthaler, Z. Gantner, L. Schmidt-Thieme (2009). BPR: Bayesian personalized ranking from implicit
#   feedback. *UAI*.
# - S. Rendle, L. Zhang, Y. Koren (2019). On the difficulty of evaluating baselines: a study on recommender systems.
#   arXiv:1905.01395.
# - B. Sarwar, G. Karypis, J. Konstan, J. Riedl (2001). Item-based collaborative filtering recommendation algorithms.
#   *WWW*.
# - H. Steck (2019). Embarrassingly shallow autoencoders for sparse data. *WWW*.
