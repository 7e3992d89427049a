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
# # Start cold with a watch-history tower and genres
#
# [![Open in Colab](images/open-in-colab.svg)](https://colab.research.google.com/github/two-towers-course/two-towers/blob/main/notebooks/15_start_cold.ipynb) [![Launch Binder](images/launch-binder.svg)](https://mybinder.org/v2/gh/two-towers-course/two-towers/main?urlpath=lab/tree/notebooks/15_start_cold.ipynb)
#
# **What you'll do**: Recommend movies to a user who has just named five, and place a movie that nobody has rated, with
# one two-tower model that was trained on neither.
#
# **What you'll learn**
# - why a query tower that reads a history needs no training for a new user;
# - how the genres place a movie without ratings;
# - how to measure both, against rivals that see the same;
# - why the new users that a split of old ratings offers are not quite new.
#
# **What you'll need**: [Lesson 14](14_encode_watch_history.ipynb) for the history tower,
# [Lesson 11](11_retrieve_with_in_batch_negatives.ipynb) for the in-batch softmax and the logQ correction,
# [Lesson 03](03_rank_with_classic_baselines.ipynb) for EASE and for NDCG, the measure of a ranking; one minute; 1.3 GB
# of memory.

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
# One call sets the seed, the figures' style and the Keras that TFRS is written for, which is Keras 2.

# %%
from recsys_utils.setup import set_up

set_up(keras=2, deterministic=True)

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import tensorflow as tf
import tensorflow_recommenders as tfrs

from recsys_utils import baselines, columns, splits
from recsys_utils.comparison import bootstrap_interval
from recsys_utils.datasets.movielens import load_movielens
from recsys_utils.display import results_table
from recsys_utils.metrics import RankingTask, evaluate_ranking, make_ranking_task, recommend

# %% [markdown]
# The sizes of the model and of its training are those of Lesson 14's small models, chosen there on the validation part.
# With other settings than these, the cells whose claims hold for these settings run without checking them.

# %% tags=["parameters"]
SEED = 1
LENGTH = 50
NAMED = 5
DIM = 64
EPOCHS = 3
BATCH = 1024
LEARNING_RATE = 0.07
DROPOUT = 0.4
NORM_PENALTY = 0.02
EASE_STRENGTH = 500

# %%
settings = (SEED, LENGTH, NAMED, DIM, EPOCHS, BATCH, LEARNING_RATE, DROPOUT, NORM_PENALTY, EASE_STRENGTH)
changed = settings != (1, 50, 5, 64, 3, 1024, 0.07, 0.4, 0.02, 500)
if changed:
    print("Other settings than the page's: claims that hold for the page's settings are not checked.")

# %% [markdown]
# ## Data: users whom the model never sees
#
# A **[cold start](../docs/glossary.md#cold-start)** is a question about a user or a movie without a past. To have such
# users we leave every fifth user
# out of training altogether. The others are the known users. As before, each user's last 20 % of ratings is the test.

# %%
movies = load_movielens()
items = movies.items
movie_ids, titles = items[columns.ITEM_ID].to_numpy(), items[columns.TITLE].to_numpy()
n_movies = len(movie_ids)
split = splits.split_by_time(movies.ratings)
task = make_ranking_task(*split, items=movie_ids)
new = np.arange(len(task.users)) % 5 == 0  # (n_users,) bool
is_new = split.train[columns.USER_ID].isin(task.users[new])
known_train, new_train = split.train[~is_new], split.train[is_new]

# %% tags=["nbval-check-output"]
known_seen = task.seen[~new].toarray()  # (n_known, n_movies) bool
unrated = ~known_seen.any(axis=0)  # (n_movies,) bool
print(f"{(~new).sum()} known users with {len(known_train):,} ratings, {new.sum()} new users")
print(f"{n_movies:,} movies, {unrated.sum():,} of them without a rating by a known user")
known_train.head(3)

# %% [markdown]
# Ratings are sorted by user and time. So the [history](../docs/glossary.md#watch-history) of an event is the rows above
# it that belong to the same user,
# latest first. Where there are fewer than `LENGTH`, we fill up with a number that is no movie.

