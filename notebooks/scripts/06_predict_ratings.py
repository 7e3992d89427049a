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
# # Predict ratings with content towers and a dot product
#
# [![Open in Colab](images/open-in-colab.svg)](https://colab.research.google.com/github/two-towers-course/two-towers/blob/main/notebooks/06_predict_ratings.ipynb) [![Launch Binder](images/launch-binder.svg)](https://mybinder.org/v2/gh/two-towers-course/two-towers/main?urlpath=lab/tree/notebooks/06_predict_ratings.ipynb)
#
# **What you'll do**: repair a popular two-tower recipe until it runs and tells the truth, then build two towers that
# predict movie ratings better than every classic baseline, and recommend to somebody who has rated nothing.
#
# **What you'll learn**
#
# - to describe a user and a movie without leaking the rating that is to be predicted;
# - how much a leak flatters a model, measured;
# - why a cosine of two unit vectors cannot say that a movie is good;
# - to put biases, ids and features into two towers, and to save them.
#
# **What you'll need**: the baselines of [Lesson 02](02_predict_ratings_with_classic_baselines.ipynb), though you need not
# have run it; one minute and 1.5 GB of memory.

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
# The towers are written in Keras 3.

# %%
import os
import tempfile
import time
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import ipywidgets
import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import tensorflow as tf
from IPython.display import HTML, display
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from surprise import SVD, BaselineOnly, KNNBaseline

# %% [markdown]
# The course's own package brings the data, the features, the splits and the tables.
# %%
from recsys_utils.baselines import predict_with_surprise
from recsys_utils.columns import GENRES, ITEM_ID, RATING, TIMESTAMP, TITLE, USER_ID, YEAR
from recsys_utils.comparison import bootstrap_interval
from recsys_utils.datasets.item_vectors import save_item_vectors
from recsys_utils.datasets.movielens import load_movielens
from recsys_utils.display import results_table
from recsys_utils.features import GENRE_NAMES, ITEM_FEATURES, USER_FEATURES, item_features, user_features
from recsys_utils.leaderboard import Leaderboard, query_milliseconds
from recsys_utils.metrics import evaluate_ranking, mae, make_ranking_task, rmse, top_k
from recsys_utils.splits import split_by_time, split_random
from recsys_utils.users import new_user_vec

plt.style.use("recsys_utils.two_towers")

# %% [markdown]
# Sizes and epochs. Those of the second model were chosen on a validation part, cut from the training part by the same
# split. More epochs and smaller batches were slightly better there; these fit into a minute.

# %% tags=["parameters"]
SEED = 1
RECIPE_EPOCHS = 2
DIM = 32
HIDDEN = (128, 64)
EPOCHS = 6
BATCH = 512
SHRINK = 5  # ratings' worth of doubt in a bias
DROP_USER_ID, DROP_ITEM_ID = 0.3, 0.8
USER = 2

# %% [markdown]
# ## Data
#
# Ratings from half a star to five, of movies with a year and genres.

# %% tags=["nbval-check-output"]
movielens = load_movielens()
ratings, items = movielens.ratings, movielens.items
print(f"{len(ratings):,} ratings, {ratings[USER_ID].nunique()} users, {len(items):,} movies")
items.head(3)

# %% [markdown]
# Two splits, as in lesson 02: at random, to compare with published tables, and by time, closer to what a recommender
# is asked.

# %% tags=["nbval-check-output"]
splits = {"random": split_random(ratings), "by time": split_by_time(ratings)}
for name, split in splits.items():
    print(f"{name}: {len(split.train):,} to train on, {len(split.test):,} to test")

# %% [markdown]
# ## The idea: two towers and what meets between them
#
# One network reads what we know of a user and turns it into a vector $q$; another reads what we know of a movie and
# turns it into a vector $c$. They meet only in a dot product, on top of the mean and two biases:
#
# $$\hat r_{ui} = \mu + b_u + b_i + q_u \cdot c_i$$
#
# By hand, for two users and two movies, with vectors of length 2:

