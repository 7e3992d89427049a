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
# # Encode the watch history in the query tower
#
# [![Open in Colab](images/open-in-colab.svg)](https://colab.research.google.com/github/two-towers-course/two-towers/blob/main/notebooks/14_encode_watch_history.ipynb) [![Launch Binder](images/launch-binder.svg)](https://mybinder.org/v2/gh/two-towers-course/two-towers/main?urlpath=lab/tree/notebooks/14_encode_watch_history.ipynb)
#
# **What you'll do**: Train a two-tower model whose query tower reads what a user watched last, and beat every tuned
# rival, those that know the order of time among them.
#
# **What you'll learn**
# - how a history becomes a query vector: equal weights, weights that fade, attention, measured one against the other;
# - why a movie that a user will choose next month is no negative today;
# - where the margin comes from, by taking one part away at a time;
# - what a metric in every training step costs.
#
# **What you'll need**: [Lesson 11](11_retrieve_with_in_batch_negatives.ipynb) for the in-batch softmax and the logQ
# correction (a popular movie is in many batches, so its score is corrected by how often it is drawn),
# [Lesson 03](03_rank_with_classic_baselines.ipynb) for the baselines and for NDCG, the measure of a ranking; two
# minutes; 1.5 GB of memory.

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

# %% tags=["model"]
from recsys_utils.setup import set_up

set_up(keras=2, deterministic=True)

import time
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import tensorflow as tf
import tensorflow_recommenders as tfrs

from recsys_utils import baselines, columns, comparison, display, leaderboard, metrics, splits
from recsys_utils.datasets.movielens import load_movielens

# %% [markdown]
# The sizes of the model and of its training, which you can change. The many comparisons use a small model and few
# epochs; the last model gets more of both. With other settings than these, the cells whose claims hold for these
# settings run without checking them.

# %% tags=["parameters"]
SEED = 1
LENGTH = 50
DIM = 256
EPOCHS = 9
SMALL_DIM = 64
SMALL_EPOCHS = 3
BATCH = 1024
LEARNING_RATE = 0.07
DROPOUT = 0.4
NORM_PENALTY = 0.02

# %%
sizes, rates = (LENGTH, DIM, EPOCHS, SMALL_DIM, SMALL_EPOCHS, BATCH), (LEARNING_RATE, DROPOUT, NORM_PENALTY)
changed = (SEED, *sizes, *rates) != (1, 50, 256, 9, 64, 3, 1024, 0.07, 0.4, 0.02)
if changed:
    print("Other settings than the page's: claims that hold for the page's settings are not checked.")

# %% [markdown]
# ## Data: a log of choices in order
#
# As in [Lesson 11](11_retrieve_with_in_batch_negatives.ipynb), each rating is a choice, each user's last 20 % is the
# test, and the last 20 % of what remains is the [validation part](../docs/glossary.md#validation), on which everything
# below was chosen.

# %%
movies = load_movielens()

# %% tags=["model"]
items = movies.items
film_ids, titles = items[columns.ITEM_ID].to_numpy(), items[columns.TITLE].to_numpy()
flags = items[columns.GENRES].str.get_dummies("|").to_numpy(np.float32)  # (n_films, n_genres) of 0 and 1
genres = flags / np.sqrt(np.maximum(flags.sum(axis=1, keepdims=True), 1))  # rows of length 1
test_split = splits.split_by_time(movies.ratings)
validation_split = splits.split_by_time(test_split.train)
test_task = metrics.make_ranking_task(*test_split, items=film_ids)
validation_task = metrics.make_ranking_task(*validation_split, items=film_ids)
n_films = len(film_ids)

# %% [markdown]
# The order of events now matters, so we keep the training part as a **log**: plain arrays, one row an event, sorted by
# person and time. With it, "what this person did before" is the stretch of rows above.


# %% tags=["model"]
class Log(NamedTuple):
    person: np.ndarray  # (n_events,) number of the person, from 0
    film: np.ndarray  # (n_events,) number of the film in the catalogue
    time: np.ndarray  # (n_events,) seconds
    first: np.ndarray  # (n_events,) row of the person's first event


def make_log(ratings):
    person = np.unique(ratings[columns.USER_ID], return_inverse=True)[1]
    film = np.searchsorted(film_ids, ratings[columns.ITEM_ID])
    return Log(person, film, ratings[columns.TIMESTAMP].to_numpy(), np.searchsorted(person, person))


# %% tags=["nbval-check-output"]
log = make_log(validation_split.train)
print(f"{log.person[-1] + 1} people, {n_films:,} films, {len(log.film):,} events to choose a model by")
print(f"{len(test_split.train):,} events to train the chosen model on, {len(test_split.test):,} to test it")
validation_split.train.head(3)