# %%
EMPTY = n_movies  # stands for no movie


def lay_out(ratings):
    user = np.unique(ratings[columns.USER_ID], return_inverse=True)[1]  # (n_events,) from 0
    return user, np.searchsorted(movie_ids, ratings[columns.ITEM_ID])  # and the number of the movie


def histories(user, movie, ends):
    rows = ends[:, None] - 1 - np.arange(LENGTH)  # (n_ends, LENGTH), latest first; row `ends` itself is not read
    own = (rows >= 0) & (user[rows] == user[ends - 1][:, None])
    return np.where(own, movie[rows], EMPTY)


# %% [markdown]
# Look at the history before the third event of the first user, and check the histories of all training examples.

# %% tags=["nbval-check-output"]
user, movie = lay_out(known_train)
ends = np.flatnonzero(np.diff(user) == 0) + 1  # events with something before them
examples = {"user": user[ends], "target": movie[ends], "history": histories(user, movie, ends)}
print("history", titles[examples["history"][1][:2]].tolist(), "target", titles[examples["target"][1]])
print(f"{len(ends):,} examples")
assert (examples["history"] != examples["target"][:, None]).all(), "a history must not hold its target"

# %% [markdown]
# ## The idea: nothing of the query belongs to the user
#
# The [query tower](../docs/glossary.md#query-tower) of [Lesson 14](14_encode_watch_history.ipynb) adds up the vectors
# $h_r$ of the last movies, with
# weights that fade with the position $r$, and divides by the length of the weights:
#
# $$q = \frac{\sum_r w_r h_r}{\sqrt{\sum_r w_r^2}}, \qquad w_r = \frac{1}{\sqrt{1 + r}}.$$
#
# No vector in it belongs to the user, so a new user needs no training: five movies make a query. On the other side,
# a movie's vector is a vector of its own plus the sum of its genres' vectors,
#
# $$c = o + \sum_{g} c_g.$$
#
# A movie without ratings keeps $o = 0$, so that its genres alone speak for it. Take two genres, a movie of the first
# with ratings, and one of the second without.

# %% tags=["nbval-check-output"]
own = np.array([[0.5, 1], [0, 0]])  # (movies, dim); the second movie has no ratings
genre = np.array([[1, 0], [0, 2]])  # (genres, dim)
has_genre = np.array([[1, 0], [0, 1]])  # (movies, genres)
candidates = own + has_genre @ genre  # (movies, dim)
query = np.array([1, 1])  # (dim,)
print(candidates.tolist(), "scores", (candidates @ query).tolist())

# %% [markdown]
# ## The towers
#
# Both sides need a vector for each movie. The layer below makes the table of all of them. Genres start at zero, and are
# scaled so that a movie of many genres moves no further than one of a single genre.

# %%
flags = items[columns.GENRES].str.get_dummies("|").to_numpy(np.float32)  # (n_movies, n_genres) of 0 and 1
genres = flags / np.sqrt(np.maximum(flags.sum(axis=1, keepdims=True), 1))  # rows of length 1


class MovieVectors(tf.keras.layers.Layer):
    def __init__(self, seed):
        super().__init__()
        start = np.random.default_rng(seed).normal(0, 0.05, (n_movies, DIM)) * ~unrated[:, None]
        self.own = self.add_weight("own", start.shape, initializer=tf.constant_initializer(start))
        self.genre = self.add_weight("genre", (genres.shape[1], DIM), initializer="zeros")

    def table(self):
        return self.own + tf.matmul(genres, self.genre)  # (n_movies, dim)


# %% [markdown]
# The query tower gives the number that stands for no movie the weight 0. In training it also leaves out a random part
# of each history, so that it learns from short ones, too.