# %% tags=["nbval-check-output"]
mean, user_bias, item_bias = 3.5, np.array([0.5, -0.5]), np.array([0.2, -0.2])
q = np.array([[1.0, 0.0], [0.0, 1.0]])  # (users, dim)
c = np.array([[0.8, -0.3], [-0.8, 0.3]])  # (movies, dim)
stars = mean + user_bias[:, None] + item_bias + q @ c.T  # (users, movies)
print(stars.round(1))
assert np.isclose(stars[0, 0], 3.5 + 0.5 + 0.2 + 0.8), "mean, two biases, one match"

# %% [markdown]
# ## Describe a user without telling the answer
#
# The content of a user is what they rated: how often, the average, the average in each genre. But a training row asks
# for one of those very ratings. If it is inside the average, the answer stands in the question. So each training row
# **leaves its own rating out**. Ann gave 5 stars to a comedy and 1 to a drama:

# %% tags=["nbval-check-output"]
two_movies = pd.DataFrame({ITEM_ID: [1, 2], GENRES: ["Comedy", "Drama"], YEAR: [1999, 2001]})
four_ratings = pd.DataFrame({USER_ID: [1, 1, 2, 2], ITEM_ID: [1, 2, 1, 2], RATING: [5.0, 1.0, 4.0, 4.0]})
average = USER_FEATURES.index("rating ave")
for statistics in ("leaky", "leave-one-out"):
    of_ann = user_features(four_ratings, four_ratings, two_movies, statistics)[:2, average]  # (2,)
    print(f"{statistics:13} Ann's average beside her 5: {of_ann[0]:.0f}, beside her 1: {of_ann[1]:.0f}")
assert list(of_ann) == [1, 5], "beside a rating stands the average of the others"

# %% [markdown]
# On MovieLens every row gets 17 numbers a side. Test rows get the averages of the training ratings, all of them.

# %% tags=["nbval-check-output"]
train, test = splits["random"]
of_users = pd.DataFrame(user_features(train, train, items), columns=USER_FEATURES)
of_items = pd.DataFrame(item_features(train, train, items), columns=ITEM_FEATURES)
print(of_users.shape, of_items.shape)
of_users.iloc[:3, :8].round(2)

# %% [markdown]
# ## What there is to beat
#
# The rating models of lesson 02, on the same splits. (Its neighbours by
# raw cosine were the worst there, far behind the biases, so they are left out.)


# %%
def predict_baselines(train, test):
    predictions = {"mean": np.full(len(test), train[RATING].mean())}
    item_deviations = {"name": "pearson_baseline", "user_based": False}
    for name, algorithm in {
        "bias": BaselineOnly(),
        "SVD": SVD(random_state=SEED),
        "item CF, deviations": KNNBaseline(sim_options=item_deviations),
    }.items():
        predictions[name] = predict_with_surprise(algorithm, train, test)  # (n_test,)
    return predictions


predictions = {name: predict_baselines(*split) for name, split in splits.items()}

# %% [markdown]
# ## A popular recipe, repaired
#
# The recipe that many notebooks share: towers of 256, 128 and 32 units, both vectors scaled to length 1, a dot
# product, squared error on ratings squeezed into −1 to 1. Ids do not go in.


# %%
def make_recipe_tower(name):
    features = keras.Input((16,), name=name)
    hidden = keras.layers.Dense(256, "relu")(features)
    hidden = keras.layers.Dense(128, "relu")(hidden)
    vector = keras.layers.UnitNormalization(axis=1)(keras.layers.Dense(32)(hidden))  # (batch, 32), of length 1
    return features, vector


def make_recipe():
    (user, q), (item, c) = make_recipe_tower("user"), make_recipe_tower("item")
    return keras.Model([user, item], keras.layers.Dot(axes=1)([q, c]))  # a cosine, (batch, 1)


# %% [markdown]
# It will be trained three times. Keeping the untrained state lets Keras compile it once.

# %%
keras.utils.set_random_seed(SEED)
model = make_recipe()
model.compile(keras.optimizers.Adam(0.01), loss="mse", jit_compile=False)
model.optimizer.build(model.trainable_variables)
state = model.variables + model.optimizer.variables
untrained = [variable.numpy() for variable in state]