# %% [markdown]
# An **example** is a row of the log whose film is the target. Its [history](../docs/glossary.md#watch-history) is the
# `LENGTH` rows above it that belong to
# the same person: strictly before the target, or the model would read the answer. We read a whole batch of histories at
# once, as flat arrays with an entry for each film in a history: which example it belongs to, the film, its position
# (0 is the latest), and how long before the latest it was chosen, in steps that double.
#
# **[Position dropout](../docs/glossary.md#dropout)** leaves out a random part of each history in training. The model
# cannot lean on any one film, and
# it sees the same choice from many sides.


# %% tags=["model"]
N_GAPS = 14


def read_history(log, ends, dropout=0.0, rng=None):
    rows = ends[:, None] - 1 - np.arange(LENGTH)  # (batch, length), latest first; row `ends` itself is not read
    keep = rows >= log.first[ends - 1][:, None]
    if dropout:
        keep &= rng.random(rows.shape, dtype=np.float32) >= dropout
    example, position = np.nonzero(keep)
    row = rows[example, position]
    minutes = (log.time[ends - 1][example] - log.time[row]) / 60
    gap = np.minimum(np.log2(1 + minutes), N_GAPS - 1).astype(int)
    return {"example": example, "film": log.film[row], "position": position, "gap": gap}, row


# %% [markdown]
# Look at the history before the third event of the first person, and check every tenth history of the log.

# %% tags=["nbval-check-output"]
history, row = read_history(log, np.array([2]))
print({name: values.tolist() for name, values in history.items()})
examples = np.flatnonzero(np.arange(len(log.film)) > log.first)  # events with something before them
history, row = read_history(log, examples[::10])
target = examples[::10][history["example"]]
print(f"{len(examples):,} examples, {len(row) / len(examples[::10]):.0f} films in a history")
assert (row < target).all(), "a history must end before its target"
assert (log.person[row] == log.person[target]).all(), "a history must be the person's own"
assert (log.time[row] <= log.time[target]).all(), "a history must lie in the past"

# %% [markdown]
# ## The idea: a person is what they did last
#
# Lesson 11's query tower looks a person's vector up by id. It cannot know that the mood has changed, and has nothing to
# say to a newcomer. Let the tower read the history instead. With $h_r$ the vector of the film at position $r$ and $w_r$
# its weight,
#
# $$q = \frac{\sum_r w_r h_r}{\sqrt{\sum_r w_r^2}}.$$
#
# The sum is over the history's films. The divisor keeps queries equally long, whether they come from five films or
# from fifty: a sum of $n$ unrelated vectors grows with $\sqrt n$. Take two films, the latest with weight 1 and the one
# before with $1/\sqrt 2$.

# %% tags=["nbval-check-output"]
vectors = np.array([[2, 0], [0, 2]], dtype=np.float32)  # (films, dim)
weights = np.array([1, 1 / np.sqrt(2)], dtype=np.float32)  # (positions,): latest, the one before
by_hand = np.array([2, np.sqrt(2)]) / np.sqrt(1 + 1 / 2)
print(by_hand.round(3))

# %% [markdown]
# In code, one sparse tensor holds the films of a batch of histories, another their weights, and
# `tf.nn.embedding_lookup_sparse` does the rest: `combiner="sqrtn"` is the divisor. What dropout left out costs nothing.
# Examples at the end of a batch whose whole history was left out get no row from it, so we add zeros.


# %% tags=["model"]
def pool(history, weights, vectors, n_examples):
    where = tf.stack([history["example"], history["position"]], axis=1)  # (n_entries, 2)
    films = tf.SparseTensor(where, history["film"], (n_examples, LENGTH))
    query = tf.nn.embedding_lookup_sparse(vectors, films, films.with_values(weights), combiner="sqrtn")
    missing = n_examples - tf.shape(query, tf.int64)[0]
    return tf.ensure_shape(tf.pad(query, [[0, missing], [0, 0]]), (None, vectors.shape[1]))  # (n_examples, dim)


# %%
tiny = {"example": np.array([0, 0]), "film": np.array([0, 1]), "position": np.array([0, 1])}
pooled = pool(tiny, tf.constant(weights), vectors, 2)  # the second of two examples has no history
assert np.allclose(pooled, [by_hand, [0, 0]]), "the tower should do what we did by hand"

# %% [markdown]
# ## The towers
#
# Both sides need a vector for each film: one of its own, plus the sum of its genres' vectors, which start at zero. A
# film without training events keeps a zero of its own, so that its genres alone speak for it.


