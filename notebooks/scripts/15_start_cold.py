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

# %% [markdown]
# In the figure, see that the loss has nearly stopped to fall.

# %%
figure, axes = plt.subplots(figsize=(6, 2.8))
for seed, tower in zip(SEEDS, towers, strict=True):
    axes.plot(range(1, EPOCHS + 1), tower.curve, color="C0", alpha=0.5)
axes.set(xlabel="epoch", ylabel="loss of a batch, mean", title="Three seeds of the history tower")
assert all(tower.curve[-1] < tower.curve[0] for tower in towers) or EPOCHS == 1, "training should lower the loss"
plt.show()

# %% [markdown]
# ## Ask the new users
#
# Every choice is fixed; now we use the test once. The last two rows are models of whole lives: EASE as [Lesson
# 03](03_rank_with_classic_baselines.ipynb) tuned it for whole histories, and the same towers, trained on windows from the
# first 120 movies of each life.

# %%
world, question = worlds["test"], cold["test"]
rivals = {name: fit_rival(name, world.seen, **tried[name][0][2]) for name in GRIDS}
named = [f"{name}" for name in rivals]
by_user = {name: ndcg_of(fitted(question, tried[name][0][1]), question) for name, fitted in rivals.items()}
strength = baselines.load_tuned()["EASE"].settings["strength"]
whole_ease = fit_rival("EASE", world.seen, ALL, strength=strength)
by_user["EASE of whole lives"] = ndcg_of(whole_ease(question, 0), question)
whole = {"until": 120, "epochs": 5, "batch": 32, "hide": 0.7}
of_whole_lives = [train(world.seen, seed, **whole) for seed in SEEDS]
for name, models in (("tower of whole lives", of_whole_lives), ("history tower", towers)):
    by_user[name] = np.stack([ndcg_of(score(each, question.windows), question) for each in models])  # (n_seeds, n_new)
against_tower = comparison.compare(by_user, "history tower").set_index("model")
results_table(against_tower.rename(columns={"mean": "NDCG@10"}).reset_index())

# %%
verdict = against_tower["verdict"]
print(verdict.to_dict())

# %% [markdown]
# How many movies does each model need? The settings are those for five; the users are those with more than 20 movies.

# %%
numbers = (1, 2, 5, 10, 20)
curves = {name: [] for name in ("most popular", "EASE", "item to next item", "history tower")}
for number in numbers:
    asked = world.asked[world.asked["size"] > max(numbers)]
    one = ask_after(number, world._replace(asked=asked))
    for name, curve in curves.items():
        if name in rivals:
            curve.append(ndcg_of(rivals[name](one, tried[name][0][1]), one).mean())
        else:
            curve.append(np.mean([ndcg_of(score(tower, one.windows), one).mean() for tower in towers]))
figure, axes = plt.subplots(figsize=(7, 3.2))
for name, curve in curves.items():
    axes.plot(numbers, curve, marker="o")
    axes.annotate(name, (numbers[-1], curve[-1]), xytext=(8, 0), textcoords="offset points", va="center")
axes.set(xscale="log", xlabel="movies named", ylabel="NDCG@10, new users", ylim=(0, None))
axes.set_xticks(numbers, numbers)
axes.minorticks_off()
plt.show()

# %% [markdown]
# ## Recommend for somebody who names five movies
#
# Somebody signs up. The tower needs no id and no training:


# %%
def ask(names, left_out):
    movie = [np.flatnonzero(titles == name)[0] for name in names]
    window = np.array([movie + [EMPTY] * (LENGTH - len(movie))])  # (1, LENGTH)
    return metrics.recommend(score(towers[0], window), left_out | np.isin(np.arange(n_movies), movie)[None])[0]


wishes = {
    "horror": ["Halloween", "Exorcist, The", "Shining, The", "Alien", "Scream"],
    "classics": ["Casablanca", "Citizen Kane", "Vertigo", "Rear Window", "Sunset Blvd. (a.k.a. Sunset Boulevard)"],
}
answers = {name: ask(five, of_movie["test"][None]) for name, five in wishes.items()}
results_table(pd.DataFrame({f"named {name}": titles[found] for name, found in answers.items()}))

# %%
middle = {name: np.median(year[found]) for name, found in answers.items()}
print("middle year of the lists:", {name: int(value) for name, value in middle.items()})
assert not default or middle["classics"] < middle["horror"], "each list should fit the five movies"