# %% [markdown]
# Every scaler is fitted on training rows alone. `statistics="leaky"` is there so that we can measure the leak: it takes
# the averages from all ratings, as if before the split, and leaves nothing out.


# %%
def content(rows, known, statistics):
    user = pd.DataFrame(user_features(rows, known, items, statistics), columns=USER_FEATURES)
    item = pd.DataFrame(item_features(rows, known, items, statistics), columns=ITEM_FEATURES)
    return [user.drop(columns="user id"), item.drop(columns="movie id")]  # (n_rows, 16) each


def train_recipe(split, statistics="leave-one-out"):
    known = ratings if statistics == "leaky" else split.train
    in_train, in_test = (content(rows, known, statistics) for rows in split)
    scalers = [StandardScaler().fit(side) for side in in_train]
    x_train, x_test = ([scalers[0].transform(user), scalers[1].transform(item)] for user, item in (in_train, in_test))
    target = MinMaxScaler((-1, 1))
    y_train = target.fit_transform(split.train[[RATING]])  # (n_train, 1)
    for variable, value in zip(state, untrained, strict=True):
        variable.assign(value)
    model.fit(x_train, y_train, batch_size=1024, epochs=RECIPE_EPOCHS, verbose=0)
    return target.inverse_transform(np.asarray(model(x_test)))[:, 0]  # (n_test,) stars


# %% [markdown]
# Now train: honestly on both splits, and once with the leak. (The original takes batches of 256 and 30
# epochs. Larger batches and fewer epochs keep this lesson short, and the comparison is between equals.)

# %%
recipe, recipe_seconds = {}, {}
for name, split in splits.items():
    start = time.perf_counter()
    recipe[name] = train_recipe(split)
    recipe_seconds[name] = time.perf_counter() - start
leaky = train_recipe(splits["random"], "leaky")

# %% [markdown]
# ## What goes wrong, and why
#
# The recipe as it is usually printed has more wrong with it than the leak. First, it does not run on Keras 3: a raw
# TensorFlow function cannot take a symbolic tensor, and a shape is a tuple, which `(16)` is not.

# %% tags=["nbval-check-output"]
for label, attempt in {
    "tf.linalg.l2_normalize": lambda: tf.linalg.l2_normalize(keras.Input((16,)), axis=1),
    "Input(shape=(16))": lambda: keras.Input(shape=(16)),
}.items():
    try:
        attempt()
        raise AssertionError(f"{label} should fail on Keras 3")
    except ValueError as error:
        print(f"{label}: {type(error).__name__}: {str(error).split('.')[0].strip()[:70]}")

# %% [markdown]
# The repairs are `UnitNormalization` and `(16,)`, as above. Second, **the leak**: the averages came from all ratings,
# before the split, and held the very rating to be predicted.

# %%
stars = {name: split.test[RATING].to_numpy() for name, split in splits.items()}
honest_rmse, leaky_rmse = rmse(stars["random"], recipe["random"]), rmse(stars["random"], leaky)
bias_rmse = rmse(stars["random"], predictions["random"]["bias"])
print(f"recipe with the leak {leaky_rmse:.3f}, without {honest_rmse:.3f}, bias alone {bias_rmse:.3f}")
flattery = (stars["random"] - recipe["random"]) ** 2 - (stars["random"] - leaky) ** 2  # (n_test,)
low, high = bootstrap_interval(flattery, resamples=100)
assert low > 0, "the leak should flatter the recipe beyond doubt"

# %% [markdown]
# Third, **stars**. Ratings from 0.5 to 5 squeezed into −1 to 1 shrink by *half* of the range. An error is undone with
# 2.25, not with 4.5, which doubles it.

# %% tags=["nbval-check-output"]
scaled_error = np.diff(MinMaxScaler((-1, 1)).fit([[0.5], [5.0]]).transform([[3.0], [4.0]]), axis=0)[0, 0]
print(
    f"one star is {scaled_error:.3f} on the scale: times 2.25 = {scaled_error * 2.25:.0f}, times 4.5 = {scaled_error * 4.5:.0f}"
)
assert np.isclose(scaled_error * 2.25, 1), "half of the range gives the star back"

