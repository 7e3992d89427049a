"""A notebook in the style of the old course lab runs through the helpers after only its Keras lines are repaired."""

import os
import subprocess
import sys
import textwrap

NOTEBOOK = """
import keras
import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from recsys_utils import *

item_train, user_train, y_train, item_features, user_features, item_vecs, movie_dict, user_to_genre = load_data()

num_user_features = user_train.shape[1] - 3  # without user id, rating count and average
num_item_features = item_train.shape[1] - 1  # without movie id
uvs = 3  # user genre vector start
ivs = 3  # item genre vector start
u_s = 3  # start of the columns used in training, user
i_s = 1  # start of the columns used in training, items
assert (num_user_features, num_item_features) == (14, 16)

shown = [
    pprint_train(user_train, user_features, uvs, u_s, maxcount=5),
    pprint_train(item_train, item_features, ivs, i_s, maxcount=5, user=False),
]
assert item_train.shape[0] == user_train.shape[0] == y_train.shape[0]

keep = np.random.default_rng(0).permutation(len(y_train))[:4000]  # the old lab took all of them
item_train, user_train, y_train = item_train[keep], user_train[keep], y_train[keep]
item_train_unscaled, user_train_unscaled = item_train, user_train
scalerItem = StandardScaler().fit(item_train)
item_train = scalerItem.transform(item_train)
scalerUser = StandardScaler().fit(user_train)
user_train = scalerUser.transform(user_train)
scalerTarget = MinMaxScaler((-1, 1)).fit(y_train.reshape(-1, 1))
y_train = scalerTarget.transform(y_train.reshape(-1, 1))
item_train, item_test = train_test_split(item_train, train_size=0.8, shuffle=True, random_state=1)
user_train, user_test = train_test_split(user_train, train_size=0.8, shuffle=True, random_state=1)
y_train, y_test = train_test_split(y_train, train_size=0.8, shuffle=True, random_state=1)

keras.utils.set_random_seed(1)
tower = lambda: keras.Sequential([keras.layers.Dense(16, activation="relu"), keras.layers.Dense(8)])
input_user = keras.Input(shape=(num_user_features,))
input_item = keras.Input(shape=(num_item_features,))
vu = keras.layers.UnitNormalization(axis=1)(tower()(input_user))
vm = keras.layers.UnitNormalization(axis=1)(tower()(input_item))
output = keras.layers.Dot(axes=1)([vu, vm])
model = keras.Model([input_user, input_item], output)
model.compile(optimizer=keras.optimizers.Adam(0.01), loss=keras.losses.MeanSquaredError())
model.fit([user_train[:, u_s:], item_train[:, i_s:]], y_train, epochs=2, verbose=0)
loss = model.evaluate([user_test[:, u_s:], item_test[:, i_s:]], y_test, verbose=0)
assert loss < np.mean((y_test - y_train.mean()) ** 2), "two epochs should beat the mean"

# a new user
user_vec = np.array([[5000, 3, 4.0, 5, 5, 0, 0, 0, 3, 0, 0, 5, 0, 4, 0, 5, 4]])
user_vecs = gen_user_vecs(user_vec, len(item_vecs))
suser_vecs, sitem_vecs = scalerUser.transform(user_vecs), scalerItem.transform(item_vecs)
y_p = model.predict([suser_vecs[:, u_s:], sitem_vecs[:, i_s:]], verbose=0)
y_pu = scalerTarget.inverse_transform(y_p)
sorted_index = np.argsort(-y_pu, axis=0).reshape(-1).tolist()
sorted_ypu, sorted_items = y_pu[sorted_index], item_vecs[sorted_index]
shown.append(print_pred_movies(sorted_ypu, sorted_items, movie_dict, maxcount=10))

# an existing user
uid = 2
user_vecs, y_vecs = get_user_vecs(uid, user_train_unscaled, item_vecs, user_to_genre)
suser_vecs = scalerUser.transform(user_vecs)
y_p = model.predict([suser_vecs[:, u_s:], sitem_vecs[:, i_s:]], verbose=0)
y_pu = scalerTarget.inverse_transform(y_p)
assert y_pu.shape == (len(item_vecs), 1) and not np.any(y_pu < 0)
sorted_index = np.argsort(-y_pu, axis=0).reshape(-1).tolist()
sorted_ypu, sorted_items = y_pu[sorted_index], item_vecs[sorted_index]
sorted_user, sorted_y = user_vecs[sorted_index], y_vecs[sorted_index]
shown.append(
    print_existing_user(
        sorted_ypu, sorted_y.reshape(-1, 1), sorted_user, sorted_items, ivs, uvs, movie_dict, maxcount=50
    )
)

# similar movies
tower_of_items = keras.Model(input_item, vm)
vms = tower_of_items.predict(sitem_vecs[:500, i_s:], verbose=0)
distances = ((vms[:, None] - vms[None, :]) ** 2).sum(axis=-1) + 9 * np.eye(len(vms))
nearest = distances.argmin(axis=1)
title = movie_dict[int(item_vecs[nearest[0], 0])]["title"]

rows = [str(table).count("<tr>") - 1 for table in shown]
print(rows, bool(title))
"""


def test_old_notebook_runs_to_its_end():
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}
    environment.pop("TF_USE_LEGACY_KERAS", None)
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(NOTEBOOK)], capture_output=True, text=True, env=environment, timeout=300
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == "[5, 5, 10, 50] True"
