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
# # Predict ratings with classic baselines: biases, SVD and neighbours
#
# [![Open in Colab](images/open-in-colab.svg)](https://colab.research.google.com/github/two-towers-course/two-towers/blob/main/notebooks/02_predict_ratings_with_classic_baselines.ipynb) [![Launch Binder](images/launch-binder.svg)](https://mybinder.org/v2/gh/two-towers-course/two-towers/main?urlpath=lab/tree/notebooks/02_predict_ratings_with_classic_baselines.ipynb)
#
# **What you'll do**: fit five classic models to made and to real movie ratings, and set the mark that every two-tower
# model of this course has to beat in stars.
#
# **What you'll learn**
#
# - why the mean comes first, and what it means when a model does not beat it;
# - what biases, matrix factorisation and neighbours each add, on a world whose noise floor is known;
# - how user-based and item-based collaborative filtering differ, and why raw cosine is a poor similarity;
# - how to tell a better model from a lucky one, with the user as the unit.
#
# **What you'll need**: the two worlds of [Lesson 01](01_generate_synthetic_data.ipynb), though you need not have run
# it; about one minute and 0.9 GB of memory.

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
# Surprise brings the models; the course brings data, splits, metrics and tables.

# %%
from recsys_utils.setup import set_up

set_up()

import time

import numpy as np
import pandas as pd
from surprise import SVD, BaselineOnly, KNNBaseline, KNNBasic

from recsys_utils import baselines, comparison, metrics, splits
from recsys_utils.columns import ITEM_ID, RATING, TITLE, USER_ID
from recsys_utils.datasets import movielens, synthetic
from recsys_utils.display import results_table
from recsys_utils.leaderboard import Leaderboard

# %% [markdown]
# These are the knobs. The number of factors and the number of neighbours are Surprise's defaults, and all else that
# the models can be told stays at its default too.

# %% tags=["parameters"]
SEED = 1
FACTORS = 100  # of SVD
NEIGHBOURS = 40  # at most, for each prediction
USER = 387  # whose predictions we look at

# %% [markdown]
# ## The data
#
# Three data sets, from hopeless to real: ratings that are pure noise, ratings with a planted signal and noise of
# known size, and MovieLens.

# %% tags=["nbval-check-output"]
noise, planted = synthetic.load_synthetic("noise").ratings, synthetic.load_synthetic("planted").ratings
ratings, movies, _ = movielens.load_movielens()
for name, frame in {"noise": noise, "planted": planted, "MovieLens": ratings}.items():
    users, items = frame[USER_ID].nunique(), frame[ITEM_ID].nunique()
    print(f"{name:9} {len(frame):7,} ratings {users:5,} users {items:5,} items")

# %% [markdown]
# A row of MovieLens says who gave which movie how many stars, and when:

# %% tags=["nbval-check-output"]
ratings.head(3)

# %% [markdown]
# ## The idea: a mean, two biases and a taste
#
# Part of a rating has nothing to do with taste. Some users are generous, some movies are good. Take that away and
# what is left is the part worth personalising:
#
# $$\hat r_{ui} = \mu + b_u + b_i + p_u \cdot q_i$$
#
# $\mu$ is the mean, $b_u$ and $b_i$ are the [biases](../docs/glossary.md#bias) of user and item, and $p_u \cdot q_i$ is
# how well the user's
# tastes match the item. Take two users and two movies. Ann gave 5 and 1 stars, Bob 2 and 4:

# %% tags=["nbval-check-output"]
stars = np.array([[5.0, 1.0], [2.0, 4.0]])  # (users, items)
mean = stars.mean()
user_bias = stars.mean(axis=1) - mean  # (users,)
item_bias = stars.mean(axis=0) - mean  # (items,)
left = stars - mean - user_bias[:, None] - item_bias  # (users, items)
print(f"mean {mean}, user biases {user_bias}, item biases {item_bias}, left over:\n{left}")

# %% [markdown]
# Both are equally generous and the first movie is a little better. What is left over is pure taste, and *one* number
# a user and one an item explain it: Ann is a +1, Bob a −1, the first movie a +1.5, the second a −1.5. Such numbers are
# called **factors**, and finding them **[matrix factorisation](../docs/glossary.md#matrix-factorisation)**. The model
# is called SVD in Surprise, after the
# decomposition that inspired it.

# %%
taste_of_user, taste_of_item = np.array([1.0, -1.0]), np.array([1.5, -1.5])
assert np.allclose(left, np.outer(taste_of_user, taste_of_item)), "one factor should do"