# %% [markdown]
# Fourth, **a new user** was given a rating count and an average of 0. No user has an average of 0 stars; to the tower
# that is somebody from another planet:

# %% tags=["nbval-check-output"]
user_average = of_users["rating ave"]
print(f"an average of 0 lies {user_average.mean() / user_average.std():.0f} standard deviations below the mean user")

# %% [markdown]
# Fifth, **the cosine**. Two unit vectors have nowhere to write "this movie is good" or "this user is generous", which
# is most of a rating: it has to be hidden in their directions. Repaired in everything else, the recipe gets no further
# than the biases on the random split, and the neighbours of lesson 02 beat it there.

# %%
for name in ("bias", "item CF, deviations"):
    print(f"{name}: {rmse(stars['random'], predictions['random'][name]):.3f}")
print(f"recipe: {honest_rmse:.3f}")
assert honest_rmse > bias_rmse - 0.01, "the recipe should get no further than the biases"
assert honest_rmse > rmse(stars["random"], predictions["random"]["item CF, deviations"]) + 0.01, "neighbours should win"

# %% [markdown]
# ## The model that wins
#
# So put back what the recipe lacks. The start is the mean and two biases, each pulled towards 0 as if `SHRINK` more
# ratings of 0 had been seen, each without the row's own rating. The item's bias is its mean deviation; the user's is
# the mean deviation of what they rated *from those movies' biases*.


# %%
def own_rating(rows, train):
    if not {USER_ID, ITEM_ID} <= set(rows.columns):
        return np.full(len(rows), np.nan)
    return rows.merge(train, how="left", on=[USER_ID, ITEM_ID], suffixes=("_", ""))[RATING].to_numpy()


def shrunk_mean(values, ids, wanted, own):
    """Mean of the values of each wanted id, without the row's own, and how many there are."""
    sums = values.groupby(ids).agg(["sum", "size"]).reindex(wanted, fill_value=0).to_numpy()  # (n_rows, 2)
    count = sums[:, 1] - ~np.isnan(own)
    return (sums[:, 0] - np.nan_to_num(own)) / (count + SHRINK), count


# %% [markdown]
# The item side: id, bias, how many ratings the bias rests on, year, average, genres.


# %%
def describe_items(rows, train):
    mean = train[RATING].mean()
    bias, count = shrunk_mean(train[RATING] - mean, train[ITEM_ID], rows[ITEM_ID], own_rating(rows, train) - mean)
    features = pd.DataFrame(item_features(rows, train, items), columns=ITEM_FEATURES).drop(columns="movie id")
    row = np.searchsorted(items[ITEM_ID], rows[ITEM_ID])
    return {"id": row, "features": features.assign(bias=bias, count=np.log1p(count)), "bias": bias}


# %% [markdown]
# The user side: id, bias, count, average, how far each genre's average lies above it, and two things that are known
# when a prediction is made: the date, and for how long the user has been rating.


# %%
def describe_users(rows, train):
    known = describe_items(items, train)["bias"]  # (n_items,) biases from all training ratings
    mean, bias_of = train[RATING].mean(), pd.Series(known, items[ITEM_ID])
    deviation = train[RATING] - mean - train[ITEM_ID].map(bias_of)
    own = own_rating(rows, train)
    if ITEM_ID in rows:
        own = own - mean - rows[ITEM_ID].map(bias_of).to_numpy()
    bias, count = shrunk_mean(deviation, train[USER_ID], rows[USER_ID], own)
    features = pd.DataFrame(user_features(rows, train, items), columns=USER_FEATURES).drop(columns="user id")
    features[list(GENRE_NAMES)] = features[list(GENRE_NAMES)].sub(features["rating ave"], axis=0)
    seconds = rows[TIMESTAMP].to_numpy() - train.groupby(USER_ID)[TIMESTAMP].min().reindex(rows[USER_ID]).to_numpy()
    features = features.assign(
        bias=bias, days=np.log1p(np.maximum(seconds, 0) / 86_400), date=rows[TIMESTAMP].to_numpy()
    )
    features["rating count"] = np.log1p(count)
    row = np.searchsorted(users, rows[USER_ID]) + 1  # row 0 is for somebody new
    return {"id": row, "features": features, "bias": bias}


