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
# # Start cold with a history tower and content features
#
# [![Open in Colab](images/open-in-colab.svg)](https://colab.research.google.com/github/two-towers-course/two-towers/blob/main/notebooks/15_start_cold.ipynb) [![Launch Binder](images/launch-binder.svg)](https://mybinder.org/v2/gh/two-towers-course/two-towers/main?urlpath=lab/tree/notebooks/15_start_cold.ipynb)
#
# **What you'll do**: recommend to users whom the model has never seen, from the first movies of their life, and rank
# movies that nobody has rated.
#
# **What you'll learn**
#
# - why a query tower that reads a history needs no training for a new user;
# - that a model of beginnings has to learn from beginnings, and so do its rivals;
# - to place a new movie by its year, genres and title;
# - to measure both against tuned rivals that see the same.
#
# **What you'll need**: nothing from other lessons. [Lesson 14](14_encode_watch_history.ipynb) says more about history
# towers, [Lesson 11](11_retrieve_with_in_batch_negatives.ipynb) about the loss, and
# [Lesson 03](03_rank_with_classic_baselines.ipynb) about the rivals. One minute and 1.3 GB of memory.

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
# One call sets the seed, the style of the figures and the version of Keras, here 2, which TFRS needs.

# %%
from recsys_utils.setup import set_up

set_up(keras=2, deterministic=True)

from collections import namedtuple
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import tensorflow as tf
import tensorflow_recommenders as tfrs
from scipy.sparse import csr_array

# %%
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge

from recsys_utils import baselines, comparison, diagram, metrics
from recsys_utils.columns import GENRES, ITEM_ID, TIMESTAMP, TITLE, USER_ID, YEAR
from recsys_utils.datasets.movielens import load_movielens
from recsys_utils.display import results_table

# %% [markdown]
# The sizes were chosen on the validation users below.

# %% tags=["parameters"]
SEEDS = (1, 2, 3)
LENGTH = 20  # movies in a window, and so in the longest history
NAMED, NEXT = 5, 10  # movies that a new user has named, and movies that we look for
DIM = 64
EPOCHS = 16
BATCH = 64  # windows
RATE = 0.1
DROPOUT = 0.5
NORM_PENALTY = 0.02

# %%
chosen = (SEEDS, LENGTH, NAMED, NEXT, DIM, EPOCHS, BATCH, RATE, DROPOUT, NORM_PENALTY)
default = chosen == ((1, 2, 3), 20, 5, 10, 64, 16, 64, 0.1, 0.5, 0.02)

# %% [markdown]
# ## Data: lives, not rows
#
# A **[cold start](../docs/glossary.md#cold-start)** is a question about a user or a movie without a past. So we hide
# whole users, a third of them for the test and a sixth for validation, and whole movies: a fifth for the test and a
# fifth for validation. Nothing that is trained sees any of their ratings.
#
# `place` counts the movies of a user's life from 0. Many ratings share a second, and then the order in the file is that
# of the movie ids. A model could learn that, so we draw the order of ties at random.

# %% tags=["nbval-check-output"]
movielens = load_movielens()
items, lives = movielens.items, movielens.ratings.copy()
lives[TIMESTAMP] += np.random.default_rng(1).random(len(lives))  # seconds
lives = lives.sort_values([USER_ID, TIMESTAMP])
users, movies = np.unique(lives[USER_ID]), items[ITEM_ID].to_numpy()
titles, n_movies = items[TITLE].to_numpy(), len(movies)
lives["user"], lives["movie"] = np.searchsorted(users, lives[USER_ID]), np.searchsorted(movies, lives[ITEM_ID])
user_part, movie_part = np.arange(len(users)) % 6, np.arange(n_movies) % 5
of_user = {"test": user_part % 3 == 0, "validation": user_part == 1}  # (n_users,) bool each
of_movie = {"test": movie_part == 0, "validation": movie_part == 1}  # (n_movies,) bool each
lives[["user", "movie", TIMESTAMP]].head(3).astype(int)