# %% [markdown]
# ## User-based and item-based neighbours
#
# Collaborative filtering (CF) by neighbours needs no factors, only a similarity. Should Ann see a movie she does not
# know?
#
# - **[User-based](../docs/glossary.md#user-cf)**: look at the users who rated it, and trust those who rate *like Ann*.
# - **[Item-based](../docs/glossary.md#item-cf)**: look at the movies that Ann rated, and trust her ratings of movies
#   *like this one*.
#
# $$\hat r_{ui} = \frac{\sum_{v} \mathrm{sim}(u, v)\, r_{vi}}{\sum_{v} \mathrm{sim}(u, v)}
# \qquad \text{or} \qquad
# \hat r_{ui} = \frac{\sum_{j} \mathrm{sim}(i, j)\, r_{uj}}{\sum_{j} \mathrm{sim}(i, j)}$$
#
# Left, $v$ are users who rated the item; right, $j$ are items the user rated. Surprise sums over the 40 most similar
# of them at most, and leaves out a similarity that is not positive. Cosine is taken over what both have in common.
# Here Bob rates exactly like Ann and Cy the other way round, and Ann has yet to see the third movie:

# %% tags=["nbval-check-output"]
ann, bob, cy = np.array([3.0, 4.0]), np.array([3.0, 4.0]), np.array([4.0, 3.0])  # stars of movies 1 and 2
bobs_third, cys_third = 5.0, 1.0


def cosine(a, b):
    return a @ b / (np.linalg.norm(a) * np.linalg.norm(b))


like_bob, like_cy = cosine(ann, bob), cosine(ann, cy)
by_hand = (like_bob * bobs_third + like_cy * cys_third) / (like_bob + like_cy)
print(f"similarity to Bob {like_bob:.2f}, to Cy {like_cy:.2f}; user-based prediction {by_hand:.2f} stars")

# %% [markdown]
# Surprise says the same. The flag `user_based` switches between users and items.

# %%
rows = [(1, 1, 3), (1, 2, 4), (2, 1, 3), (2, 2, 4), (2, 3, 5), (3, 1, 4), (3, 2, 3), (3, 3, 1)]
small = pd.DataFrame(rows, columns=[USER_ID, ITEM_ID, RATING])
anns_third = pd.DataFrame({USER_ID: [1], ITEM_ID: [3]})
user_based = KNNBasic(sim_options={"name": "cosine", "user_based": True})
assert np.isclose(baselines.predict_with_surprise(user_based, small, anns_third), by_hand), "Surprise should agree"

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
    cosine, deviations = {"name": "cosine"}, {"name": "pearson_baseline"}
    yield "bias", BaselineOnly()
    yield "SVD", SVD(FACTORS, random_state=SEED)
    yield "user CF, cosine", KNNBasic(NEIGHBOURS, sim_options=cosine | {"user_based": True})
    yield "item CF, cosine", KNNBasic(NEIGHBOURS, sim_options=cosine | {"user_based": False})
    yield "item CF, deviations", KNNBaseline(NEIGHBOURS, sim_options=deviations | {"user_based": False})


# %% [markdown]
# Each is fitted to the training part of a split and predicts its test part. The mean comes first.


# %%
def predict_all(split):
    """Predict the test by the mean and by every model; give the predictions and the seconds, by model."""
    predictions, seconds = {"mean": np.full(len(split.test), split.train[RATING].mean())}, {"mean": 0.0}
    for name, algorithm in rating_models():
        start = time.perf_counter()
        predictions[name] = baselines.predict_with_surprise(algorithm, split.train, split.test)  # (n_test,)
        seconds[name] = time.perf_counter() - start
    return predictions, seconds


# %% [markdown]
# Two numbers sum up a model's errors, both in stars. The squares make [RMSE](../docs/glossary.md#rmse-and-mae) the
# stricter with large errors.


# %%
def measure(split, predictions):
    """Give each model's error on the test, (n_models, 2)."""
    stars = split.test[RATING]
    rows = [(name, metrics.rmse(stars, p), metrics.mae(stars, p)) for name, p in predictions.items()]
    return pd.DataFrame(rows, columns=["model", "RMSE", "MAE"]).set_index("model")


# %% [markdown]
# Two models never have the same RMSE, so which difference counts? Another sample of users would give another
# difference. The **[bootstrap](../docs/glossary.md#paired-bootstrap)** shows how much: draw as many users as there are,
# with replacement, thousands of times,
# and see between which bounds the difference lies. Users are drawn and not ratings, because the ratings of one user
# are alike. Both models are measured on the same draws, so the comparison is **paired**. A model is called better or
# worse only if its interval is clear of zero. The intervals are wide enough that a whole table, and not only each row,
# holds a false verdict in at most one case of twenty ([Holm](../docs/glossary.md#holm-correction), 1979).


# %%
def compare(split, predictions, against):
    """Compare the RMSE of every model with that of one of them."""
    table = comparison.compare_rmse(predictions, split.test, RATING, against)
    return table.drop(columns="seed_spread").rename(columns={"mean": "RMSE"}).set_index("model")