users = np.unique(ratings[USER_ID])

# %% [markdown]
# Each tower adds two vectors: one from the features through two hidden layers, one from the id. The id's is often
# dropped in training, an item's more often than not, so that a tower must be able to do without: that is what a user
# or a movie without ratings will need. The bias leaves by a door of its own.


# %%
def make_tower(name, n_ids, n_features, drop_id):
    row = keras.Input((), name=f"{name}_id", dtype="int32")
    features = keras.Input((n_features,), name=f"{name}_features")
    start = keras.Input((1,), name=f"{name}_bias")
    near_zero = keras.initializers.RandomNormal(stddev=0.01)
    by_id = keras.layers.Embedding(n_ids, DIM, embeddings_initializer=near_zero)(row)  # (batch, DIM)
    small = keras.regularizers.L2(0.01 / BATCH)
    by_id = keras.layers.Dropout(drop_id, noise_shape=(None, 1), activity_regularizer=small)(by_id)
    hidden = features
    for width in HIDDEN:
        hidden = keras.layers.Dropout(0.2)(keras.layers.Dense(width, "relu")(hidden))
    vector = keras.layers.Add(name=f"{name}_vector")([keras.layers.Dense(DIM)(hidden), by_id])  # (batch, DIM)
    bias = keras.layers.Add()([start, keras.layers.Dense(1)(vector)])  # (batch, 1)
    return keras.Model([row, features, start], [vector, bias], name=f"{name}_tower")


# %% [markdown]
# The two meet in the formula from above.


# %%
def make_model(n_user_features, n_item_features, mean):
    user_tower = make_tower("user", len(users) + 1, n_user_features, DROP_USER_ID)
    item_tower = make_tower("item", len(items), n_item_features, DROP_ITEM_ID)
    (q, user_bias), (c, item_bias) = user_tower.output, item_tower.output
    total = keras.layers.Add()([user_bias, item_bias, keras.layers.Dot(axes=1)([q, c])])  # (batch, 1)
    stars = keras.layers.Rescaling(1.0, offset=mean)(total)
    return keras.Model(user_tower.inputs + item_tower.inputs, stars), user_tower, item_tower


# %% [markdown]
# A trained model keeps its scalers, which saw training rows alone.


# %%
class TwoTowers:
    def __init__(self, train):
        self.train = train
        sides = describe_users(train, train), describe_items(train, train)
        self.scalers = [StandardScaler().fit(side["features"]) for side in sides]
        widths = [side["features"].shape[1] for side in sides]
        keras.utils.set_random_seed(SEED)
        self.model, self.user_tower, self.item_tower = make_model(*widths, train[RATING].mean())
        self.train_inputs = self.inputs(self.scalers[0], sides[0]) + self.inputs(self.scalers[1], sides[1])

    def inputs(self, scaler, side):
        features = scaler.transform(side["features"]).clip(-6, 6).astype("float32")
        return [side["id"].astype("int32"), features, side["bias"].astype("float32")[:, None]]

    def user_inputs(self, rows):
        return self.inputs(self.scalers[0], describe_users(rows, self.train))

    def item_inputs(self, rows):
        return self.inputs(self.scalers[1], describe_items(rows, self.train))

    def predict(self, rows):
        pairs = self.user_inputs(rows) + self.item_inputs(rows)
        return np.asarray(self.model(pairs))[:, 0].clip(0.5, 5)  # (n_rows,) stars


# %% [markdown]
# ## Train
#
# Adam, with a learning rate that falls to zero along a cosine. A twentieth of the training rows is held back for the
# curve: each row leaves its own rating out, so a row that is not trained on is as good as new.