# %%
class HistoryTower(tf.keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.vectors = MovieVectors(SEED + 1)

    def call(self, history, training=False):
        present = tf.cast(history != EMPTY, tf.float32)  # (batch, LENGTH)
        if training:
            present *= tf.cast(tf.random.uniform(tf.shape(history)) >= DROPOUT, tf.float32)
        weights = present / np.sqrt(1 + np.arange(LENGTH, dtype=np.float32))
        table = tf.pad(self.vectors.table(), [[0, 1], [0, 0]])  # (n_movies + 1, dim)
        total = tf.einsum("bl,bld->bd", weights, tf.gather(table, history))
        return total * tf.math.rsqrt(tf.reduce_sum(weights**2, axis=1, keepdims=True) + 1e-6)


# %% [markdown]
# The loss is Lesson 14's: [in-batch softmax](../docs/glossary.md#in-batch-softmax) with the [logQ
# correction](../docs/glossary.md#logq-correction), where other movies of the same user are no
# negatives, and a penalty on long vectors.


# %%
class ColdStartModel(tfrs.Model):
    def __init__(self):
        super().__init__()
        self.query_tower, self.candidates = HistoryTower(), MovieVectors(SEED)
        self.share = tf.constant(known_seen.sum(axis=0) / known_seen.sum(), tf.float32)  # (n_movies,)
        self.seen, self.task = tf.constant(known_seen), tfrs.tasks.Retrieval()

    def compute_loss(self, batch, training=False):
        target, queries = batch["target"], self.query_tower(batch["history"], training)  # (batch, dim)
        candidates = tf.gather(self.candidates.table(), target)  # (batch, dim)
        not_own = ~tf.gather(tf.gather(self.seen, batch["user"]), target, axis=1)  # (batch, batch)
        mask = tf.linalg.set_diag(not_own, tf.ones_like(target, tf.bool))  # the target counts
        share = tf.gather(self.share, target)
        penalty = NORM_PENALTY * (tf.reduce_sum(queries**2) + tf.reduce_sum(candidates**2))
        return penalty + self.task(queries, candidates, candidate_sampling_probability=share, score_mask=mask)


# %% [markdown]
# ## Train
#
# One training serves the whole lesson; it takes one seed. The learning rate falls in a straight line to a twentieth.

# %%
data = tf.data.Dataset.from_tensor_slices(examples).shuffle(len(ends), seed=SEED).batch(BATCH, drop_remainder=True)
falling = tf.keras.optimizers.schedules.PolynomialDecay(LEARNING_RATE, EPOCHS * len(data), LEARNING_RATE / 20)
model = ColdStartModel()
model.compile(optimizer=tf.keras.optimizers.Adagrad(falling))
curve = model.fit(data, epochs=EPOCHS, verbose=0).history
print("loss of an example:", [round(loss / BATCH, 2) for loss in curve["loss"]])
assert curve["loss"][-1] <= curve["loss"][0], "training should lower the loss"

# %% [markdown]
# Queries and candidates meet in a product. It scores the whole catalogue for any histories, of known users or not. We
# shall ask with the last movies of users, too.


# %%
def score(histories):
    queries = model.query_tower(histories)  # (n_rows, dim)
    return tf.matmul(queries, model.candidates.table(), transpose_b=True).numpy()  # (n_rows, n_movies)


def last_histories(user, movie):
    return histories(user, movie, np.flatnonzero(np.diff(user, append=-1)) + 1)  # (n_users, LENGTH)


# %% [markdown]
# ## Recommend for a user who has just named five movies
#
# Somebody signs up and names five movies. The tower needs nothing else: no id, no training.


# %%
def history_of(names):
    named = [np.flatnonzero(titles == name)[0] for name in names]
    return np.array([named + [EMPTY] * (LENGTH - len(named))])  # (1, LENGTH)


def ask(names, left_out):
    return recommend(score(history_of(names)), left_out, k=10)[0]


horror = ["Halloween", "Exorcist, The", "Shining, The", "Alien", "Scream"]
classics = ["Casablanca", "Citizen Kane", "Vertigo", "Rear Window", "Sunset Blvd. (a.k.a. Sunset Boulevard)"]
wishes = {"somebody who likes horror": horror, "somebody who likes classics": classics}
answers = {name: ask(five, np.isin(titles, five)[None]) for name, five in wishes.items()}
results_table(pd.DataFrame({name: titles[found] for name, found in answers.items()}))

# %%
is_horror, year = items[columns.GENRES].str.contains("Horror").to_numpy(), items[columns.YEAR].to_numpy()
share = is_horror[answers["somebody who likes horror"]].mean()
middle = np.median(year[answers["somebody who likes classics"]])
print(f"{share:.0%} of the first list are horror movies; the second list's middle year is {middle:.0f}, ", end="")
print(f"the catalogue's is {np.nanmedian(year):.0f}")
assert changed or (share >= 0.5 and middle < np.nanmedian(year) - 15), "each list should fit the five movies"

# %% [markdown]
# ## Measure it on users who were left out
#
# Two lists that look right prove little, so we measure. Each user who was left out of training names the last five
# movies of their training part, and the test is what they chose next. These are the facts of that test:

# %% tags=["nbval-check-output"]
new_users = new_train.groupby(columns.USER_ID)
pause = split.test.groupby(columns.USER_ID)[columns.TIMESTAMP].min() - new_users[columns.TIMESTAMP].max()
print(f"{new.sum()} new users rated {new_users.size().median():.0f} movies before the test (the median)")
print(
    f"{(pause.dropna() < 3600).mean():.0%} of them went on to the test within an hour of the last movie that they name"
)

# %% [markdown]
# **So these users are not truly cold**, and the figures below flatter every model that reads the five movies. The five
# are not the first that a user rated: they stand right before the test, mostly in the same sitting. And all that the
# user rated before the test is left out of the recommendations, which no system could do that knows only five movies.
# Read the table as a comparison of models that are given the same five movies, not as what a sign-up page would reach.
#
# The rivals are the [most popular movies](../docs/glossary.md#most-popular) and [EASE](../docs/glossary.md#ease), a
# linear model whose weights multiply any history. One EASE reads the
# five movies as equals, the other weighs the latest most.

# %%
new_task = RankingTask(task.users[new], task.items, task.seen[new], task.relevant[new])
new_histories = last_histories(*lay_out(new_train))  # (n_new, LENGTH)
ease = baselines.fit_ease(known_seen.astype(np.float32), EASE_STRENGTH)
popularity = known_seen.sum(axis=0).astype(np.float32)  # (n_movies,)


def fade(histories):
    faded = np.zeros((len(histories), n_movies + 1), dtype=np.float32)
    faded[np.arange(len(histories))[:, None], histories] = 1 / np.sqrt(1 + np.arange(LENGTH))
    return faded[:, :-1]  # (n_rows, n_movies)


# %% [markdown]
# Every model answers for the same histories.


# %%
def answer(histories):
    faded = fade(histories)
    return {
        "most popular": np.broadcast_to(popularity, faded.shape),
        "EASE": ease.scores(faded > 0),
        "EASE, recent first": ease.scores(faded),
        "history tower": score(histories),
    }


def last_named(number):
    return np.where(np.arange(LENGTH) < number, new_histories, EMPTY)


# %%
results = {name: evaluate_ranking(scores, new_task) for name, scores in answer(last_named(NAMED)).items()}
shown = ["model", "Recall@10", "NDCG@10", "low", "high"]
results_table(pd.DataFrame([{"model": name} | result.summary() for name, result in results.items()])[shown])

# %% [markdown]
# How sure are the differences? Both models of a line answer for the same users, so we bootstrap the difference user by
# user.

# %%
tower = results["history tower"].ndcg  # (n_new,)
for other in list(results)[:-1]:
    difference = tower - results[other].ndcg
    low, high = bootstrap_interval(difference)
    print(f"history tower minus {other}: {difference.mean():+.3f}, from {low:+.3f} to {high:+.3f} NDCG@10")
low, _ = bootstrap_interval(tower - results["most popular"].ndcg)
assert changed or low > 0, "five movies should be enough to beat the most popular beyond doubt"
assert changed or results["EASE"].ndcg.mean() > tower.mean(), "EASE should be ahead on five movies"

# %% [markdown]
# In the middle of a sitting, five movies are enough to leave the most popular behind. They are not enough to beat EASE,
# which was ahead of the tower on average.
#
# How many movies does each model need? In the figure, see how much the first ones help both models, and that the tower
# has nearly caught up at twenty.

# %%
numbers = [1, 2, 5, 10, 20]
grid = [{name: evaluate_ranking(s, new_task).ndcg.mean() for name, s in answer(last_named(n)).items()} for n in numbers]
by_number = pd.DataFrame(grid, index=numbers)  # a row for each number of movies named
figure, axis = plt.subplots()
for name in ("most popular", "EASE", "history tower"):
    axis.plot(numbers, by_number[name], marker="o")
    axis.annotate(name, (numbers[-1], by_number[name].iloc[-1]), xytext=(8, 0), textcoords="offset points", va="center")
axis.set(xscale="log", xlabel="movies named", ylabel="NDCG@10, new users")
axis.set_xticks(numbers, numbers)
axis.minorticks_off()
gap = by_number["EASE"] - by_number["history tower"]
gain = by_number.loc[5] / by_number.loc[1]
assert changed or (gain[["EASE", "history tower"]] > 1.15).all(), "five movies should say more than one"
assert changed or gap[20] < gap[5], "the tower should catch up"

# %% [markdown]
# Now ask colder questions. The same users name the *first* five movies that they rated, and only those five are left
# out. One test is the ten movies that they rated next, the other is the test from above, at the end of their ratings.

# %%
first = new_train.groupby(columns.USER_ID).head(NAMED)
of_new = movies.ratings[movies.ratings[columns.USER_ID].isin(task.users[new])]
order = of_new.groupby(columns.USER_ID).cumcount()  # 0 for a user's first movie
next_ten = of_new[(order >= NAMED) & (order < NAMED + 10)]
new_test = split.test[split.test[columns.USER_ID].isin(task.users[new])]
colder = {"the next ten": make_ranking_task(first, next_ten, items=movie_ids)}
colder["the test"] = make_ranking_task(first, new_test, items=movie_ids)
first_scores = answer(last_histories(*lay_out(first)))
ndcg = {test: {name: evaluate_ranking(s, t).ndcg for name, s in first_scores.items()} for test, t in colder.items()}
table = pd.DataFrame({test: {name: values.mean() for name, values in by.items()} for test, by in ndcg.items()})
results_table(table.rename_axis("NDCG@10 of").reset_index())

# %%
lead = {test: by["history tower"] - by["most popular"] for test, by in ndcg.items()}  # each (n_new,)
interval = {test: bootstrap_interval(values) for test, values in lead.items()}
for test, (low, high) in interval.items():
    print(f"history tower minus most popular, {test}: from {low:+.3f} to {high:+.3f} NDCG@10")
assert changed or interval["the next ten"][0] > 0, "five movies should tell what follows them"
assert changed or interval["the test"][0] < 0, "they should not tell the end of a user's ratings beyond doubt"

# %% [markdown]
# The first five movies tell the tower much about the next ten. About the end of what a user rates they tell nothing
# that we can tell from luck: there, nothing was shown to be better than the most popular movies. So a lead measured on
# a cold start depends on when the question is asked, and a figure without its protocol means little.
#
# ## A movie that nobody has rated
#
# A movie without ratings has no vector of its own, so its genres place it. This is what two users get when only such
# movies may be recommended.

# %%
cartoons = ["Toy Story", "Lion King, The", "Aladdin", "Beauty and the Beast", "Finding Nemo"]
placed = {"likes classics": ask(classics, ~unrated[None]), "likes cartoons": ask(cartoons, ~unrated[None])}
is_animation = items[columns.GENRES].str.contains("Animation").to_numpy()
share = {name: is_animation[found].mean() for name, found in placed.items()}
assert changed or share["likes cartoons"] > 0.5 > share["likes classics"], "cartoons should lead to cartoons"
results_table(pd.DataFrame({name: titles[found] for name, found in placed.items()}))

# %% [markdown]
# To measure it, we take the known users who chose a movie in the test that no known user had rated. How often does that
# movie stand above another unrated one? Half of the time by chance, and for the most popular, since all unrated movies
# are level there. And above how much of the whole catalogue does it stand? The rival that sees the same is a **genre
# profile**: the genres of the user's last movies, with the same fading weights, times the genres of the movie.

# %%
relevant = task.relevant[~new].toarray()  # (n_known, n_movies) bool
asked = np.flatnonzero((relevant & unrated).any(axis=1))  # the known users who chose an unrated movie


def place(scores):
    rows = []
    for row in asked:
        mine = scores[row, relevant[row] & unrated][:, None]  # (n_chosen, 1)
        rivals = scores[row, ~relevant[row] & unrated]  # (n_rivals,)
        above = (mine > rivals).mean() + (mine == rivals).mean() / 2
        rows.append({"above unrated movies": above, "above the catalogue": (mine > scores[row]).mean()})
    return pd.DataFrame(rows)


# %%
known_histories = last_histories(user, movie)  # (n_known, LENGTH)
scores = {
    "most popular": np.broadcast_to(popularity, relevant.shape),
    "genre profile": fade(known_histories) @ genres @ genres.T,
    "history tower": score(known_histories),
}
places = {name: place(s) for name, s in scores.items()}
results_table(pd.DataFrame([{"model": name} | frame.mean().to_dict() for name, frame in places.items()]))

# %%
share = {name: frame["above unrated movies"].to_numpy() for name, frame in places.items()}  # each (n_asked,)
low, high = bootstrap_interval(share["history tower"])
print(f"{len(asked)} users; history tower: from {low:.3f} to {high:.3f} above unrated movies, chance 0.5")
low_over, high_over = bootstrap_interval(share["history tower"] - share["genre profile"])
print(f"history tower minus genre profile: from {low_over:+.3f} to {high_over:+.3f}")
assert changed or low > 0.5, "genres should place unrated movies better than chance"
assert changed or share["history tower"].mean() > share["genre profile"].mean(), "learnt genres should be better"

# %% [markdown]
# Genres place an unrated movie better than chance. The tower does it better than the profile on average: it has learnt
# what a genre is worth after each movie, and not only how often the user met it.
#
# ## In practice
#
# **Ask, then learn.** A sign-up page that asks for five movies is enough to start. Each choice after it changes the
# next answer, without training.
#
# **Do not trust old users for new ones.** Movies named within a sitting say most about that sitting, and MovieLens
# itself chose what its users saw first. Measure on real first visits.
#
# **Give new movies a chance.** A good place is not a place among the first ten. New movies usually get slots of their
# own, and the choices made there are their first training events.
#
# **Features decide.** Genres are few and coarse. Titles, descriptions, people and images place a new movie better.
#
# This lesson adds no row to the course's leaderboard, whose rows answer for all users with their whole histories.
#
# ## Exercises
#
# 1. No training: ask with three of the five horror movies in place of five. How many of the ten recommendations stay?
#    Aim at seven or more. Then name five movies of your own.
# 2. Place the cold question elsewhere: let each new user name the five movies in the middle of the training part, and
#    ask for the ten that follow. Aim at a clear lead of the tower over the most popular.
# 3. Train on short histories: keep only the latest one to ten movies of each example, a random number. Does the tower
#    come closer to EASE on five movies? Expect that it does not, and that it loses on twenty.
# 4. Give the candidate side the period of five years of Lesson 11, too. Aim at a share of about 0.8 above other unrated
#    movies.
#
# ## Takeaways
#
# - A query tower that reads a history answered users it had never seen. Named within a sitting, five movies beat the
#   most popular beyond doubt; EASE was ahead of the tower on so few, and twenty movies nearly closed the gap.
# - Asked about the end of a user's ratings from the first five, the tower was not shown to beat the most popular.
# - Genres placed movies that nobody had rated better than chance, and better on average than a genre profile did.
#
# **Next.** [Lesson 16](16_compare_embeddings.ipynb) asks what the vectors of movies hold to be near.
#
# **References**
#
# - A. Schein, A. Popescul, L. Ungar and D. Pennock, *Methods and metrics for cold-start recommendations*, SIGIR 2002:
#   how to measure a cold start. [doi](https://doi.org/10.1145/564376.564421)
# - H. Steck, *Embarrassingly shallow autoencoders for sparse data*, WWW 2019: EASE.
#   [doi](https://doi.org/10.1145/3308558.3313710)
# - X. Yi et al., *Sampling-bias-corrected neural modeling for large corpus item recommendations*, RecSys 2019: the logQ
#   correction. [doi](https://doi.org/10.1145/3298689.3346996)
