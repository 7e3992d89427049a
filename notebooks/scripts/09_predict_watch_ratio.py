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
# # Predict watch ratios with a ranker head and a retriever head
#
# [![Open in Colab](images/open-in-colab.svg)](https://colab.research.google.com/github/two-towers-course/two-towers/blob/main/notebooks/09_predict_watch_ratio.ipynb) [![Launch Binder](images/launch-binder.svg)](https://mybinder.org/v2/gh/two-towers-course/two-towers/main?urlpath=lab/tree/notebooks/09_predict_watch_ratio.ipynb)
#
# **What you'll do**: predict how much of a short video a user will watch, from tables joined by id, with two models
# that have the same towers and differ in their last step.
#
# **What you'll learn**
#
# - to join feature tables by id, so that a mistake raises an error instead of lowering a score;
# - to turn strings, ranges, lists and counts into the input of a tower;
# - what a heavy tail does to a squared loss, and how to train on logarithms but answer in ratios;
# - what a head that concatenates (a ranker) and a head that multiplies (a retriever) cost;
# - seven quiet mistakes of an earlier write-up, each reproduced and repaired.
#
# **What you'll need**: [Lesson 06](06_predict_ratings.ipynb), which trains two towers on ratings; one minute and 1.5 GB of
# memory.

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
# The models are written in Keras 3; the course's package brings the data and the metrics.

# %%
from recsys_utils.setup import set_up

set_up(keras=3, deterministic=True)  # the same seed gives the same model
import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import tensorflow as tf
from keras import layers

from recsys_utils.comparison import bootstrap_interval
from recsys_utils.datasets.kuairec import ONE_HOT, USER_ID, VIDEO_ID, WATCH_RATIO, load_kuairec
from recsys_utils.datasets.kuairec_generator import generate_kuairec
from recsys_utils.display import results_table
from recsys_utils.metrics import mae, rmse, top_k

# %% [markdown]
# With `PATH = "KuaiRec.zip"` the lesson reads a copy of the official archive. Asserts that begin with `PATH or` hold for
# the made data, and pass with the archive.

# %% tags=["parameters"]
SEED = 1
PATH = None
DIM = 32
BATCH = 512
EPOCHS = 6
LEARNING_RATE = 0.003
CATALOGUE = 10_000
USER = 523

# %% [markdown]
# ## The data: seven tables of a video platform
#
# KuaiRec (Gao et al., 2022) is a log of the app Kuaishou. Its **[watch ratio](../docs/glossary.md#watch-ratio)** is the
# time a user watched divided by
# the length of the video: 0.1 is a skip, 1 a whole video, 3 a video seen three times. By default we load data that is
# *made* with the same tables and columns. That spares a download of 432 MB, and since its signal was planted, we know
# the best score that any model could reach.

# %% tags=["nbval-check-output"]
kuairec = generate_kuairec() if PATH is None else load_kuairec(PATH)
for name, table in zip(kuairec._fields[:7], kuairec, strict=False):
    print(f"{name:20}{len(table):8,} rows {len(table.columns):3} columns")

# %% [markdown]
# We train on the **big matrix**: what the platform chose to show. Real logs repeat themselves, and so do these. A second
# viewing is news, the same row twice is not.

# %% tags=["nbval-check-output"]
views = kuairec.big_matrix.drop_duplicates(ignore_index=True)
print(f"{len(kuairec.big_matrix) - len(views):,} repeated rows dropped, {len(views):,} views left")
views[[USER_ID, VIDEO_ID, "play_duration", "video_duration", "time", WATCH_RATIO]].head(3)

# %% [markdown]
# We test on the **small matrix**: some of the users by some of the videos, with nearly every pair. These users were
# shown these videos whatever anybody predicted.

# %% tags=["nbval-check-output"]
small = kuairec.small_matrix
n_users, n_videos = small[USER_ID].nunique(), small[VIDEO_ID].nunique()
print(f"{n_users} users by {n_videos} videos, {len(small) / (n_users * n_videos):.1%} of the pairs")
assert PATH or small[[USER_ID, VIDEO_ID]].merge(views).empty, "a pair to test on must not be trained on"

# %% [markdown]
# ## The idea: a heavy tail, and two heads
#
# Most views end before the video does, and a few never seem to end. The axis is logarithmic; the tail on the right
# holds the replays.

# %%
quantiles = views[WATCH_RATIO].quantile([0.5, 0.99, 1])
figure, axes = plt.subplots()
axes.margins(y=0.35)
axes.hist(views[WATCH_RATIO].clip(lower=0.01), bins=np.geomspace(0.01, 200, 80), color="C5")
for quantile, name in zip(quantiles, ("median", "99 %", "largest"), strict=True):
    axes.axvline(quantile, color="C6", linewidth=1)
    axes.text(quantile * 1.06, axes.get_ylim()[1] * 0.97, f"{name}\n{quantile:.2f}", va="top")
axes.set(xscale="log", xlabel="watch ratio (below 0.01 drawn at 0.01)", ylabel="views", title="A few views are huge")
plt.show()
assert PATH or (views[WATCH_RATIO] < 1).mean() > 0.6, "most views should end early"
assert PATH or (quantiles[0.5] < 0.9 and quantiles[0.99] > 4), "the tail should be heavy"