# %%
def fit(train):
    train = train.sample(frac=1, random_state=SEED)  # Keras holds back the last rows
    towers = TwoTowers(train)
    steps = EPOCHS * int(0.95 * len(train) / BATCH)
    falling = keras.optimizers.schedules.CosineDecay(3e-3, steps)
    towers.model.compile(
        keras.optimizers.Adam(falling), loss="mse", metrics=["mse"], steps_per_execution=32, jit_compile=False
    )
    stars = train[RATING].to_numpy()
    history = towers.model.fit(towers.train_inputs, stars, BATCH, EPOCHS, verbose=0, validation_split=0.05).history
    return towers, {name: np.sqrt(values) for name, values in history.items()}


# %% [markdown]
# One model for each split.

# %%
towers, curves, seconds = {}, {}, {}
for name, split in splits.items():
    start = time.perf_counter()
    towers[name], curves[name] = fit(split.train)
    seconds[name] = time.perf_counter() - start
    predictions[name]["content towers, recipe"] = recipe[name]
    predictions[name]["content towers + ids + biases"] = towers[name].predict(split.test)

# %% [markdown]
# The rows held back improve and flatten, while those trained on go on falling: from here on the model would mostly
# learn ratings by heart.

# %%
figure, axes = plt.subplots(1, 2, sharey=True)
for axis, (name, curve) in zip(axes, curves.items(), strict=True):
    axis.plot(range(1, EPOCHS + 1), curve["mse"], marker="o", label="trained on (with dropout)")
    axis.plot(range(1, EPOCHS + 1), curve["val_mse"], marker="o", label="held back")
    axis.set(title=f"Learning curves, {name}", xlabel="epoch")
    assert curve["val_mse"][-1] < curve["val_mse"][0], "training should help on rows that are held back"
axes[0].set(ylabel="RMSE (stars)")
axes[0].legend()
plt.show()

# %% [markdown]
# ## Evaluate against the baselines
#
# Same splits, same metrics, one table, the mean first. The lead is the towers' over that row: how much its mean
# squared error is larger, as a 95 % interval over the test ratings.

# %%
ours = "content towers + ids + biases"
rows, ahead = [], {}
for name in predictions["random"]:
    row = {"model": name}
    for split_name, actual in stars.items():
        predicted, best = predictions[split_name][name], predictions[split_name][ours]  # (n_test,)
        row |= {f"RMSE, {split_name}": rmse(actual, predicted), f"MAE, {split_name}": mae(actual, predicted)}
        if name != ours:
            low, high = bootstrap_interval((actual - predicted) ** 2 - (actual - best) ** 2, resamples=100)
            row[f"lead, {split_name}"], ahead[split_name, name] = f"{low:.3f} to {high:.3f}", low
    rows.append(row)
results_table(pd.DataFrame(rows))

# %% [markdown]
# The towers beat every baseline on both splits, and no interval touches zero.

# %%
assert min(ahead.values()) > 0, "the towers should beat every other model beyond doubt, on both splits"
for name, actual in stars.items():
    mark = rmse(actual, predictions[name]["item CF, deviations"])
    print(f"{name}: RMSE {1 - rmse(actual, predictions[name][ours]) / mark:.1%} below the best baseline's")

# %% [markdown]
# ## Predicted beside actual
#
# One user of the test by time, whose later ratings the model has not seen. Highest prediction first.

# %%
model = towers["by time"]
train, test = splits["by time"]
theirs = test[test[USER_ID] == USER]
table = theirs.merge(items, on=ITEM_ID, validate="many_to_one").assign(predicted=model.predict(theirs))
results_table(table.sort_values("predicted", ascending=False)[[TITLE, GENRES, "predicted", RATING]], digits=1)

# %% [markdown]
# ## A user who has rated nothing
#
# Somebody states tastes from 0 to 5 for some genres. `new_user_vec` fills in a median user's average, instead of the
# 0 that went wrong above. Their id is row 0, their bias 0, their count 0.