# %% tags=["model"]
class FilmVectors(tf.keras.layers.Layer):
    def __init__(self, rated, dim, seed, use_genres=True):
        super().__init__()
        start = (np.random.default_rng(seed).normal(0, 0.05, (n_films, dim)) * rated[:, None]).astype(np.float32)
        self.own = self.add_weight("own", start.shape, initializer=tf.constant_initializer(start))
        self.genre = self.add_weight("genre", (genres.shape[1], dim), initializer="zeros", trainable=use_genres)

    def call(self, film):
        return tf.gather(self.own, film) + tf.matmul(tf.gather(genres, film), self.genre)  # (batch, dim)

    def table(self):
        return self.own + tf.matmul(genres, self.genre)  # (n_films, dim)


# %% [markdown]
# Four query towers, from simple to rich. The **id tower** knows who asks and nothing else.


# %% tags=["model"]
class IdTower(tf.keras.layers.Layer):
    def __init__(self, films, n_people, dim):
        super().__init__()
        start = tf.random_normal_initializer(0, 0.05, seed=SEED)
        self.person = self.add_weight("person", (n_people, dim), initializer=start)

    def call(self, batch):
        return tf.gather(self.person, batch["person"])  # (batch, dim)


# %% [markdown]
# The **bag of history** reads the last `LENGTH` films, all with the same weight.


# %% tags=["model"]
class BagTower(tf.keras.layers.Layer):
    def __init__(self, films, n_people, dim):
        super().__init__()
        self.films = films

    def weigh(self, batch, vectors):
        return tf.ones(tf.shape(batch["position"]))  # (n_entries,)

    def call(self, batch):
        films, index = tf.unique(batch["film"])  # a film that is in many histories is looked up once
        batch, vectors = batch | {"film": index}, self.films(films)  # vectors: (n_unique, dim)
        return pool(batch, self.weigh(batch, vectors), vectors, tf.shape(batch["person"], tf.int64)[0])


# %% [markdown]
# The **recency-weighted** tower learns a weight for each position, starting from $1/\sqrt{1 + r}$, and a factor for the
# time that had passed, starting from 1.


# %% tags=["model"]
class RecencyTower(BagTower):
    def __init__(self, films, n_people, dim):
        super().__init__(films, n_people, dim)
        start = tf.constant_initializer(1 / np.sqrt(1 + np.arange(LENGTH)))
        self.position = self.add_weight("position", (LENGTH,), initializer=start)
        self.gap = self.add_weight("gap", (N_GAPS,), initializer="zeros")

    def weigh(self, batch, vectors):
        return tf.gather(self.position, batch["position"]) * tf.exp(tf.gather(self.gap, batch["gap"]))


# %% [markdown]
# The last is a **sequence encoder** with [attention](../docs/glossary.md#attention): the recency-weighted query looks
# back at the history, and films
# that go with it weigh more. What goes with what is the learnt matrix $A$: $w_r' = w_r \exp(q^\top A\, h_r / \sqrt d)$.


# %% tags=["model"]
class AttentionTower(RecencyTower):
    def __init__(self, films, n_people, dim):
        super().__init__(films, n_people, dim)
        self.match = self.add_weight("match", (dim, dim), initializer="zeros")

    def weigh(self, batch, vectors):
        weights = super().weigh(batch, vectors)  # (n_entries,)
        query = pool(batch, weights, vectors, tf.shape(batch["person"], tf.int64)[0])  # (batch, dim)
        asked = tf.gather(query @ self.match, batch["example"])  # (n_entries, dim)
        agreement = tf.reduce_sum(asked * tf.gather(vectors, batch["film"]), axis=1)
        return weights * tf.exp(agreement / np.sqrt(vectors.shape[1]))


# %% [markdown]
# ## Choices of tomorrow are no negatives
#
# The loss is Lesson 11's: [in-batch softmax](../docs/glossary.md#in-batch-softmax) with logQ. One thing is new. Lesson
# 11 took out [accidental hits](../docs/glossary.md#accidental-hit), other
# examples with the *same* film as target. But a batch is full of films that this person chose at another time. They are
# not unwanted: those of the past need no answer, as we never recommend a seen film, and those of the future are right.
# TFRS takes a `score_mask`, (batch, batch), with False where a score should not count. We put False wherever the row's
# person chose the column's film at any time in training. Accidental hits are among them.

# %%
rng = np.random.default_rng(SEED)
some = rng.choice(examples, BATCH, replace=False)
same = log.film[some][:, None] == log.film[some]  # (batch, batch)
chosen = validation_task.seen[log.person[some]][:, log.film[some]].toarray()  # (batch, batch)
accidental, own = same.sum(axis=1).mean() - 1, chosen.sum(axis=1).mean() - 1
print(f"a row of {BATCH:,} has {accidental:.1f} accidental hits and {own:.1f} other films of its person")
assert chosen[same].all(), "every accidental hit should be one of the person's own films"
assert chosen.sum() > 3 * same.sum(), "most own films should not be accidental hits"