# %% [markdown]
# ## A movie that nobody has rated
#
# A new movie has no vector of its own, and its features speak for it. They have to learn to stand alone: in the towers of
# whole lives, each step hides 70 % of the movies' own vectors (as DropoutNet does; Volkovs et al., 2017).
#
# Titles are features, too: TF-IDF weights their words, and a truncated SVD makes dense vectors of them. What is near:

# %%
words = TfidfVectorizer(stop_words="english", sublinear_tf=True, min_df=2).fit_transform(titles)  # (n_movies, n_words)
text = unit(TruncatedSVD(32, random_state=0).fit_transform(words))  # (n_movies, 32)
near = {name: metrics.top_k((text @ text[np.flatnonzero(titles == name)[0]])[None], 6)[0] for name in wishes["horror"][:1]}
{name: titles[found].tolist() for name, found in near.items()}

# %% [markdown]
# We ask the new users for the hidden movies: after the first `LENGTH` movies of their life, which hidden ones did they
# choose later? Only hidden movies are ranked.


# %%
def ask_for_new(world):
    named = world.asked[world.asked["place"] < LENGTH]
    later = world.hidden[world.hidden[TIMESTAMP] > world.hidden["user"].map(named.groupby("user")[TIMESTAMP].max())]
    named = named[named["user"].isin(later["user"])]
    row, asked = pd.factorize(named["user"])
    place = np.searchsorted(asked, later["user"]), np.searchsorted(world.new_movies, later["movie"])
    relevant = csr_array((np.ones(len(later), bool), place), (len(asked), len(world.new_movies)))
    nothing = csr_array(relevant.shape, dtype=bool)
    task = metrics.RankingTask(users[asked], movies[world.new_movies], nothing, relevant)
    return Cold(task, as_windows(named, row, named["place"]), None)


new = {part: ask_for_new(each) for part, each in worlds.items()}
print({part: (len(each.task.users), each.task.relevant.nnz) for part, each in new.items()})

# %% [markdown]
# Rivals that read the same features: **content neighbours** add up the cosines to the named movies. **Popular by
# features** is a ridge regression of a movie's popularity (its logarithm) on its features: popular within a genre and a
# year. **iALS by features** is a ridge regression of iALS's factors (after Gantner et al., 2010).

# %%
factors = {part: baselines.ials_factors(as_task(each.seen), 32, 10.0).items for part, each in worlds.items()}


def rank_new(name, part, features, penalty):
    world, history = worlds[part], fade(new[part].windows, 0)  # (n_asked, n_movies)
    of_new, count = features[world.new_movies], np.bincount(world.seen["movie"], minlength=n_movies)
    if name == "content neighbours":
        return history @ unit(features) @ unit(of_new).T  # (n_asked, n_new_movies), as all
    target = np.log1p(count)[:, None] if name == "popular by features" else factors[part]  # (n_movies, 1 or 32)
    ridge = Ridge(penalty, fit_intercept=False).fit(features[count > 0], target[count > 0])
    user = np.ones((len(history), 1)) if name == "popular by features" else fold_in(history, factors[part], 10.0)
    return user @ ridge.predict(of_new).reshape(len(of_new), -1).T


# %%
found = []
for name, weight, penalty in product(
    ("content neighbours", "popular by features", "iALS by features"), (0, 0.3, 1), (0.3, 1, 3, 10, 30)
):
    scores = rank_new(name, "validation", np.hstack([plain, weight * text]), penalty)
    found.append((name, weight, penalty, ndcg_of(scores, new["validation"]).mean()))
found = pd.DataFrame(found, columns=["model", "weight of text", "penalty", "NDCG@10, validation"])
best = found.sort_values("NDCG@10, validation", ascending=False, kind="stable").groupby("model", sort=False).head(1)
results_table(best)

# %%
with_text = [train(world.seen, seed, np.hstack([plain, 0.3 * text]), **whole) for seed in SEEDS]
at = world.new_movies
of_new = {"random": ndcg_of(np.random.default_rng(1).random(new["test"].task.relevant.shape), new["test"])}
for name, weight, penalty, _ in best.itertuples(index=False):
    of_new[name] = ndcg_of(rank_new(name, "test", np.hstack([plain, weight * text]), penalty), new["test"])
for name, models in (("tower, with text", with_text), ("tower, no text", of_whole_lives)):
    of_new[name] = np.stack([ndcg_of(score(each, new["test"].windows)[:, at], new["test"]) for each in models])
new_table = comparison.compare(of_new, "tower, no text").set_index("model")
results_table(new_table.rename(columns={"mean": "NDCG@10, new movies"}).reset_index())