# %%
TASTES = {"Action": 5, "Adventure": 5, "Crime": 3, "Fantasy": 5, "Mystery": 4, "Sci-Fi": 5, "Thriller": 4}
user_matrix = user_features(train.drop_duplicates(USER_ID)[[USER_ID, TIMESTAMP]], train, items)
item_inputs = model.item_inputs(items)
item_vectors, item_bias = (np.asarray(side) for side in model.item_tower(item_inputs))  # (n_items, DIM), (n_items, 1)


def predict_for_new_user(tastes):
    features = pd.DataFrame(new_user_vec(tastes, user_matrix), columns=USER_FEATURES).drop(columns="user id")
    features[list(GENRE_NAMES)] = features[list(GENRE_NAMES)].sub(features["rating ave"], axis=0)
    features = features.assign(bias=0.0, days=0.0, date=train[TIMESTAMP].max())
    features["rating count"] = 0.0
    side = {"id": np.zeros(1), "features": features, "bias": np.zeros(1)}
    vector, bias = (np.asarray(part) for part in model.user_tower(model.inputs(model.scalers[0], side)))
    return (train[RATING].mean() + bias + item_bias.T + vector @ item_vectors.T)[0].clip(0.5, 5)  # (n_items,)


# %% [markdown]
# The ten with the highest prediction.


# %%
def recommend(tastes, k=10):
    predicted = predict_for_new_user(tastes)
    best = top_k(predicted[None], k)[0]  # (k,)
    return results_table(items.iloc[best][[TITLE, YEAR, GENRES]].assign(predicted=predicted[best]), digits=2)


recommend(TASTES)

# %% [markdown]
# Do the tastes matter? Compare with somebody who loves romance and drama and nothing else.

# %%
other = {"Romance": 5, "Drama": 5, "Action": 1, "Adventure": 1, "Sci-Fi": 1, "Fantasy": 1, "Thriller": 1}
lists = {
    name: top_k(predict_for_new_user(tastes)[None], 100)[0] for name, tastes in [("first", TASTES), ("other", other)]
}
share = {name: items[GENRES].iloc[best].str.contains("Action|Adventure|Sci-Fi").mean() for name, best in lists.items()}
print(f"action, adventure or science fiction among the top 100: {share['first']:.0%} and {share['other']:.0%}")
assert share["first"] > share["other"], "tastes should move the list"

# %% [markdown]
# In JupyterLab, Binder or Colab, move the sliders and the table follows.

# %%
live = "JPY_SESSION_NAME" in os.environ or "google.colab" in sys.modules
if live:
    sliders = {
        genre: ipywidgets.FloatSlider(
            TASTES.get(genre, 3.5), min=0, max=5, step=0.5, description=genre, continuous_update=False
        )
        for genre in GENRE_NAMES
    }
    table = ipywidgets.interactive_output(lambda **tastes: display(HTML(recommend(tastes))), sliders)
    display(ipywidgets.HBox([ipywidgets.VBox(list(sliders.values())), table]))

# %% [markdown]
# ## Save, load, equal predictions
#
# One file holds the architecture, the weights and both towers.

# %% tags=["nbval-check-output"]
pairs = model.user_inputs(test) + model.item_inputs(test)
with tempfile.TemporaryDirectory() as folder:
    model.model.save(Path(folder, "two_towers.keras"))
    loaded = keras.saving.load_model(Path(folder, "two_towers.keras"))
before, after = (np.asarray(m(pairs)) for m in (model.model, loaded))  # (n_test, 1)
print("largest difference:", np.abs(before - after).max())
assert np.array_equal(before, after), "a loaded model should predict the same"

# %% [markdown]
# ## A good rating model is not a good recommender
#
# As in lesson 02: order the whole catalogue for each user by predicted stars, and look for the movies of the test.

# %%
task = make_ranking_task(train, test, items[ITEM_ID])
last = train.groupby(USER_ID)[TIMESTAMP].max().reindex(task.users)
rows = pd.DataFrame({USER_ID: task.users, TIMESTAMP: last.to_numpy()})
user_inputs = model.user_inputs(rows)
vectors, bias = (np.asarray(side) for side in model.user_tower(user_inputs))
scores = bias + item_bias.T + vectors @ item_vectors.T  # (n_users, n_items)
popular = np.tile(task.popularity, (len(task.users), 1))
ranking = {"most popular": evaluate_ranking(popular, task), ours: evaluate_ranking(scores, task)}
results_table(pd.DataFrame([{"model": name} | metrics.summary() for name, metrics in ranking.items()]))