# %% [markdown]
# A **world** is what a part of the lesson knows. `seen` is trained on. Of its new users, `asked` has the ratings of movies
# that are not hidden, and `hidden` those of the movies that are.


# %%
World = namedtuple("World", "seen asked hidden new_movies")


def make_world(part):
    parts = {"test": ["test"], "validation": ["test", "validation"]}[part]
    no_user, no_movie = (np.any([of[one] for one in parts], axis=0) for of in (of_user, of_movie))
    known = lives[~no_movie[lives["movie"]]]
    known = known.assign(place=known.groupby("user").cumcount(), size=known.groupby("user")["movie"].transform("size"))
    new_user, new_movie = of_user[part], of_movie[part]
    hidden = lives[new_user[lives["user"]] & new_movie[lives["movie"]]]
    return World(known[~no_user[known["user"]]], known[new_user[known["user"]]], hidden, np.flatnonzero(new_movie))


worlds = {part: make_world(part) for part in ("validation", "test")}

# %% tags=["nbval-check-output"]
for part, world in worlds.items():
    print(f"{part}: {world.seen['user'].nunique()} known users, {len(world.seen):,} ratings; ", end="")
    print(f"{world.asked['user'].nunique()} new users, {len(world.new_movies):,} new movies")
assert not set(worlds["test"].seen["user"]) & set(worlds["test"].asked["user"]), "new users should be new"

# %% [markdown]
# Each new user names the first `NAMED` movies of their life, and we look for the `NEXT` that follow. Only the named ones
# are left out of the list. A **window** is a row of movies, oldest first, filled up with a number that is no movie.

# %%
EMPTY = n_movies  # stands for no movie
Cold = namedtuple("Cold", "task windows moment")


def as_windows(rows, row, place):
    windows = np.full((row.max() + 1, LENGTH), EMPTY, dtype=np.int32)  # (n_rows, LENGTH)
    windows[row, place] = rows["movie"]
    return windows


def ask_after(number, world):
    asked = world.asked[world.asked["size"] > number]
    named, rest = asked[asked["place"] < number], asked[asked["place"].between(number, number + NEXT - 1)]
    windows = as_windows(named, pd.factorize(named["user"])[0], named["place"])
    return Cold(metrics.make_ranking_task(named, rest, movies), windows, named.groupby("user")[TIMESTAMP].max())


# %% tags=["nbval-check-output"]
cold = {part: ask_after(NAMED, world) for part, world in worlds.items()}
moment = cold["test"].moment  # (n_new,) seconds
tenth = worlds["test"].asked.groupby("user")[TIMESTAMP].nth(NAMED + NEXT - 1)
print(titles[cold["test"].windows[0, :NAMED]].tolist())

# %% [markdown]
# ## The idea: nothing of the query belongs to the user
#
# The [query tower](../docs/glossary.md#query-tower) adds up a vector $h_r$ of each movie that the user has named, with
# weights $w_r$ that fade with the position $r$ (0 is the latest), and divides by their length. A vector $n$ is what
# it says of nobody in particular:
#
# $$q = n + \frac{\sum_r w_r h_r}{\sqrt{1 + \sum_r w_r^2}}.$$
#
# No vector belongs to the user, so a new user needs no training. In the same way a movie's vector is a vector $o$ of its
# own plus the sum of what its features $x_f$ say, and a movie without ratings keeps $o = 0$:
#
# $$c = o + \sum_f x_f\, v_f, \qquad \text{score} = q \cdot c.$$
#
# By hand, for two named movies and two to rank, the second of them new:

# %% tags=["nbval-check-output"]
h, w = np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([1.0, 0.5])  # (named, dim), (named,)
q = w @ h / np.sqrt(1 + (w**2).sum())  # (dim,), n is 0
own, x, v = np.array([[0.5, 0], [0, 0]]), np.array([[0, 1], [1, 0]]), np.array([[0, 1], [1, 0]])
c = own + x @ v  # (movies, dim)
print("query", q.round(2), "scores", (c @ q).round(2))