# %% [markdown]
# So we shall train on $\log(1 + r)$, where a replay is a large value but no giant. A model of the logarithm must still
# answer in ratios. If $\log(1 + r) = f(x) + \varepsilon$ with an error $\varepsilon$ that does not depend on $x$, then
#
# $$\mathbb{E}[1 + r] = e^{f(x)}\, \mathbb{E}[e^{\varepsilon}]$$
#
# and the second factor is one number, the mean of $e^{\varepsilon}$ over the training views. Leave it out and you predict
# something near the median (Duan, 1983, calls the factor *[smearing](../docs/glossary.md#smearing)*). On four views:


# %% tags=["nbval-check-output"]
def to_ratio(log_prediction, log_target, log_fitted):
    """Turn predictions of log(1 + r) into ratios; target and fit are those of the training views."""
    smearing = np.exp(log_target - log_fitted).mean()
    return np.exp(log_prediction) * smearing - 1


four = np.array([0.5, 0.8, 1.2, 30.0])
logs = np.log1p(four)
print(f"mean {four.mean():.3f}, without smearing {np.expm1(logs.mean()):.3f}")
assert np.isclose(to_ratio(logs.mean(), logs, logs.mean()), four.mean()), "smearing should bring the mean back"

# %% [markdown]
# Now the heads. Both models turn a user into a vector $q$ and a video into a vector $c$. The
# **[retriever](../docs/glossary.md#retriever)** multiplies
# them, the **[ranker](../docs/glossary.md#ranker)** concatenates them and lets a small network decide:
#
# $$s_{\text{retriever}} = q \cdot c \qquad
# s_{\text{ranker}} = w_3 \cdot \mathrm{relu}(W_2\, \mathrm{relu}(W_1 [q; c]))$$
#
# Two users with opposite tastes and two videos show what a product is good for. One number each is enough. The best
# *linear* function of the concatenated numbers is zero everywhere: it has no term in which user and video meet. Only
# the hidden layers of a ranker can make one.

# %% tags=["nbval-check-output"]
q, c = np.array([[1.0], [-1.0]]), np.array([[1.0], [-1.0]])  # (users, dim), (videos, dim)
by_product = q @ c.T  # (users, videos)
concatenated = np.array([[q[i, 0], c[j, 0], 1] for i in range(2) for j in range(2)])  # (pairs, 2 dim + 1)
weights = np.linalg.lstsq(concatenated, by_product.ravel(), rcond=None)[0]
print(by_product)
assert np.allclose(weights, 0), "the best linear function should be no better than zero"

# %% [markdown]
# ## Join by id
#
# The towers need one row a user and one row a video. Users have one. The daily table has a row a day, so we sum its
# counts; categories come from a second table and the length from the log. `validate` makes pandas check what we believe
# about the ids, and raise an error where we are wrong.

# %% tags=["nbval-check-output"]
daily, users = kuairec.item_daily_features, kuairec.user_features
COUNTS = ["play_cnt", "like_cnt", "share_cnt", "download_cnt", "comment_cnt"]
how = dict.fromkeys(COUNTS, "sum") | {"author_id": "first", "upload_type": "first"}
summed = daily.groupby(VIDEO_ID).agg(how)
length = views.groupby(VIDEO_ID)["video_duration"].first()  # milliseconds
videos = kuairec.item_categories.merge(summed, how="left", on=VIDEO_ID, validate="one_to_one")
videos = videos.merge(length, how="left", on=VIDEO_ID, validate="one_to_one")
VIDEO_NUMBERS = [*COUNTS, "video_duration"]
videos[VIDEO_NUMBERS] = videos[VIDEO_NUMBERS].fillna(videos[VIDEO_NUMBERS].median())
videos.head(3)


# %% [markdown]
# Joining all these columns to every view would fill the memory on the real data. We join two row numbers instead: where
# to find the user, and where to find the video.


# %% tags=["nbval-check-output"]
def find_rows(views):
    """Add the rows of the user and of the video to each view."""
    for table, key, name in ((users, USER_ID, "user_row"), (videos, VIDEO_ID, "video_row")):
        views = views.merge(table[[key]].reset_index(names=name), how="left", on=key, validate="many_to_one")
        assert views[name].notna().all(), f"every {key} should be found"
    return views


views, test = find_rows(views), find_rows(small)
test[[USER_ID, "user_row", VIDEO_ID, "video_row", WATCH_RATIO]].head(3)

# %% [markdown]
# The test is a block: some users by some videos. Our choices need a part that is cut the same way, so a block of the big
# matrix becomes the **[validation part](../docs/glossary.md#validation)**. The test waits for the end.