# %% [markdown]
# The best rating model of the course so far ranks worse than a list of popular movies. It was never asked what people
# choose. [Lesson 11](11_retrieve_with_in_batch_negatives.ipynb) asks.

# %%
low, high = bootstrap_interval(ranking["most popular"].ndcg - ranking[ours].ndcg)
assert low > 0, "ranking by predicted stars should lose to most popular"

# %% [markdown]
# ## In practice
#
# - **Content carries over, ids do not.** A new user or movie gets a vector from its features at once. The id helps
#   where there are ratings; withholding it in training keeps the tower honest.
# - **Averages go stale.** Serve them from the same code that made the training rows, or the model meets features that
#   it has never seen.
# - **What is known when?** Our averages come from the training part alone. In production, compute each row's from what
#   lay before it.
# - **Stars are rare, choices are common.** Most products have no ratings to predict.
#
# When a user asks, the item vectors are at hand and only the user tower runs:


# %%
def score_for(row):
    vector, bias = (np.asarray(side) for side in model.user_tower([part[[row]] for part in user_inputs]))
    return (bias + item_bias.T + vector @ item_vectors.T)[0]  # (n_items,)


assert np.allclose(score_for(0), scores[0], atol=1e-4), "one user should get the scores of the whole matrix"
query_ms = query_milliseconds(score_for, task)

# %% [markdown]
# The two rows go to the course's leaderboard, and the item vectors to [Lesson 16](16_compare_embeddings.ipynb).

# %%
board = Leaderboard("07")
for name, took, figures in [
    ("content towers, recipe", recipe_seconds, {}),
    (ours, seconds, {"ranking": ranking[ours], "query_ms": query_ms}),
]:
    errors = [rmse(stars[split], predictions[split][name]) for split in ("random", "by time")]
    figures |= {"rmse_random": errors[0], "rmse_by_time": errors[1], "train_seconds": took["by time"]}
    board.add(name, "two-tower", **figures)
board.save()
save_item_vectors("07", items[ITEM_ID].to_numpy(), item_vectors)

# %% [markdown]
# ## Exercises
#
# 1. **Count the leak.** Leave only the user's own rating in the averages, not the test's. Which half of the leak is
#    worth more?
# 2. **Without ids.** Set both drop rates close to 1. What do the ids add on each split?
# 3. **A cosine with biases.** Give the recipe two biases and a learnt factor before its cosine. How far does it get?
# 4. **A colder start.** Take away all but three ratings of fifty users and predict the rest. From how many ratings on
#    do the towers beat the movie's average?

# %% [markdown]
# ## Takeaways
#
# - We left each row's own rating out of its features; leaving it in flattered the recipe.
# - We repaired the recipe and found it no better than biases it cannot express.
# - Biases, ids that are sometimes withheld, and content beat every classic baseline on both splits.
# - Somebody who has rated nothing got a list that follows their tastes.
# - The best predictor of stars ranked worse than the most popular list.
#
# **Next**: [Lesson 11](11_retrieve_with_in_batch_negatives.ipynb) trains two towers to retrieve.
#
# **References**
#
# - P. Covington, J. Adams, E. Sargin (2016). Deep neural networks for YouTube recommendations. *RecSys*.
# - F. M. Harper, J. A. Konstan (2015). The MovieLens datasets: history and context. *ACM TiiS* 5(4).
# - S. Kaufman, S. Rosset, C. Perlich (2012). Leakage in data mining: formulation, detection, and avoidance. *ACM TKDD*
#   6(4).
# - Y. Koren, R. Bell, C. Volinsky (2009). Matrix factorization techniques for recommender systems. *Computer* 42(8).
# - M. Volkovs, G. Yu, T. Poutanen (2017). DropoutNet: addressing cold start in recommender systems. *NeurIPS*.