# %% [markdown]
# ## Rivals that see the same
#
# Each rival learns from the known users, and scores the catalogue for the named movies. **Recently popular** reads the
# moment of the last named movie in place of the movies: a rating counts half at a distance of `half_life` days, earlier
# or later. **iALS** finds the new user's factors by one least-squares step, the *fold-in*.
#
# A life begins unlike it goes on: MovieLens shows newcomers well-known movies of the day. So each rival may learn
# from beginnings alone, the `first` movies of each known user.


# %%
def as_task(rows):
    row, seen_by = pd.factorize(rows["user"])
    ones = csr_array((np.ones(len(rows), bool), (row, rows["movie"])), (len(seen_by), n_movies))
    return metrics.RankingTask(users[seen_by], movies, ones, ones)


def fade(windows, power):
    age = (windows != EMPTY)[:, ::-1].cumsum(axis=1)[:, ::-1]  # (n_rows, LENGTH), 1 for the latest
    history = np.zeros((len(windows), n_movies + 1), np.float32)
    history[np.arange(len(windows))[:, None], windows] = np.maximum(age, 1.0) ** -power
    return history[:, :-1]  # (n_rows, n_movies)


def fold_in(history, vectors, penalty):
    return history @ vectors @ np.linalg.inv(vectors.T @ vectors + penalty * np.eye(vectors.shape[1]))


# %%
def rank_by_moment(rows, moment, half_life):
    days = np.abs(moment.to_numpy()[:, None] - rows[TIMESTAMP].to_numpy()) / baselines.DAY  # (n_new, n_rows)
    movie = csr_array((np.ones(len(rows)), (np.arange(len(rows)), rows["movie"])), (len(rows), n_movies))
    return 0.5 ** (days / half_life) @ movie


def fit_rival(name, seen, first, **settings):
    rows = seen[seen["place"] < first]
    task = as_task(rows)
    if name == "recently popular":
        return lambda cold, power: rank_by_moment(rows, cold.moment, **settings)  # (n_new, n_movies), as all
    if name == "iALS":
        items = baselines.ials_factors(task, **settings).items  # (n_movies, factors)
        return lambda cold, power: fold_in(fade(cold.windows, power), items, settings["regularization"]) @ items.T
    if name == "most popular":
        return lambda cold, power: np.tile(task.popularity, (len(cold.windows), 1))
    fitted = baselines.fit_ease(task.seen, **settings) if name == "EASE" else baselines.fit_directed(rows, task, **settings)
    return lambda cold, power: fitted.scores(fade(cold.windows, power))


# %% [markdown]
# The settings for this question are chosen on the validation users. A history fades with the `power`.

# %%
ALL = 10_000  # whole lives
FIRST, POWERS = (10, 20, 50, ALL), (0, 0.25, 0.5, 0.75)
GRIDS = {
    "most popular": ({"first": FIRST}, [0]),
    "recently popular": ({"first": FIRST, "half_life": (30, 60, 120, 365)}, [0]),
    "iALS": ({"first": FIRST, "factors": (8, 16, 32), "regularization": (3, 10, 30)}, [0]),
    "EASE": ({"first": FIRST, "strength": (20, 100, 300, 1000)}, POWERS),
    "item to next item": ({"first": FIRST, "history_power": (0.3, 0.5), "item_power": (0.1, 0.2, 0.3)}, POWERS),
}


def ndcg_of(scores, cold):
    return metrics.evaluate_ranking(scores, cold.task).ndcg  # (n_new,)


def search(name, grid, powers):
    tried, question = [], cold["validation"]
    for values in product(*grid.values()):
        settings = dict(zip(grid, values, strict=True))
        score = fit_rival(name, worlds["validation"].seen, **settings)
        tried += [(ndcg_of(score(question, power), question).mean(), power, settings) for power in powers]
    return sorted(tried, key=lambda one: -one[0])