# %% [markdown]
# ## On noise, nothing beats the mean
#
# Here the ratings depend on nothing. A model that finds patterns anyway has learnt the noise.

# %%
split = splits.split_random(noise)
predictions, _ = predict_all(split)
on_noise = measure(split, predictions)
results_table(on_noise.reset_index())

# %% [markdown]
# Every model is worse than the mean, and the neighbours are far worse. Without the first row the table would look
# like a contest between three kinds of model. With it, it says: stop, there is nothing to learn here.

# %%
against_mean = compare(split, predictions, "mean")
assert (against_mean["verdict"].drop("mean") == "worse").all(), "nothing beats the mean"
results_table(against_mean.reset_index())

# %% [markdown]
# ## On a planted world, close the gap to the floor
#
# In this world we know each rating's expected value, so we know the error that even a perfect model would keep: the
# **[noise floor](../docs/glossary.md#noise-floor)**. How far a model gets from the mean down to the floor, in squared
# error, is the share of the signal
# that it found.

# %%
split = splits.split_random(planted)
predictions, _ = predict_all(split)
on_planted = measure(split, predictions)
floor = metrics.rmse(split.test[RATING], split.test["expected"])
on_planted.loc["noise floor", "RMSE"] = floor
signal = on_planted["RMSE"]["mean"] ** 2 - floor**2  # stars², what there is to explain
on_planted["signal found"] = 1 - (on_planted["RMSE"] ** 2 - floor**2) / signal  # 0 to 1
results_table(on_planted[["RMSE", "signal found"]].reset_index())

# %% [markdown]
# Biases find a part, factors more, and neighbours that compare deviations the most. Item-based raw cosine finds far
# less than the factors. This is the order *at default settings*, and of SVD with one seed: other settings can change
# it. Even the best leaves a gap. How much of it towers can close is the subject of
# [Lesson 04](04_build_two_towers_from_scratch.ipynb) and [Lesson 05](05_grow_from_svd_to_two_towers.ipynb).

# %%
against_svd = compare(split, predictions, "SVD")
verdict = against_svd["verdict"]
assert (verdict[["mean", "bias", "item CF, cosine"]] == "worse").all(), "factors should find more than these"
assert verdict["item CF, deviations"] == "better", "the deviations should find the most"
assert on_planted["signal found"]["item CF, deviations"] < 0.8, "a fifth should be left to find"
results_table(against_svd.reset_index())

# %% [markdown]
# ## On MovieLens
#
# Two splits. At **random**, 80/20, as most published tables do: easy to compare, but a user's later ratings help to
# predict their earlier ones. **By time**, each user's last fifth is the test: closer to what a recommender is asked.

# %% tags=["nbval-check-output"]
random_split, time_split = splits.split_random(ratings), splits.split_by_time(ratings)
for name, split in {"random": random_split, "by time": time_split}.items():
    print(f"{name}: {len(split.train):,} training ratings, {len(split.test):,} test ratings")

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
predicted_random, _ = predict_all(random_split)
predicted_by_time, seconds_by_time = predict_all(time_split)
at_random, by_time = measure(random_split, predicted_random), measure(time_split, predicted_by_time)
both = at_random.add_suffix(", random").join(by_time.add_suffix(", by time"))
results_table(both.reset_index())

# %% [markdown]
# Raw cosine, user-based or item-based, is clearly behind the biases, which know nothing of taste. Which of the other
# differences count? First at random, then by time:

# %%
random_verdicts = compare(random_split, predicted_random, "bias")
results_table(random_verdicts.reset_index(), digits=4)

# %%
by_time_verdicts = compare(time_split, predicted_by_time, "bias")
results_table(by_time_verdicts.reset_index(), digits=4)

# %% [markdown]
# The biases are better than the mean and than raw cosine on both splits. SVD is no better than the biases on either.
# Neighbours that compare deviations are better at random; by time, the data cannot tell. The split by time is the
# harder one for them.
#
# All of this holds for default settings, and for SVD with one seed. Rendle, Zhang and Koren (2019) show how much a
# published comparison can owe to baselines that nobody tuned, so a mark to beat should come from tuned models.

# %%
for verdict in (random_verdicts["verdict"], by_time_verdicts["verdict"]):
    assert (verdict[["mean", "user CF, cosine", "item CF, cosine"]] == "worse").all(), "biases should beat these"
    assert verdict["SVD"] != "better", "untuned factors should not beat the biases"
if NEIGHBOURS == 40:  # with few neighbours they do not win
    assert random_verdicts["verdict"]["item CF, deviations"] == "better", "the deviations should win at random"
lost = by_time["RMSE"]["item CF, deviations"] - at_random["RMSE"]["item CF, deviations"]
assert lost > 0.02, "the neighbours should find the future harder"