# %% [markdown]
# Here are the towers of the whole model. The parts that we will take away one at a time are arguments: genres, the logQ
# correction, own movies left out of the negatives, and two tables of movie vectors, one for each side, in place of one.


# %% tags=["model"]
class HistoryTowers(tfrs.Model):
    def __init__(self, log, tower, dim, seed, genres=True, logq=True, own_films_out=True, one_table=False):
        super().__init__()
        count = np.bincount(log.film, minlength=n_films)  # (n_films,) training events
        self.share = tf.constant(count / len(log.film) if logq else np.ones(n_films), tf.float32)
        not_own = np.ones((n_films, log.person[-1] + 1), dtype=bool)
        not_own[log.film, log.person] = not own_films_out
        self.not_own = tf.constant(not_own)
        self.candidates = FilmVectors(count > 0, dim, seed, genres)
        films = self.candidates if one_table else FilmVectors(count > 0, dim, seed + 1, genres)
        self.query_tower = tower(films, not_own.shape[1], dim)
        self.batch_loss = tf.keras.metrics.Mean("batch_loss")
        # with own films out, accidental hits are out already
        self.task = tfrs.tasks.Retrieval(remove_accidental_hits=not own_films_out, loss_metrics=[self.batch_loss])


# %% [markdown]
# And this is its loss: the mask, the share of each movie in the training events for logQ, and a penalty on long
# vectors.


# %% tags=["model"]
class HistoryModel(HistoryTowers):
    def compute_loss(self, batch, training=False):
        film = batch["target"]
        queries, candidates = self.query_tower(batch), self.candidates(film)  # (batch, dim) both
        not_own = tf.gather(tf.transpose(tf.gather(self.not_own, film)), batch["person"])  # (batch, batch)
        mask = tf.linalg.set_diag(not_own, tf.ones_like(film, tf.bool))  # the target counts
        share = tf.gather(self.share, film)  # (batch,); a share of 1 corrects nothing
        penalty = NORM_PENALTY * (tf.reduce_sum(queries**2) + tf.reduce_sum(candidates**2))
        return penalty + self.task(
            queries, candidates, candidate_ids=film, candidate_sampling_probability=share, score_mask=mask
        )


# %% [markdown]
# After training, one look-up makes everybody's query from the last films of their log, and one product scores the
# whole catalogue.


# %% tags=["model"]
def ends_of(log):
    return np.flatnonzero(np.diff(log.person, append=-1)) + 1  # (n_people,) the row after each person's last


def score(model, log):
    ends = ends_of(log)
    batch, _ = read_history(log, ends)
    queries = model.query_tower(batch | {"person": log.person[ends - 1]})  # (n_people, dim)
    return tf.matmul(queries, model.candidates.table(), transpose_b=True).numpy()  # (n_people, n_films)


# %% [markdown]
# ## Train on batches of arrays
#
# `tf.data` is made for rows that come from files. Ours fit in memory, so a batch is a slice of shuffled row numbers and
# a few NumPy lines.


# %% tags=["model"]
def read_batches(log, rng):
    examples = np.flatnonzero(np.arange(len(log.film)) > log.first)
    steps = len(examples) // BATCH
    for ends in rng.permutation(examples)[: steps * BATCH].reshape(steps, BATCH):
        history, _ = read_history(log, ends, DROPOUT, rng)
        batch = history | {"person": log.person[ends], "target": log.film[ends]}
        yield {name: tf.constant(values) for name, values in batch.items()}


# %% [markdown]
# A training step is one compiled function that takes such a batch. The learning rate falls in a straight line to a
# twentieth, so that the last steps no longer jump about.

# %% tags=["model"]
SIGNATURE = dict.fromkeys(["example", "film", "position", "gap", "person", "target"], tf.TensorSpec([None], tf.int64))