tried = {name: search(name, *grid) for name, grid in GRIDS.items()}

# %%
rows = []
for name, ((ndcg, power, settings), *others) in tried.items():
    whole = max(score for score, _, one in tried[name] if one["first"] == ALL)
    rows.append((name, 1 + len(others), str(settings | {"power": power})[1:-1].replace("'", ""), ndcg, whole))
headings = ["model", "tried", "chosen", "NDCG@10, validation", "best on whole lives"]
results_table(pd.DataFrame(rows, columns=headings))

# %% [markdown]
# ## The towers
#
# Both sides describe a movie by a vector of its own and by its features. Genres are weighted by **TF-IDF**: a rare one
# says more than Drama. A year is near to some of 21 marks, five years apart. The text comes later.


# %%
def unit(rows):
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)  # rows of length 1


genres = TfidfVectorizer(token_pattern=r"[^|]+").fit_transform(items[GENRES]).toarray()  # (n_movies, n_genres)
year = items[YEAR].where(items[YEAR] > 0, items[YEAR].median()).to_numpy(float)[:, None]  # (n_movies, 1)
years = np.exp(-(((year - np.arange(1920, 2021, 5)) / 8) ** 2))  # (n_movies, 21)
plain = np.hstack([unit(genres), unit(years)])  # (n_movies, n_features)


class MovieVectors(tf.keras.layers.Layer):
    def __init__(self, features, trained, seed):
        super().__init__()
        start = np.random.default_rng(seed).normal(0, 0.05, (n_movies, DIM)) * trained[:, None]
        self.own = self.add_weight("own", start.shape, initializer=tf.constant_initializer(start))
        self.of_feature = self.add_weight("of_feature", (features.shape[1], DIM), initializer="zeros")
        self.features = tf.constant(features, tf.float32)

    def table(self, hide=0.0):
        shown = tf.cast(tf.random.uniform((n_movies, 1)) >= hide, tf.float32)  # hidden: the features alone
        return shown * self.own + tf.matmul(self.features, self.of_feature)  # (n_movies, DIM)


# %% [markdown]
# The history tower reads a whole window at once. Its query at position $t$ knows the $t$ movies before: a triangle of
# weights, times the vectors. In training it leaves out half of each history at random, so that it learns from still
# shorter ones.


# %%
class HistoryTower(tf.keras.layers.Layer):
    def __init__(self, features, trained, seed):
        super().__init__()
        self.vectors = MovieVectors(features, trained, seed + 100)
        start = tf.constant_initializer((1 + np.arange(LENGTH)) ** -0.5)
        self.fade = self.add_weight("fade", (LENGTH,), initializer=start)
        self.nobody = self.add_weight("nobody", (DIM,), initializer=tf.random_normal_initializer(0, 0.05, seed))
        self.age = np.arange(LENGTH + 1)[:, None] - 1 - np.arange(LENGTH)  # (LENGTH + 1, LENGTH), below 0: to come

    def call(self, windows, training=False):
        present = tf.cast(windows != EMPTY, tf.float32)  # (batch, LENGTH)
        if training:
            present *= tf.cast(tf.random.uniform(tf.shape(windows)) >= DROPOUT, tf.float32)
        triangle = tf.gather(self.fade, np.maximum(self.age, 0)) * (self.age >= 0)  # (LENGTH + 1, LENGTH)
        weights = triangle * present[:, None]  # (batch, LENGTH + 1, LENGTH)
        table = tf.pad(self.vectors.table(), [[0, 1], [0, 0]])  # (n_movies + 1, DIM)
        total = tf.matmul(weights, tf.gather(table, windows))  # (batch, LENGTH + 1, DIM)
        return self.nobody + total * tf.math.rsqrt(1 + tf.reduce_sum(weights**2, axis=2, keepdims=True))