# %% tags=["nbval-check-output"]
rng = np.random.default_rng(SEED)
some_users = rng.choice(len(users), size=len(users) // 3, replace=False)
some_videos = rng.choice(len(videos), size=len(videos) // 3, replace=False)
in_block = views["user_row"].isin(some_users) & views["video_row"].isin(some_videos)
train, validation = views[~in_block], views[in_block]
raw, held_out, actual = (part[WATCH_RATIO].to_numpy(float) for part in (train, validation, test))  # (n_views,) each
print(f"{len(train):,} views to train on, {len(validation):,} to choose by, {len(test):,} to test on")


# %% [markdown]
# ## Baselines, and the choice of a target
#
# All metrics are on the **raw** ratio: mean absolute error, root mean squared error, and the share of the variance that
# is explained, $R^2 = 1 - \mathrm{RMSE}^2 / \mathrm{variance}$. The baseline to beat is the mean plus a bias for each
# user and each video: the sum of what is left over, divided by the number of views plus $\lambda$, so that few views
# move it little.


# %%
def measure(actual, predicted):
    explained = 1 - rmse(actual, predicted) ** 2 / actual.var()
    return {"MAE": mae(actual, predicted), "RMSE": rmse(actual, predicted), "R²": explained}


def fit_biases(target, shrinkage):
    """Return a function that predicts the target of any views, from the training views' means."""
    rows = {"user_row": train["user_row"].to_numpy(), "video_row": train["video_row"].to_numpy()}
    biases = {"user_row": np.zeros(len(users)), "video_row": np.zeros(len(videos))}
    for side, other in [("video_row", "user_row"), ("user_row", "video_row")] * 10:
        left = target - target.mean() - biases[other][rows[other]]  # (n_train,)
        size = len(biases[side])
        biases[side] = np.bincount(rows[side], left, size) / (np.bincount(rows[side], minlength=size) + shrinkage)
    return lambda views: target.mean() + sum(bias[views[side]] for side, bias in biases.items())


# %% [markdown]
# It is fitted in a moment, so it can choose the target for all of us, on the validation part: the raw ratio, the ratio
# clipped at the 99 % quantile of training, or the logarithm.

# %%
log_raw, clip_at = np.log1p(raw), np.quantile(raw, 0.99)
choices = {}
for name, target in {"raw": raw, "clipped at 99 %": raw.clip(max=clip_at), "log(1 + r)": log_raw}.items():
    for shrinkage in (1, 3, 10, 30):
        predict_bias = fit_biases(target, shrinkage)
        predicted = predict_bias(validation)
        if name == "log(1 + r)":
            predicted = to_ratio(predicted, target, predict_bias(train))
        choices[name, shrinkage] = measure(held_out, predicted)
choices = pd.DataFrame(choices).T.rename_axis(["target", "λ"])
best_of_target = choices.loc[choices.groupby("target", sort=False)["R²"].idxmax()]
best_target, best_shrinkage = choices["R²"].idxmax()
assert PATH or best_target == "log(1 + r)", "the logarithm should explain most"
assert PATH or best_of_target["MAE"].idxmin()[0] == "clipped at 99 %", "clipping should have the lowest absolute error"
results_table(best_of_target.reset_index())


# %% [markdown]
# The logarithm explains most, by a little; a model that explains more has more to gain, as we shall see. Clipping has
# the lowest absolute error: it predicts too little on average, and most ratios are small.

# %% [markdown]
# ## From columns to the input of a tower
#
# A text such as `(10,50]` has no order that a network could read off its spelling, and an encrypted code such as
# `onehot_feat1=3` is no quantity. Each becomes a **word**, column and value together, so that one look-up table and one
# [embedding](../docs/glossary.md#embedding) serve all columns. A missing value is a word as well.


# %% tags=["nbval-check-output"]
def as_words(table, columns):
    """Write each value as 'column=value'; (n_rows, n_columns) of strings."""
    return np.stack([name + "=" + table[name].astype(str).fillna("missing") for name in columns], axis=1)


RANGES = [name for name in users.columns if name.endswith("_range")]
FLAGS = ["user_active_degree", "is_lowactive_period", "is_live_streamer", "is_video_author"]
user_words = as_words(users, [*FLAGS, *RANGES, *ONE_HOT])  # (n_users, 26)
print(user_words.shape, list(user_words[0, [0, 4, 9]]))

# %% [markdown]
# A video has one tag or several, written as a string such as `[27, 9]`. They become shares that sum to 1. The rows keep
# the order of `videos`, so they belong to the right video by construction. With ids and numbers, these are the raw
# columns of the two sides, as a server would get them.

# %% tags=["nbval-check-output"]
tags = videos["feat"].str.strip("[]").str.replace(" ", "").str.get_dummies(",")  # (n_videos, n_tags) of 0 and 1
video_tags = tags.div(tags.sum(axis=1), axis=0).to_numpy(np.float32)
assert np.allclose(video_tags.sum(axis=1), 1), "each video should have at least one tag"
USER_NUMBERS = ["follow_user_num", "fans_user_num", "friend_user_num", "register_days"]
user_raw = {"user_id": users[USER_ID].to_numpy(), "user_words": user_words}
user_raw["user_numbers"] = users[USER_NUMBERS].to_numpy(np.float32)
video_raw = {"video_id": videos[VIDEO_ID].to_numpy(), "video_words": as_words(videos, ["upload_type", "author_id"])}
video_raw |= {"video_numbers": videos[VIDEO_NUMBERS].to_numpy(np.float32), "video_tags": video_tags}
{name: column.shape for name, column in (user_raw | video_raw).items()}


# %% [markdown]
# An **encoder** maps ids and words to row numbers of an embedding; those that training never saw get number 0. Counts
# span powers of ten, so it takes logarithms and scales them, with **one** scaler a side, fitted on the training views.
# Look-ups and scalers are layers: they will be saved with the model, and nobody can serve it with another scaler.


# %%
def make_encoder(raw, seen):
    """Make the model that turns raw columns into index, tokens and numbers; `seen` are the rows of training views."""
    ids, words, numbers, *_ = raw.values()
    find_id = layers.IntegerLookup(vocabulary=np.unique(ids[seen]))
    find_word = layers.StringLookup(vocabulary=np.unique(words[seen]))
    scale = layers.Normalization()
    scale.adapt(np.log1p(numbers[seen]))
    types = {name: "string" if name.endswith("words") else column.dtype for name, column in raw.items()}
    inputs = {name: keras.Input(column.shape[1:], dtype=types[name], name=name) for name, column in raw.items()}
    index, tokens, floats, *shares = inputs.values()
    scaled = scale(keras.ops.log1p(floats))
    outputs = [find_id(index), find_word(tokens), layers.Concatenate()([scaled, *shares]) if shares else scaled]
    return keras.Model(inputs, outputs)


# %% [markdown]
# Every user and every video is encoded once, not once a view.


# %% tags=["nbval-check-output"]
def take(raw, rows):
    return {name: tf.constant(column[rows]) for name, column in raw.items()}


encode_user = make_encoder(user_raw, train["user_row"])
encode_video = make_encoder(video_raw, train["video_row"])
of_users = encode_user(take(user_raw, slice(None)))  # index (n_users,), tokens (n_users, 26), numbers (n_users, 4)
of_videos = encode_video(take(video_raw, slice(None)))  # (n_videos,), (n_videos, 2), (n_videos, 6 + n_tags)
print([tuple(array.shape) for array in of_users], [tuple(array.shape) for array in of_videos])


# %% [markdown]
# ## Two towers, two heads
#
# A tower embeds the id and the words, puts all numbers side by side, and maps them to a vector.
# [Dropout](../docs/glossary.md#dropout) on the id makes
# the tower lean on features too.


# %%
def make_tower(encoded):
    """Make the tower of one side, for what its encoder returns."""
    inputs = [keras.Input(array.shape[1:], dtype=array.dtype) for array in encoded]
    n_ids, n_words = (int(tf.reduce_max(array)) + 1 for array in encoded[:2])
    own = layers.Dropout(0.3)(layers.Embedding(n_ids, DIM)(inputs[0]))  # (batch, dim)
    words = layers.Flatten()(layers.Embedding(n_words, 4)(inputs[1]))  # (batch, 4 n_columns)
    hidden = layers.Dense(64, activation="relu")(layers.Concatenate()([own, words, inputs[2]]))
    return keras.Model(inputs, layers.Dense(DIM)(hidden))  # (batch, dim)


# %% [markdown]
# The heads take two vectors. The dot product needs no separate biases: the constant part of one vector times the other
# vector is one.


# %%
def make_head(kind):
    """Make a model from two vectors to a score: 'dot' multiplies them, 'concat' lets a network decide."""
    user, video = keras.Input((DIM,)), keras.Input((DIM,))
    if kind == "dot":
        return keras.Model([user, video], layers.Dot(axes=1)([user, video]))  # (batch, 1)
    hidden = layers.Concatenate()([user, video])  # (batch, 2 dim)
    for width in (64, 32):
        hidden = layers.Dense(width, activation="relu")(hidden)
    return keras.Model([user, video], layers.Dense(1)(hidden))  # (batch, 1)


# %% [markdown]
# ## Train
#
# Two callbacks watch the validation loss: one lowers the learning rate when the loss stops falling, the other stops the
# training when that no longer helps, and brings the best weights back.


# %%
def rows_of(views):
    return [views["user_row"].to_numpy(np.int32), views["video_row"].to_numpy(np.int32)]  # (n_views,) each


def fit(model, learning_rate, to_target, loss):
    """Train a model of two row numbers; return its losses."""
    lower = keras.callbacks.ReduceLROnPlateau(factor=0.3, patience=0, min_delta=1e-4)
    stop = keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True)
    held = rows_of(validation), to_target(held_out)
    model.compile(keras.optimizers.Adam(learning_rate), loss, jit_compile=False, steps_per_execution=8)
    options = {"validation_data": held, "validation_batch_size": 8192, "callbacks": [lower, stop], "verbose": 0}
    return model.fit(rows_of(train), to_target(raw), BATCH, EPOCHS, **options).history


# %% [markdown]
# A model takes two row numbers a view and gathers the features itself, so the memory holds each user and each video
# once. The loss is Huber's on the logarithm: squared up to an error of 0.5, linear beyond. Learning rate, batch size,
# widths and dropout were chosen on the validation part.


# %%
def train_model(kind, to_target, loss):
    """Train two towers and a head; return the three and the history."""
    keras.utils.set_random_seed(SEED)
    user_tower, video_tower, head = make_tower(of_users), make_tower(of_videos), make_head(kind)
    user, video = keras.Input((), dtype="int32"), keras.Input((), dtype="int32")
    user_vector = user_tower([keras.ops.take(array, user, axis=0) for array in of_users])  # (batch, dim)
    video_vector = video_tower([keras.ops.take(array, video, axis=0) for array in of_videos])  # (batch, dim)
    model = keras.Model([user, video], head([user_vector, video_vector]))
    return user_tower, video_tower, head, fit(model, LEARNING_RATE, to_target, loss)


huber = keras.losses.Huber(delta=0.5)
RETRIEVER, RANKER = "retriever, dot head", "ranker, concat head"
models = {RETRIEVER: train_model("dot", np.log1p, huber), RANKER: train_model("concat", np.log1p, huber)}

# %% [markdown]
# The dashed training loss ends below the validation loss: the towers also learn the noise of the views that they are
# shown.

# %%
figure, axes = plt.subplots()
for color, (name, (*_, history)) in enumerate(models.items()):
    epochs = np.arange(1, len(history["loss"]) + 1)
    axes.plot(epochs, history["val_loss"], "o-", color=f"C{color}", label=f"{name}: validation")
    axes.plot(epochs, history["loss"], "--", color=f"C{color}", linewidth=1, label=f"{name}: training")
    if PATH is None and EPOCHS > 1:
        assert min(history["val_loss"]) < history["val_loss"][0], "training should help on views that are held out"
        assert history["loss"][-1] < history["val_loss"][-1], "the towers should fit the training views closer"
axes.set(xlabel="epoch", ylabel="Huber loss of log(1 + r)", title="Learning curves")
axes.legend()
plt.show()


# %% [markdown]
# ## The original recipe
#
# An earlier write-up trained on KuaiRec. Its pipeline gets a row in our table, repaired only where it did not run: ids
# and label codes as numbers, all of them standardised; categories by row position, after rows with gaps were dropped.


# %%
def as_numbers(table):
    """Give each text its rank in the alphabet, and call it a number."""
    numbers = table.apply(lambda column: column if column.dtype.kind in "if" else pd.factorize(column, sort=True)[0])
    return numbers.fillna(0).to_numpy(float)


known = daily.dropna(subset="video_duration")[VIDEO_ID].unique()  # videos left after dropping rows with gaps
shifted_tags = np.zeros_like(video_tags)
shifted_tags[videos[VIDEO_ID].isin(known)] = video_tags[: len(known)]  # the first categories to the first rows
sides = []
of_sides = as_numbers(users.drop(columns=RANGES)), np.hstack([as_numbers(videos.drop(columns="feat")), shifted_tags])
for table, rows in zip(of_sides, rows_of(train), strict=True):
    scaled = (table - table[rows].mean(axis=0)) / (table[rows].std(axis=0) + 1e-6)
    sides.append(scaled.astype(np.float32))  # (n_users, n_columns), (n_videos, n_columns)

# %% [markdown]
# Its network: towers of 128, 64 and 32 with dropout, concatenated into 64, 32 and 1; a squared error on the raw ratio.
# (It took batches of 128 and ten epochs. Larger batches and fewer epochs keep this lesson short, and the comparison is
# between equals.)

# %%
keras.utils.set_random_seed(SEED)
rows, vectors = [keras.Input((), dtype="int32"), keras.Input((), dtype="int32")], []
for row, table in zip(rows, sides, strict=True):
    hidden = keras.ops.take(table, row, axis=0)
    for width, rate in ((128, 0.3), (64, 0.2), (DIM, 0)):
        hidden = layers.Dropout(rate)(layers.Dense(width, activation="relu")(hidden))
    vectors.append(hidden)
original = keras.Model(rows, make_head("concat")(vectors))
fit(original, 0.001, lambda ratio: (ratio - raw.mean()) / raw.std(), "mse")
by_recipe = original.predict(rows_of(test), batch_size=8192, verbose=0)[:, 0] * raw.std() + raw.mean()  # (n_test,)


# %% [markdown]
# ## Evaluate on the small matrix
#
# Each tower runs once for every user or video; then the heads score pairs.


# %%
def predict(model, views):
    user_tower, video_tower, head, _ = model
    vectors = [np.asarray(user_tower(of_users)), np.asarray(video_tower(of_videos))]  # (rows, dim) each
    pairs = [vectors[side][rows] for side, rows in enumerate(rows_of(views))]  # (n_views, dim) each
    return head.predict(pairs, batch_size=8192, verbose=0)[:, 0].astype(float)  # (n_views,)


predict_bias = fit_biases(log_raw, best_shrinkage)
fitted = {"biases": predict_bias(train)} | {name: predict(model, train) for name, model in models.items()}
in_logs = {"biases": predict_bias(test)} | {name: predict(model, test) for name, model in models.items()}
predictions = {"mean": np.full(len(test), raw.mean()), "original recipe": by_recipe}
predictions |= {name: to_ratio(in_logs[name], log_raw, fitted[name]) for name in in_logs}
if kuairec.expected is not None:
    predictions["planted expectation"] = kuairec.expected

# %% [markdown]
# The last row is what nobody can beat: the expectation that was planted for each pair. The last column is how much more
# of the variance a model explains than the biases, as a 95 % interval by bootstrap over the users of the test.

# %%
rows, lead = {}, {}
for name, predicted in predictions.items():
    gain = ((actual - predictions["biases"]) ** 2 - (actual - predicted) ** 2) / actual.var()  # (n_test,)
    lead[name] = bootstrap_interval(pd.Series(gain).groupby(test["user_row"]).mean().to_numpy())
    rows[name] = measure(actual, predicted) | {"R² over the biases'": "{:+.3f} to {:+.3f}".format(*lead[name])}
rows["biases"]["R² over the biases'"] = None
table = pd.DataFrame(rows).T.rename_axis("model")
results_table(table.reset_index())

# %% [markdown]
# The original recipe loses to the biases: to one number a user and one a video. The repaired models explain more than
# half as much again as the biases, and over 60 % of what can be explained at all. The two heads are close.

# %%
r_squared = table["R²"]
assert PATH or lead["original recipe"][1] < 0, "the recipe should lose to the biases beyond doubt"
for name in models:
    assert PATH or lead[name][0] > 0, f"the {name} should beat the biases beyond doubt"
    assert PATH or r_squared[name] > 1.5 * r_squared["biases"], f"the {name} should explain far more"
    assert PATH or table.loc[name, "MAE"] < table.loc["biases", "MAE"], "also in the mean absolute error"
    assert PATH or r_squared[name] > 0.6 * r_squared["planted expectation"], "most of what can be explained"
assert PATH or abs(r_squared[RETRIEVER] - r_squared[RANKER]) < 0.04, "the heads should be close"

# %% [markdown]
# ## What a head costs
#
# Quality is close; cost is not. Score one user against a catalogue of 10,000 videos, ours repeated. The video vectors
# wait in memory, so both models need only their heads. Written in NumPy, the heads show what they do:

# %%
weights = models[RANKER][2].get_weights()  # kernel and bias of each layer


def score_by_product(query, videos):
    return videos @ query  # (n_videos,)


def score_by_network(query, videos):
    hidden = np.concatenate([np.broadcast_to(query, videos.shape), videos], axis=1)  # (n_videos, 2 dim)
    for kernel, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        hidden = np.maximum(hidden @ kernel + bias, 0)
    return (hidden @ weights[-2] + weights[-1])[:, 0]  # (n_videos,)


# %% [markdown]
# Times vary with the machine, so we compare the fastest of many tries. The count of multiplications does not vary. A
# careful server would also keep what the ranker's first layer makes of each video, and only add the user's part. We count
# both ways and time the plain one.

# %% tags=["nbval-check-output"]
import timeit

seconds = {}
for name, score in {RETRIEVER: score_by_product, RANKER: score_by_network}.items():
    query = np.asarray(models[name][0](of_users))[0]  # (dim,)
    catalogue = np.resize(np.asarray(models[name][1](of_videos)), (CATALOGUE, DIM))
    by_keras = models[name][2]([query[None], catalogue[:1]])
    assert np.allclose(score(query, catalogue[:1]), by_keras, atol=1e-4), "NumPy should agree with Keras"
    seconds[name] = min(timeit.repeat("score(query, catalogue)", globals=globals(), number=1, repeat=30))
plain, kept = (sum(kernel.size for kernel in weights[first::2]) for first in (0, 2))  # without the first layer
print(f"multiplications for one video: retriever {DIM}, ranker {plain:,}, with the first layer kept {kept:,}")
assert kept > 50 * DIM, "the ranker should need more than 50 times as many"
assert seconds[RANKER] > 10 * seconds[RETRIEVER], "one matrix product should be much faster than a network a video"
print(f"the retriever scores {CATALOGUE:,} videos more than 10 times as fast as the plain ranker")

# %% [markdown]
# And the retriever need not even score everything. Products of vectors can be **[indexed](../docs/glossary.md#index)**:
# a structure built beforehand
# finds the largest without looking at all (a later lesson builds one). The ranker has no such products: every video has
# to go through its network, once for every user.
#
# ## Recommend
#
# In the small matrix nearly every answer is known, so we can look up what would have happened: the mean watch ratio of
# the ten videos that each model would have shown.

# %%
truth = test.pivot(index="user_row", columns="video_row", values=WATCH_RATIO)  # (n_test_users, n_test_videos)
pairs = pd.MultiIndex.from_product([truth.index, truth.columns]).to_frame(index=False)
views_of = np.bincount(train["video_row"], minlength=len(videos))[truth.columns]
scores = {"most viewed": np.broadcast_to(views_of, truth.shape), "biases": predict_bias(pairs).reshape(truth.shape)}
scores |= {name: predict(model, pairs).reshape(truth.shape) for name, model in models.items()}
shown = {}
for name, of_pairs in scores.items():
    watched = np.take_along_axis(truth.to_numpy(), top_k(of_pairs, 10), axis=1)  # (n_test_users, 10)
    shown[name] = np.nanmean(watched, axis=1)
rows = [(name, per_user.mean(), *bootstrap_interval(per_user)) for name, per_user in shown.items()]
for name in models:
    assert PATH or bootstrap_interval(shown[name] - shown["biases"])[0] > 0, (
        "personal lists should beat one list for all"
    )
results_table(pd.DataFrame(rows, columns=["ten videos by", "mean watch ratio", "low", "high"]))

# %% [markdown]
# Here is one user of the test: first the topics that held them longest in training, then the retriever's ten videos, with
# what they did watch of them.

# %%
captions = kuairec.captions.set_index(VIDEO_ID)
user = USER if (test[USER_ID] == USER).any() else test[USER_ID].iloc[0]  # the archive's test has other users
topics = train[train[USER_ID] == user].join(captions["first_level_category_name"], on=VIDEO_ID)
favourites = topics.groupby("first_level_category_name")[WATCH_RATIO].agg(["mean", "size"]).query("size >= 3")["mean"]
print(", ".join(f"{topic} ({mean:.1f})" for topic, mean in favourites.nlargest(6).items()))
row = truth.index.get_loc(users.index[users[USER_ID] == user][0])
best = top_k(scores[RETRIEVER][[row]], 10)[0]  # (10,)
recommended = captions.reindex(videos[VIDEO_ID].iloc[truth.columns[best]])[["caption", "topic_tag"]]
recommended["predicted"] = to_ratio(scores[RETRIEVER][row, best], log_raw, fitted[RETRIEVER])
recommended["actual"] = truth.to_numpy()[row, best]
results_table(recommended, digits=2)

# %% [markdown]
# ## Save and load
#
# Encoders, towers, head and the way back to ratios become one model. It takes columns as the tables have them, and
# carries its vocabularies and scalers with it. Read back from its file, it must give the same predictions, up to rounding.

# %% tags=["nbval-check-output"]
import tempfile

user_tower, video_tower, head, _ = models[RETRIEVER]
log_ratio = head([user_tower(encode_user.output), video_tower(encode_video.output)])  # (batch, 1)
smearing = float(np.exp(log_raw - fitted[RETRIEVER]).mean())
ratio = layers.Rescaling(smearing, offset=-1)(keras.ops.exp(log_ratio))  # (batch, 1)
served = keras.Model(encode_user.input | encode_video.input, ratio)
asked = take(user_raw, test["user_row"][:1000]) | take(video_raw, test["video_row"][:1000])
with tempfile.TemporaryDirectory() as folder:
    served.save(f"{folder}/watch_ratio.keras")
    loaded = keras.models.load_model(f"{folder}/watch_ratio.keras")
before, after = served(asked).numpy()[:, 0], loaded(asked).numpy()[:, 0]  # (1000,)
assert np.allclose(after, before, rtol=1e-4, atol=1e-4), "a loaded model should answer as the saved one"
assert np.allclose(after, predictions[RETRIEVER][:1000], rtol=1e-3, atol=1e-3), "and as the parts it was made of"
print(f"{len(after):,} predictions agree")

# %% [markdown]
# ## What goes wrong, and why
#
# Most mistakes of the original recipe raise no error, which is the trouble. Here they are one at a time, each with its
# repair.
#
# **1. A second name is not a second table.** The sums were given another name, and then changed under both. A copy
# leaves them alone.

# %%
aggregate = daily.groupby(VIDEO_ID, as_index=False)["play_cnt"].sum()
most = aggregate["play_cnt"].max()
copied, alias = aggregate.copy(), aggregate
copied["play_cnt"] = np.log1p(copied["play_cnt"])
assert aggregate["play_cnt"].max() == most, "a copy should leave the sums alone"
alias["play_cnt"] = np.log1p(alias["play_cnt"])
assert aggregate["play_cnt"].max() < most, "a second name should change the sums"

# %% [markdown]
# **2. Categories by row position.** Rows with gaps were dropped, and then the categories were put beside what was left,
# row by row. From the first dropped video on, every video gets another video's categories. A join by id cannot slip.

# %% tags=["nbval-check-output"]
complete = pd.DataFrame({VIDEO_ID: np.sort(known)})
by_position = kuairec.item_categories["feat"].iloc[: len(known)]
by_id = complete.merge(kuairec.item_categories, on=VIDEO_ID, validate="one_to_one")["feat"]
wrong = (by_position != by_id).mean()
print(f"{wrong:.0%} of the videos have the wrong categories")
assert PATH or wrong > 0.5, "most videos should be wrong"

# %% [markdown]
# **3. Raw ids as row numbers.** `features[ids]` is right only while the ids run from 0 without a gap, in order. Leave out
# the first user, and every user gets the features of another user, or of nobody. A join by id is right, and with
# `validate` it refuses a user who is there twice.

# %% tags=["nbval-check-output"]
fewer = users.iloc[1:]  # one user left out
ids = train.loc[train[USER_ID].between(1, len(fewer) - 1), [USER_ID]]
by_row = fewer[USER_ID].to_numpy()[ids[USER_ID]]  # (n_views,) whom the rows belong to
print(f"by row number, {(by_row != ids[USER_ID]).mean():.0%} of the views get the wrong person")
assert len(ids.merge(fewer, on=USER_ID, validate="many_to_one")) == len(ids), "a join should find everybody"
try:
    ids.merge(pd.concat([fewer, fewer.head(1)]), on=USER_ID, validate="many_to_one")
    raise AssertionError("a user who is there twice should be refused")
except pd.errors.MergeError as error:
    print("MergeError:", str(error).splitlines()[0])

# %% [markdown]
# **4. Two scalers for one target.** The test target was standardised with its own mean and deviation, and both it and
# the predictions were scaled back with the training's. Then even a perfect model is wrong: its error is the distance
# between two scalers.

# %%
shifted = (actual - actual.mean()) / actual.std() * raw.std() + raw.mean()  # what the recipe took for the truth
rows = [("a perfect model, two scalers", shifted, actual), ("original recipe, two scalers", shifted, by_recipe)]
rows.append(("original recipe, raw", actual, by_recipe))
rows = pd.DataFrame([{"measured": name} | measure(target, predicted) for name, target, predicted in rows])
assert rows["MAE"][0] > 1e-3, "two scalers should find fault with perfection"
results_table(rows)

# %% [markdown]
# **5. Ids and codes as quantities.** A network that gets `video_id=998` as a number is told that it is almost 999. A
# label-encoded text gets its place in the alphabet as its size. Compare a straight line through such numbers with one
# mean for each value, both fitted on training and measured on validation views.

# %%
rows = []
words = {USER_ID: users, "onehot_feat1": users, VIDEO_ID: videos, "upload_type": videos, "author_id": videos}
for column, table in words.items():
    side = "user_row" if table is users else "video_row"
    code = pd.factorize(table[column], sort=True)[0]  # (n_rows,) place in the order
    of_train, of_validation = code[train[side]], code[validation[side]]
    line = np.polyval(np.polyfit(of_train, log_raw, 1), of_validation)
    means = pd.Series(log_raw).groupby(of_train).mean().reindex(of_validation).fillna(log_raw.mean()).to_numpy()
    rows.append((column, *(measure(np.log1p(held_out), predicted)["R²"] for predicted in (line, means))))
quantities = pd.DataFrame(rows, columns=["column", "R² of log(1 + r) as a quantity", "as a category"])
assert PATH or (quantities.iloc[:, 2] > quantities.iloc[:, 1]).all(), "every column should be worth more as a category"
results_table(quantities)

# %% [markdown]
# **6. A squared error ruled by a few replays.** One view in a hundred makes half of the squared error of the mean, and
# little of its Huber loss on logarithms. Our retriever, trained on the raw ratio with a squared error, shows what that
# costs.

# %%
residual = np.abs(log_raw - log_raw.mean())
losses = {"squared error": (raw - raw.mean()) ** 2}
losses["Huber loss"] = np.where(residual < 0.5, residual**2, residual - 0.25)
share = {name: loss[raw >= clip_at].sum() / loss.sum() for name, loss in losses.items()}
print("the largest 1 % make " + ", ".join(f"{part:.0%} of the {name}" for name, part in share.items()))
assert PATH or (share["squared error"] > 0.4 and share["Huber loss"] < 0.2), "a squared error should be ruled by a few"
on_raw = predict(train_model("dot", lambda ratio: ratio, "mse"), test)
rows = [("squared error of the ratio", on_raw), ("Huber on log(1 + r)", predictions[RETRIEVER])]
rows = pd.DataFrame([{"retriever, trained with": name} | measure(actual, predicted) for name, predicted in rows])
assert PATH or rows["R²"][1] > rows["R²"][0], "the logarithm should explain more"
results_table(rows)

# %% [markdown]
# **7. A file that was never written.** `model.save()` without a path is an error, and the load that followed used a name
# that did not exist. Run a notebook from top to bottom before believing it.

# %% tags=["nbval-check-output"]
try:
    served.save()
    raise AssertionError("saving without a path should fail")
except TypeError as error:
    print("TypeError:", str(error).split(":")[0])

# %% [markdown]
# ## In practice
#
# - **Two stages.** Large platforms use both heads: a retriever picks candidates out of everything, a ranker orders those
#   few. The ranker earns its price with what a dot product cannot have, features of the *pair* or of the moment. Without
#   them it has to learn to multiply (Rendle et al., 2020).
# - **Counts from the future.** We summed the daily counts over all days, also those after a view. A platform knows only
#   the days before: join the sums as of the view's day.
# - **Smearing is an assumption**: one factor for all is right if the errors are alike everywhere. Ours comes from the
#   training views, whose errors are smaller than those of new views. Look at the mean of pairs with like predictions.
# - **Short videos win.** A watch ratio is easier to fill with five seconds than with five minutes, so a list by watch
#   ratio drifts to short videos. Watch *time* depends on the length as well (Zhan et al., 2022, call it duration bias).
#   Decide what you want to predict.
# - **The real archive.** `load_kuairec("KuaiRec.zip")` checks the file's hash and reads the columns in small types
#   without unpacking; `load_kuairec(download=True)` fetches it first. It is licensed CC BY-SA 4.0.

# %% [markdown]
# ## Exercises
#
# 1. **Cold videos.** Set the index of all videos to 0 before predicting. How much of the $R^2$ is left to the features,
#    and what happens when the id's dropout is raised to 0.9 in training?
# 2. **A feature of the pair.** Give the ranker's head a third input: the user's mean watch ratio, in training, of
#    videos with the same first tag, without the view itself. Why can no dot head use it?
# 3. **Known by then.** Sum the daily counts up to the day before each view, and join them by video and day. What does
#    `validate` have to say now?

# %% [markdown]
# ## Takeaways
#
# - We joined the tables by id and let `validate` check it; joined by position, most videos had wrong categories.
# - The logarithm explained more of the raw ratio than the raw ratio itself, for the biases and for the towers, once the
#   smearing factor brought the mean back.
# - Both models beat the biases beyond doubt, explained more than half as much again, and reached most of what was planted.
# - The two heads were close in quality; the dot head was more than 10 times as fast as the plain ranker.
# - In the fully observed matrix, both models showed users videos they watched longer than the list for everybody.
# - One saved model held vocabularies, scalers and weights, and answered the same after loading, up to rounding.
#
# **Next**: [Lesson 10](10_learn_from_likes.ipynb) reads likes from a database, where nobody says what they did not like.
#
# **References**
#
# - N. Duan (1983). Smearing estimate: a nonparametric retransformation method. *Journal of the American Statistical
#   Association* 78(383).
# - C. Gao, S. Li, W. Lei, J. Chen, B. Li, P. Jiang, X. He, J. Mao, T.-S. Chua (2022). KuaiRec: a fully-observed dataset
#   and insights for evaluating recommender systems. *CIKM*.
# - P. J. Huber (1964). Robust estimation of a location parameter. *Annals of Mathematical Statistics* 35(1).
# - S. Rendle, W. Krichene, L. Zhang, J. Anderson (2020). Neural collaborative filtering vs. matrix factorization
#   revisited. *RecSys*.
# - R. Zhan, C. Pei, Q. Su, J. Wen, X. Wang, G. Mu, D. Zheng, P. Jiang, K. Gai (2022). Deconfounding duration bias in
#   watch-time prediction for video recommendation. *KDD*.