# %% [markdown]
# ## Predict for one user
#
# Averages hide what a model does, so look at one user, the same whose recommendations Lesson 03 shows. These are the
# first movies of the user's test by time.

# %%
of_user = time_split.test[time_split.test[USER_ID] == USER]
chosen = ["bias", "SVD", "item CF, cosine", "item CF, deviations"]
predicted = pd.DataFrame(predicted_by_time, index=time_split.test.index)[chosen]  # (n_test, 4)
listed = of_user.join(movies.set_index(ITEM_ID)[TITLE], on=ITEM_ID)[[TITLE, RATING]].join(predicted)
results_table(listed.head(8), digits=1)

# %% [markdown]
# The models move little from movie to movie, where the user's stars go up and down. A prediction near the average is
# the safe answer under squared error, so over the whole test, too, predictions vary far less than ratings:

# %%
spread = predicted.assign(stars=time_split.test[RATING]).std()  # over all test ratings
print(", ".join(f"{name} {value:.2f}" for name, value in spread.items()))
assert spread["SVD"] < 0.8 * spread["stars"], "predictions should vary less than ratings"

# %% [markdown]
# ## In practice
#
# - **Start here.** On public data, classic models with well-chosen settings have beaten many newer ones that claimed
#   the opposite (Rendle et al., 2019).
# - **Neighbours** need a similarity for every pair of movies. **User-based** ones need one for every pair of users,
#   usually the larger table of the two.
# - **A new user or a new movie** gets its bias at best: these models know ids, not features.
# - **[SVD++](../docs/glossary.md#svd-and-histories)** (Koren, 2008) is left out, as too slow for a lesson; `make bench`
#   measures it. Each of its steps updates
#   a factor for every movie in the user's history, where a step of SVD updates one:

# %%
length = time_split.train.groupby(USER_ID).size()  # (n_users,) ratings of each user
print(f"the history behind the average rating has {(length**2).sum() / length.sum():.0f} movies")

# %% [markdown]
# The rows go to the course's leaderboard. The seconds are those of the split by time and include predicting its test.

# %%
board = Leaderboard("02")
for name in both.index:
    board.add(
        name,
        kind="baseline",
        rmse_random=at_random["RMSE"][name],
        rmse_by_time=by_time["RMSE"][name],
        train_seconds=seconds_by_time[name],
    )
board.save()

# %% [markdown]
# ## Exercises
#
# 1. **By hand.** Take Ann, Bob and Cy once more. Subtract from each user's stars of the first two movies their mean,
#    and take the cosines again. Which neighbour is left, and what is Ann promised? (Aim at similarities of +1 and −1.)
# 2. **Neighbours of users.** Add user-based `KNNBaseline` with `pearson_baseline` to `rating_models`. On which of the
#    two splits of MovieLens is it better than its item-based twin? (Aim at: on neither.)
# 3. **Fewer neighbours.** Set `NEIGHBOURS` to 5. Why does an average over few neighbours suffer more from noise, and
#    which model loses its lead on MovieLens? (Aim at three models that get worse, on the planted world and on
#    MovieLens.)
# 4. **Ties.** Shuffle the training rows, `train.sample(frac=1, random_state=0)`, and predict with item-based raw
#    cosine again. Why does its RMSE change by more than 0.02, and that of `KNNBaseline` hardly at all?

# %% [markdown]
# ## Takeaways
#
# - We saw every model lose to the mean on noise, which a table without the mean would have hidden.
# - On the planted world each idea closed part of the gap to the floor, and a gap was left.
# - On MovieLens at random, neighbours that compare deviations beat the biases; by time, the data could not tell them
#   apart. SVD at its defaults was no better than the biases.
# - Raw cosine lost to the biases on both splits, because it takes disagreement for likeness.
# - Paired intervals over users, not the order of a table, told which differences count.
#
# **Next**: [Lesson 03](03_rank_with_classic_baselines.ipynb) asks the other question: which ten movies to show.
# [Lesson 06](06_predict_ratings.ipynb) builds two towers that predict ratings.
#
# **References**
#
# - S. Holm (1979). A simple sequentially rejective multiple test procedure. *Scandinavian Journal of Statistics* 6(2).
# - N. Hug (2020). Surprise: a Python library for recommender systems. *Journal of Open Source Software* 5(52).
# - Y. Koren (2008). Factorization meets the neighborhood: a multifaceted collaborative filtering model. *KDD*.
# - S. Rendle, L. Zhang, Y. Koren (2019). On the difficulty of evaluating baselines: a study on recommender systems.
#   arXiv:1905.01395.
# - B. Sarwar, G. Karypis, J. Konstan, J. Riedl (2001). Item-based collaborative filtering recommendation algorithms.
#   *WWW*.