# %% [markdown]
# Each movie of a window is a target once. The loss is the [in-batch softmax](../docs/glossary.md#in-batch-softmax) with
# the [logQ correction](../docs/glossary.md#logq-correction); movies that the user rated at another time are no negatives,
# and a penalty keeps vectors short.


# %%
class ColdStartModel(tfrs.Model):
    def __init__(self, seen, windows, features, seed, hide):
        super().__init__()
        count = np.bincount(windows[windows != EMPTY], minlength=n_movies)  # (n_movies,)
        self.query_tower = HistoryTower(features, count > 0, seed)
        self.candidates, self.hide = MovieVectors(features, count > 0, seed), hide
        self.share, self.seen = tf.constant(count / count.sum(), tf.float32), tf.constant(seen)
        self.task = tfrs.tasks.Retrieval()

    def compute_loss(self, batch, training=False):
        windows = batch["window"]  # (batch, LENGTH)
        real = tf.where(windows != EMPTY)  # (n_targets, 2) row and position
        queries = tf.gather_nd(self.query_tower(windows, training), real)  # (n_targets, DIM)
        target = tf.gather_nd(windows, real)  # (n_targets,)
        candidates = tf.gather(self.candidates.table(self.hide), target)  # (n_targets, DIM)
        own = tf.gather(tf.gather(self.seen, batch["user"]), target, axis=1)  # (batch, n_targets)
        mask = tf.linalg.set_diag(~tf.gather(own, real[:, 0]), tf.ones_like(target, tf.bool))  # the target counts
        penalty = NORM_PENALTY * (tf.reduce_sum(queries**2) + tf.reduce_sum(candidates**2))
        share = tf.gather(self.share, target)
        return penalty + self.task(queries, candidates, candidate_sampling_probability=share, score_mask=mask)


# %%
def score(model, windows):
    after_all = (windows != EMPTY).sum(axis=1)  # (n_rows,) position after the last movie
    queries = tf.gather(model.query_tower(windows), after_all, batch_dims=1)  # (n_rows, DIM)
    return tf.matmul(queries, model.candidates.table(), transpose_b=True).numpy()  # (n_rows, n_movies)


diagram.draw_two_towers(
    diagram.Tower("history tower", {"movies named": LENGTH}, ["own vectors + features", "sum that fades"]),
    diagram.Tower("movie tower", {"genres": genres.shape[1], "year": 21}, ["sum of features"], {"own vector": n_movies}),
    meet="dot product",
    loss="in-batch softmax, logQ",
)

# %% [markdown]
# ## Train on beginnings
#
# The training windows are the first `LENGTH` movies of each known user, with histories of 0 to 19 movies.


# %%
def cut(seen, until):
    """Cut lives into windows: the beginning, then pieces of what follows."""
    rows = seen[seen["place"] < until]
    row, windows_of = pd.factorize(rows["user"] * ALL + rows["place"] // LENGTH)
    windows = as_windows(rows, row, rows["place"] % LENGTH)  # (n_windows, LENGTH)
    return {"user": windows_of.to_numpy() // ALL, "window": windows}


def train(seen, seed, features=plain, until=LENGTH, epochs=EPOCHS, batch=BATCH, hide=0.0):
    tf.keras.utils.set_random_seed(seed)
    windows, of_users = cut(seen, until), np.zeros((len(users), n_movies), bool)
    of_users[seen["user"], seen["movie"]] = True
    model = ColdStartModel(of_users, windows["window"], features, seed, hide)
    data = tf.data.Dataset.from_tensor_slices(windows).shuffle(ALL, seed=seed).batch(batch)
    falling = tf.keras.optimizers.schedules.PolynomialDecay(RATE, epochs * len(data), RATE / 20)
    model.compile(optimizer=tf.keras.optimizers.Adagrad(falling))
    model.curve = model.fit(data, epochs=epochs, verbose=0).history["loss"]
    return model


# %%
towers = [train(worlds["test"].seen, seed) for seed in SEEDS]