def compile_model(log, tower, dim, epochs, seed, parts):
    tf.keras.backend.clear_session()  # frees the graphs of earlier models
    tf.keras.utils.set_random_seed(seed)
    model = HistoryModel(log, tower, dim, seed, **parts)
    steps = epochs * ((np.arange(len(log.film)) > log.first).sum() // BATCH)
    falling = tf.keras.optimizers.schedules.PolynomialDecay(LEARNING_RATE, steps, LEARNING_RATE / 20)
    model.compile(optimizer=tf.keras.optimizers.Adagrad(falling))
    return model, tf.function(model.train_step, input_signature=[SIGNATURE])


# %% [markdown]
# A training run returns the model and its curve; the metric that we gave the task averages the loss over an epoch.


# %% tags=["model"]
def train_model(log, tower, dim=SMALL_DIM, epochs=SMALL_EPOCHS, task=None, seed=None, **parts):
    seed = SEED if seed is None else seed
    model, step = compile_model(log, tower, dim, epochs, seed, parts)
    rng, curve = np.random.default_rng(seed), []
    for epoch in range(1, epochs + 1):
        model.batch_loss.reset_state()
        start = time.perf_counter()
        for batch in read_batches(log, rng):
            step(batch)
        seconds = time.perf_counter() - start
        loss = float(model.batch_loss.result()) / BATCH  # of one example, the mean over the epoch
        ndcg = metrics.evaluate_ranking(score(model, log), task).ndcg.mean() if task else np.nan
        curve.append({"epoch": epoch, "loss": loss, "ndcg": ndcg, "seconds": seconds})
    return model, pd.DataFrame(curve)


# %% [markdown]
# ## From ids to sequences, step by step
#
# Four towers with the same batches, steps and seed. Beside them stand baselines of
# [Lesson 03](03_rank_with_classic_baselines.ipynb), and two that see the order of time as our tower does: an
# [EASE](../docs/glossary.md#ease) that
# scores a history whose older movies count less, and **[item to next item](../docs/glossary.md#item-to-next-item)**,
# which counts how often one movie follows
# another within 200 choices, nearer ones more. Their settings were chosen on the validation part by a search; a file of
# the course holds what it found.

# %% tags=["model"]
RIVALS = ["most popular", "iALS", "EASE", "EASE that fades", "item to next item"]
tuned = baselines.load_tuned()


def score_rivals(train, task):
    for name in RIVALS:
        yield name, baselines.rank(name, train, task, **tuned[name].settings)  # (n_people, n_films)


# %% [markdown]
# Every row of this table is on the validation part; all towers are small and trained for the same few epochs.


# %%
def table_of(results):
    return display.results_table(pd.DataFrame([{"model": name} | result.summary() for name, result in results.items()]))


towers = {"id tower": IdTower, "bag of history": BagTower, "recency": RecencyTower, "attention": AttentionTower}
ladder = {
    name: metrics.evaluate_ranking(s, validation_task)
    for name, s in score_rivals(validation_split.train, validation_task)
}
curves = {}
for name, tower in towers.items():
    model, curves[name] = train_model(log, tower, task=validation_task)
    ladder[name] = metrics.evaluate_ranking(score(model, log), validation_task)
table_of(ladder)

# %% [markdown]
# In the figure, see how far apart the towers are from the first epoch on, and that they pass EASE, the dashed line. The
# dotted line, the count of what follows what, stays above all these small towers.

# %%
figure, axis = plt.subplots()
for name, curve in curves.items():
    axis.plot(curve["epoch"], curve["ndcg"], marker="o", label=name)
for name, line in {"EASE": "--", "item to next item": ":"}.items():
    axis.axhline(ladder[name].ndcg.mean(), color="C6", linestyle=line, label=name)
axis.set(title="Validation", xlabel="epoch", ylabel="NDCG@10", xticks=curves["recency"]["epoch"])
axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plain, directed = (ladder[name].ndcg.mean() for name in ("EASE", "item to next item"))
assert changed or plain < curves["recency"]["ndcg"].iloc[-1] < directed, "the small tower should be between the lines"

# %% [markdown]
# Reading the history instead of an id is the largest step. The next steps are smaller. Here is each tower's
# [NDCG@10](../docs/glossary.md#ndcg)
# minus that of the tower before it, user by user: a 95 % interval that holds zero may be luck.

# %%
ndcg = {name: result.ndcg for name, result in ladder.items()}  # each (n_users,)
rows = []
for before, name in zip(towers, list(towers)[1:], strict=False):
    gain = ndcg[name] - ndcg[before]  # (n_users,)
    low, high = comparison.bootstrap_interval(gain)
    rows.append({"tower": name, "minus": before, "NDCG@10": gain.mean(), "low": low, "high": high})
steps = pd.DataFrame(rows).set_index("tower", drop=False)
assert changed or steps.loc["bag of history", "low"] > 0, "history should help beyond doubt"
assert changed or ndcg["attention"].mean() < 1.05 * ndcg["recency"].mean(), "attention should add little"
assert changed or ndcg["EASE that fades"].mean() > 1.05 * ndcg["EASE"].mean(), "recency should help EASE too"
display.results_table(steps)

# %% [markdown]
# One training cannot tell whether weights that fade are better than equal ones, so we train both with two more seeds
# and average each user's difference over the three.

# %%
gains = [ndcg["recency"] - ndcg["bag of history"]]
for seed in (SEED + 1, SEED + 2):
    trained = [train_model(log, tower, seed=seed)[0] for tower in (BagTower, RecencyTower)]
    bag, recency = (metrics.evaluate_ranking(score(model, log), validation_task).ndcg for model in trained)
    gains.append(recency - bag)
low, high = comparison.bootstrap_interval(np.mean(gains, axis=0))
by_seed = ", ".join(f"{gain.mean():+.3f}" for gain in gains)
print(f"recency minus bag of history: {by_seed} by seed; mean {np.mean(gains):+.4f}, from {low:+.4f} to {high:+.4f}")
assert changed or np.mean(gains) > 0, "weights that fade should help on average over the seeds"

# %% [markdown]
# The recency tower was a little better with each seed, and attention does more work in each step for nothing that we
# could tell from luck. So we keep the recency tower.

# %% [markdown]
# ## Where the margin comes from
#
# Take the recency tower apart: remove one thing at a time, train it again, and bootstrap what each person lost.

# %%
REMOVALS = {
    "genres": {"genres": False},
    "logQ correction": {"logq": False},
    "own films left out of the negatives": {"own_films_out": False},
    "two tables of film vectors": {"one_table": True},
}
without = {"recency": ladder["bag of history"]}
for name, parts in REMOVALS.items():
    model, _ = train_model(log, RecencyTower, **parts)
    without[name] = metrics.evaluate_ranking(score(model, log), validation_task)

# %%
rows = []
for name, result in without.items():
    lost = ndcg["recency"] - result.ndcg  # (n_people,)
    low, high = comparison.bootstrap_interval(lost)
    rows.append({"removed": name, "Recall@10": result.recall.mean(), "NDCG@10": result.ndcg.mean()})
    rows[-1] |= {"lost": lost.mean(), "low": low, "high": high, "popularity": result.popularity}
ablation = pd.DataFrame(rows)
display.results_table(ablation)

# %% [markdown]
# `lost` is what NDCG@10 fell by, from `low` to `high` with 95 % confidence: see which intervals stay clear of zero.
# Without logQ the model loses beyond doubt and recommends rarities, as Lesson 11 says it must. Small models, few epochs
# and one seed hide what the other parts are worth; `make bench` removes the same parts from the model that we keep
# below.

# %%
parts = ablation.set_index("removed")
assert changed or parts.loc["logQ correction", "low"] > 0, "logQ should be worth something beyond doubt"
assert changed or parts.loc["logQ correction", "popularity"] < 0.7 * parts["popularity"].drop("logQ correction").min()

# %% [markdown]
# ## The model we keep
#
# More dimensions and more epochs help this tower; both were chosen on the validation part, as were the dropout and the
# penalty on long vectors. What did not help there: a second profile of positions, histories of 100 films, ratings as
# weights, release years, a bias for each film, targets further ahead, averages over the last epochs. The model is
# trained once more, on all training events.

# %%
log = make_log(test_split.train)
model, curve = train_model(log, RecencyTower, DIM, EPOCHS)
train_seconds = curve["seconds"].sum()
assert changed or curve["loss"].is_monotonic_decreasing, "training should lower the loss"

# %% [markdown]
# In the figure, see on the left how the loss falls and levels off with the learning rate. In the middle, the learnt
# weights of the positions; on the right, the factor for what was chosen so long before the latest film. Films of the
# same sitting count most.

# %%
figure, (left, middle, right) = plt.subplots(1, 3, figsize=(9, 3))
left.plot(curve["epoch"], curve["loss"], marker="o")
left.set(title="Training loss", xlabel="epoch", ylabel="loss of one example (nats)")
position, factor = model.query_tower.position.numpy(), np.exp(model.query_tower.gap.numpy())
middle.plot(1 / np.sqrt(1 + np.arange(LENGTH)), color="C6", linestyle="--", label="start")
middle.plot(position, label="learnt")
middle.set(title="Position", xlabel="films before the latest", ylabel="weight")
middle.legend()
right.plot(factor, marker="o")
right.set(title="Time", xlabel="minutes before the latest", ylabel="factor")
right.set_xticks([0, 4, 8, 12], ["0", "15", "255", "4,095"])
older = position[LENGTH // 2 :].mean()
assert changed or position[0] > position[1:5].mean() > older, "the latest movies should weigh most"
assert changed or factor[:2].mean() > factor[4:].mean(), "movies of the same sitting should count more"

# %% [markdown]
# ## Evaluate on the test
#
# Every choice is fixed; we now use the test once. Which model finds what users chose next?

# %%
results = {name: metrics.evaluate_ranking(s, test_task) for name, s in score_rivals(test_split.train, test_task)}
tower_scores = score(model, log)  # (n_people, n_films)
results["history tower"] = metrics.evaluate_ranking(tower_scores, test_task)
table_of(results)

# %% [markdown]
# How sure is the lead? The course's one table compares every model with the history tower, over the same users, with
# intervals as wide as five comparisons ask. A model that is worse than the tower is one that the tower beats. The tower
# was trained with one seed.

# %%
verdicts = comparison.compare({name: result.ndcg for name, result in results.items()}, "history tower")
assert changed or (verdicts["verdict"].iloc[:-1] == "worse").all(), "every lead should be more than luck"
display.results_table(verdicts.drop(columns="seed_spread"))

# %%
ratio = verdicts.set_index("model")["mean"].rdiv(results["history tower"].ndcg.mean())  # the tower's to each rival's
assert changed or min(ratio["EASE"], ratio["iALS"]) > 1.25, "the tower should beat EASE and iALS by 25 %"
assert changed or ratio["EASE that fades"] > 1.1, "the tower should beat EASE that fades by 10 %"
print(", ".join(f"{name}: {ratio[name]:.2f} times" for name in RIVALS))

# %% [markdown]
# ## Recommend for one user, then and now
#
# A history tower has no memory of who asks, so it can be asked about any moment. User 380 rated movies for eleven
# years. Here are the last five movies of their first two hundred, and of all that we know.

# %% tags=["nbval-check-output"]
person = 380
row = np.searchsorted(test_task.users, person)
events = np.flatnonzero(log.person == row)
moments = {"after 200 films": events[200], "today": events[-1] + 1}  # the row after the latest film
pd.DataFrame({name: titles[log.film[end - 5 : end]] for name, end in moments.items()})

# %% [markdown]
# And here is what the tower answers at each moment, beside the most popular movies. All movies of the training part are
# left out, so the first list lacks what this user chose soon after.

# %%
shown = {"most popular": test_task.popularity.astype(np.float32)}
for name, end in moments.items():
    history, _ = read_history(log, np.array([end]))
    query = model.query_tower(history | {"person": np.array([row])})  # (1, dim)
    shown[f"history tower, {name}"] = tf.matmul(query, model.candidates.table(), transpose_b=True).numpy()[0]
best = {name: metrics.recommend(s[None], test_task.seen[[row]])[0] for name, s in shown.items()}
display.results_table(pd.DataFrame({name: titles[films] for name, films in best.items()}))

# %% [markdown]
# ## What a metric in every training step costs
#
# The TFRS tutorial sends rows of strings through `shuffle`, `batch(8192)` and `cache`, and computes `FactorizedTopK` at
# each training step: it ranks the whole catalogue for each example. Here it is, with our movies and our width, and with
# a switch for that metric. First a tower:


# %%
def make_tower(vocabulary):
    index = tf.keras.layers.StringLookup(vocabulary=vocabulary, mask_token=None)
    return tf.keras.Sequential([index, tf.keras.layers.Embedding(len(vocabulary) + 1, DIM)])


# %% [markdown]
# And the model:


# %%
class TutorialModel(tfrs.Model):
    def __init__(self, metric_in_training):
        super().__init__()
        self.metric_in_training = metric_in_training
        self.user_tower = make_tower(test_split.train[columns.USER_ID].astype(str).unique())
        self.film_tower = make_tower(np.unique(titles))
        films = tf.data.Dataset.from_tensor_slices(titles).batch(128).map(self.film_tower)
        self.task = tfrs.tasks.Retrieval(metrics=tfrs.metrics.FactorizedTopK(candidates=films))

    def compute_loss(self, rows, training=False):
        queries, candidates = self.user_tower(rows["user_id"]), self.film_tower(rows["title"])
        return self.task(queries, candidates, compute_metrics=self.metric_in_training or not training)


# %% [markdown]
# With its metric, a whole epoch takes too long for this page, so we time one batch of 2,048 rows, after a first call
# that compiles. The small batch does the tutorial a favour: a quarter of the negatives to score for each row. Without
# the metric we time ten such batches.


# %%
def rows_a_second(method, ratings, metric_in_training=True):
    film = titles[np.searchsorted(film_ids, ratings[columns.ITEM_ID])].astype(str)
    user = ratings[columns.USER_ID].astype(str).to_numpy(str)
    rows = tf.data.Dataset.from_tensor_slices({"user_id": user, "title": film})
    tutorial = TutorialModel(metric_in_training)
    tutorial.compile(optimizer=tf.keras.optimizers.Adagrad(0.1))
    call = getattr(tutorial, method)
    call(rows.take(8).batch(2048).cache(), verbose=0)
    start = time.perf_counter()
    call(rows.shuffle(100_000).batch(2048).cache(), verbose=0)
    return len(ratings) / (time.perf_counter() - start)


# %%
one_batch, ten_batches = (test_split.train.sample(rows, random_state=SEED) for rows in (2048, 20_480))
with_metric, without_metric = rows_a_second("fit", one_batch), rows_a_second("fit", ten_batches, False)
tutorial_evaluating = rows_a_second("evaluate", test_split.test.sample(2048, random_state=SEED))

# %% [markdown]
# Ours is the median epoch of the training above, and the evaluation of all users against the whole catalogue.

# %%
start = time.perf_counter()
metrics.evaluate_ranking(score(model, log), test_task)
evaluating = len(test_split.test) / (time.perf_counter() - start)  # test choices a second
training = (np.arange(len(log.film)) > log.first).sum() / curve["seconds"].median()  # examples a second
print(f"training, examples a second: tutorial {with_metric:,.0f}, without its metric {without_metric:,.0f}, ", end="")
print(
    f"ours {training:,.0f}\nevaluation, examples a second: tutorial {tutorial_evaluating:,.0f}, ours {evaluating:,.0f}"
)
assert changed or without_metric > 5 * with_metric, "the metric should cost most of the tutorial's time"
assert changed or training > 5 * with_metric, "training without a metric in each step should be much faster"
assert changed or evaluating > 20 * tutorial_evaluating, "evaluation should be much faster"

# %% [markdown]
# The metric makes the difference: compute it when training is over, or once an epoch on a validation part. And one
# matrix product scores the catalogue for all users much faster than a metric that goes through it batch by batch.
#
# ## In practice
#
# **Serve it.** The candidate side is an index as in [Lesson 11](11_retrieve_with_in_batch_negatives.ipynb). The query
# side needs the last movies of the user who asks, so keep them where the server can read them; the answer changes with
# the next click, without training.
#
# **The session shows.** Users of MovieLens rate many movies in one sitting, led by the site's own lists, and part of
# what recency brings is likely to be that. Where users choose one movie an evening, measure again.
#
# **The split.** As in the lessons before, each user is cut at a moment of their own, and a model may learn from one
# user's future what it is asked about another's.
#
# **Longer histories.** The tower is linear in the movies of the history. With thousands of events, keep the last ones
# and a few sums over the rest.
#
# When somebody asks, both tables of film vectors are at hand, and only one history has to be read:

# %%
watched, offered = model.query_tower.films.table(), model.candidates.table().numpy()  # (n_films, dim) both
ends = ends_of(log)  # (n_people,)


def score_for(row):
    history, _ = read_history(log, ends[[row]])
    query = pool(history, model.query_tower.weigh(history, watched), watched, 1)  # (1, dim)
    return offered @ query.numpy()[0]  # (n_films,)


assert np.allclose(score_for(0), tower_scores[0], atol=1e-4), "one person should get the scores of the whole matrix"
query_ms = leaderboard.query_milliseconds(score_for, test_task)

# %% [markdown]
# The row goes to the course's leaderboard.

# %%
board = leaderboard.Leaderboard("14")
figures = {"ranking": results["history tower"], "train_seconds": train_seconds, "query_ms": query_ms}
board.add("history tower", "two-tower", **figures)
board.save()

# %% [markdown]
# ## Exercises
#
# 1. Set `LENGTH` to 5, 20 and 100. Where does NDCG@10 on the validation part level off, and what do the learnt weights
#    look like then?
# 2. Let `weigh` also read the stars of each film in the history, with a factor for each half star, starting at 1. Do
#    films that were disliked get a small weight?
# 3. Write a `GruTower`: scatter the film vectors into (batch, length, dim) with `tf.scatter_nd`, latest film last, and
#    return the last state of `tf.keras.layers.GRU`. Compare quality and seconds with the recency tower.
#
# ## Takeaways
#
# - A query tower that reads the history beat the id tower beyond doubt; weights that fade beat equal ones on average
#   over three seeds; what attention added could not be told from luck.
# - Taken apart, the tower lost beyond doubt without the logQ correction; the table shows what recency, genres, own
#   movies and a second table of vectors are worth.
# - On the test, with everything chosen on validation, it beat EASE and iALS by more than 25 % in NDCG@10 and the EASE
#   that fades by more than 10 %. The count of what follows what came nearest, and the tower is better than that too.
# - The metric that the tutorial computes in each training step took most of the step's time.
#
# **Next.** [Lesson 15](15_start_cold.ipynb) asks the tower about users and movies that nobody has seen.
#
# **References**
#
# - P. Covington, J. Adams and E. Sargin, *Deep neural networks for YouTube recommendations*, RecSys 2016: a query tower
#   that averages the watch history. [doi](https://doi.org/10.1145/2959100.2959190)
# - J. Li, Y. Wang and J. McAuley, *Time interval aware self-attention for sequential recommendation*, WSDM 2020.
#   [doi](https://doi.org/10.1145/3336191.3371786)
# - H. Steck, *Embarrassingly shallow autoencoders for sparse data*, WWW 2019. [doi](https://doi.org/10.1145/3308558.3313710)
# - X. Yi et al., *Sampling-bias-corrected neural modeling for large corpus item recommendations*, RecSys 2019.
#   [doi](https://doi.org/10.1145/3298689.3346996)
