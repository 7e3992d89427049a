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
# # Generate synthetic data with a known noise floor
#
# [![Open in Colab](images/open-in-colab.svg)](https://colab.research.google.com/github/two-towers-course/two-towers/blob/main/notebooks/01_generate_synthetic_data.ipynb) [![Launch Binder](images/launch-binder.svg)](https://mybinder.org/v2/gh/two-towers-course/two-towers/main?urlpath=lab/tree/notebooks/01_generate_synthetic_data.ipynb)
#
# **What you'll do**: see what a two-tower recommender is, then make two worlds of ratings, one of noise and one with a
# planted signal, and measure the error that no model can avoid.
#
# **What you'll learn**
#
# - what the two towers are and what the course builds from them;
# - what the noise floor is, and why the mean is the first row of every table;
# - how to plant a signal of known size, and whether more data help to find it.
#
# **What you'll need**: no earlier lesson; one minute; 0.6 GB of memory.

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
# `set_up` sets the figures' style and the seeds.

# %%
from recsys_utils.setup import set_up

set_up()

from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from recsys_utils import comparison, diagram, display, metrics, splits
from recsys_utils.columns import ITEM_ID, RATING, TIMESTAMP, TITLE, USER_ID
from recsys_utils.datasets import synthetic
from recsys_utils.datasets.synthetic import CATEGORIES, EXPECTED, REGIONS, generate_noise, generate_planted

# %% [markdown]
# These are the lesson's settings. Change them and run it again.

# %% tags=["parameters"]
SEED = 1
N_USERS = 1_000
N_ITEMS = 500
N_NOISE_RATINGS = 10_000
N_PLANTED_RATINGS = 60_000
NOISE_STD = 0.5  # stars
SHOPPER = 34  # the user we recommend for

# %%
sizes = (N_USERS, N_ITEMS, N_NOISE_RATINGS, N_PLANTED_RATINGS)
default = (SEED, *sizes, NOISE_STD, SHOPPER) == (1, 1_000, 500, 10_000, 60_000, 0.5, 34)
rng = np.random.default_rng(SEED)
if not default:
    print("Other settings than the page's: claims that hold for the page's settings are not checked.")

# %% [markdown]
# ## Where the course goes: two towers
#
# A **recommender** chooses a few items out of many for a user: movies, products, posts. It learns from past
# **interactions**, such as ratings, and from **features**, such as a user's age or an item's price. A
# [two-tower model](../docs/glossary.md#two-tower-model) is a recommender of two networks, the **towers**. One turns
# a user into a vector, the other an item. They meet only at the top, in a
# [dot product](../docs/glossary.md#dot-product): the higher it is, the better the item suits the user.

# %%
diagram.draw_two_towers(
    diagram.Tower("user tower", {"user id": N_USERS, "features, such as age": 5}, ["layers", "user vector"]),
    diagram.Tower("item tower", {"item id": N_ITEMS, "features, such as price": 5}, ["layers", "item vector"]),
    meet="dot product = score",
    loss="how wrong the scores are",
)

# %% [markdown]
# One matrix product scores every pair. Training finds vectors whose scores agree with the interactions.

# %% tags=["nbval-check-output"]
user_vectors = np.array([[1.0, 0.2], [0.1, 0.9]])  # (users, 2)
item_vectors = np.array([[0.9, 0.1], [0.2, 1.0], [0.6, 0.6]])  # (items, 2)
scores = user_vectors @ item_vectors.T  # (users, items)
print(scores.round(2))
assert (scores.argmax(axis=1) == [0, 1]).all(), "the first user should get the first item, the second the second"

# %% [markdown]
# The item tower never sees the user, so all item vectors can be computed beforehand. A request then costs one run of
# the user tower and a search among item vectors, which an [index](../docs/glossary.md#index) makes fast.
#
# The [course map](../docs/course_map.md) shows which lesson builds on which.
#
# | part | lessons | what you build |
# |---|---|---|
# | I · Foundations | 01–05 | data with a known floor, classic baselines, two towers by hand |
# | II · Predict | 06–10 | towers that predict stars, products, watch time and likes |
# | III · Retrieve | 11–16 | towers that find ten movies among thousands |
# | IV · Ship | 17–18 | an index behind an endpoint; training on several machines |
#
# ## A world with nothing to learn
#
# Before any model we need data on which we know how good it can get. First, stars drawn without regard to user or item.
# The column `expected` is the rating without noise, here always 3.

# %% tags=["nbval-check-output"]
noise = generate_noise(N_USERS, N_ITEMS, N_NOISE_RATINGS, seed=SEED)
print(f"{len(noise.ratings):,} ratings, {N_USERS:,} users, {N_ITEMS:,} items")
print(noise.users.head(3), noise.items.head(3), noise.ratings.head(3), sep="\n\n")

# %% [markdown]
# Five equally likely stars have the variance 2, so predicting 3 every time is off by √2 stars.

# %%
assert np.isclose(np.var([1, 2, 3, 4, 5]), 2), "a uniform draw from 1 to 5 has the variance 2"
assert np.isclose(noise.noise_std, np.sqrt(2)), "the world should state its own floor"

# %% [markdown]
# ## The idea: what is left when everything is known
#
# Write a rating as $r = \mu + \varepsilon$: a part $\mu$ that can be known, and noise $\varepsilon$ with the standard
# deviation $\sigma$. The mean squared error of a prediction $\hat r$ that has not seen this noise is, in expectation,
#
# $$\mathbb{E}\,\mathrm{MSE} = \sigma^2 + \overline{(\mu - \hat r)^2}$$
#
# The second term is signal that the model missed. A better model lowers it, and nothing lowers the first. We report
# the root, [RMSE](../docs/glossary.md#rmse-and-mae), in stars. Its smallest value, $\sigma$, is the
# **[noise floor](../docs/glossary.md#noise-floor)**.
#
# Take two users and two items. Each user prefers another item, and rates both many times:

# %%
expected = np.array([[4.0, 2.0], [1.0, 3.0]])  # (users, items): the ratings without noise
rated = expected + rng.normal(0, NOISE_STD, size=(20_000, 2, 2))  # (times, users, items)
user_means = expected.mean(axis=1, keepdims=True)  # (users, 1)
for name, guess in {"mean": expected.mean(), "user means": user_means, "oracle": expected}.items():
    measured = np.sqrt(np.mean((rated - guess) ** 2))
    formula = np.sqrt(NOISE_STD**2 + np.mean((expected - guess) ** 2))
    print(f"{name:10}  measured {measured:.2f}  formula {formula:.2f}")
    assert np.isclose(measured, formula, rtol=0.02), "noise and missed signal should add up"

# %% [markdown]
# The **oracle** knows $\mu$, and is still off by the noise. The means miss which user likes which item. Finding that is
# what two-tower models are for.
#
# ## Plant a signal
#
# The second world has the same users and items, and ratings that follow a formula, which `help(generate_planted)`
# prints.
#
# | part | what is planted | revealed by |
# |---|---|---|
# | user and item effects | generous users, good items, brands, discounts | ids and features |
# | fit, region × category | neighbouring regions like neighbouring categories | features |
# | fit, age × price | young users like cheap items, old users expensive ones; not linear | features |
# | fit, device × discount | phone users like discounts | features |
# | fit, latent factor | a taste that no feature shows | ids only |
# | drift | some categories rise over two years, others fall | time |
# | noise | Gaussian, σ = `NOISE_STD` | nothing |

# %% tags=["nbval-check-output"]
planted = generate_planted(N_USERS, N_ITEMS, N_PLANTED_RATINGS, NOISE_STD, SEED)
print(f"{len(planted.ratings):,} ratings, {N_USERS:,} users, {N_ITEMS:,} items")
print(planted.ratings.head(3))
assert planted.users.equals(noise.users) and planted.items.equals(noise.items), "users and items should be the same"

# %% [markdown]
# Later lessons load both worlds from files, which hold what the generators draw by default.

# %% tags=["nbval-check-output"]
for world, generate in {"noise": generate_noise, "planted": generate_planted}.items():
    in_file = synthetic.load_synthetic(world).ratings
    assert in_file.equals(generate().ratings), "a seed should give the same world again"
    print(f"{world}: {len(in_file):,} ratings, the same in the file")

# %% [markdown]
# Stars end at 0.5 and 5. Few ratings may be cut off there, or the noise would be smaller than we chose.

# %%
at_a_bound = planted.ratings[RATING].isin([0.5, 5.0]).mean()
drawn = (planted.ratings[RATING] - planted.ratings[EXPECTED]).std()
print(f"{at_a_bound:.1%} of the ratings lie at a bound; noise {NOISE_STD} stars chosen, {drawn:.3f} drawn")
assert not default or at_a_bound < 0.01, "at the default settings, at most 1 % of the ratings are moved"
assert not default or np.isclose(drawn, NOISE_STD, rtol=0.02), "at the default settings, the noise is as chosen"

# %% [markdown]
# ## Look at the data
#
# **Popularity.** On logarithmic axes, popularity that falls as 1 / rank (Zipf's law) is a line of slope −1. The planted
# world follows it in its tail. Its head bends, because no user rates an item twice.

# %%
worlds, slope = {"noise": noise, "planted": planted}, {}
rank = np.arange(1, N_ITEMS + 1)
tail = rank >= N_ITEMS // 10
figure, axis = plt.subplots()
for name, world in worlds.items():
    count = world.ratings[ITEM_ID].value_counts().reindex(world.items[ITEM_ID], fill_value=0)
    count = np.sort(count.to_numpy())[::-1].clip(1)  # (n_items,) descending
    slope[name] = np.polyfit(np.log(rank[tail]), np.log(count[tail]), 1)[0]
    (line,) = axis.loglog(rank, count)
    axis.text(1, 0.7 * count[0], f"{name}: tail of slope {slope[name]:.2f}", color=line.get_color(), va="top")
axis.set_xticks([1, 10, 100], ["1", "10", "100"])
axis.set_yticks([10, 100, 1_000], ["10", "100", "1,000"])
axis.set(title="Popularity has a long tail", xlabel="popularity rank", ylabel="ratings of the item")
plt.show()

# %%
busiest = planted.ratings[ITEM_ID].value_counts().iloc[: N_ITEMS // 10].sum() / len(planted.ratings)
print(f"the most popular tenth of the items holds {busiest:.0%} of the planted ratings")
assert not default or -1.1 < slope["planted"] < -0.8, "at the default settings, the tail follows Zipf's law"
assert not default or slope["noise"] > slope["planted"] + 0.4, "at the default settings, noise has no long tail"

# %% [markdown]
# **What is known.** A dot is a pair that was rated. Random pairs are spread evenly. Planted ones crowd to the left, at
# the popular items, so they are no fair sample of all pairs.

# %%
figure, axes = plt.subplots(1, 2, figsize=(7.2, 4.2), sharey=True)
for axis, (name, world) in zip(axes, worlds.items(), strict=True):
    by_count = {column: world.ratings[column].value_counts().index for column in (USER_ID, ITEM_ID)}
    row = by_count[USER_ID].get_indexer(world.ratings[USER_ID])  # (n_ratings,) 0 is the most active
    column = by_count[ITEM_ID].get_indexer(world.ratings[ITEM_ID])  # (n_ratings,) 0 is the most popular
    axis.plot(column, row, ",", color="C0")
    known = len(world.ratings) / (N_USERS * N_ITEMS)
    axis.set(title=f"{name}: {known:.0%} of the pairs are rated", xlabel="item, by popularity")
    axis.grid(False)
axes[0].set(ylabel="user, by activity", ylim=(N_USERS, 0))
plt.show()

# %% [markdown]
# **Drift.** Join the features to the ratings and follow the category that rises most and the one that falls most.
# Points are quarterly means, bars two standard errors. A random split lets a model learn from the last quarter to predict
# the first, so later lessons also split by time.

# %%
joined = planted.ratings.merge(planted.users, on=USER_ID, validate="many_to_one")
joined = joined.merge(planted.items, on=ITEM_ID, validate="many_to_one")
joined["quarter"] = 1 + (joined[TIMESTAMP] - synthetic.START) * 8 // synthetic.DURATION  # 1 to 8
figure, axis = plt.subplots()
for category, colour, shift in ((0, "C0", -0.06), (len(CATEGORIES) - 1, "C1", 0.06)):
    quarters = joined[joined["category"] == category].groupby("quarter")[RATING]
    change = quarters.mean() - quarters.mean().mean()
    axis.errorbar(change.index + shift, change, yerr=2 * quarters.sem(), capsize=3, color=colour)
    axis.text(8.2, change.iloc[-1], CATEGORIES[category], color=colour, va="center")
    falls = change.iloc[-1] < change.iloc[0]
    assert not default or falls == (category == 0), "at the default settings, the planted drift shows"
axis.set(title="Taste moves", xlabel="quarter since the start", ylabel="mean rating, change (stars)")
plt.show()

# %% [markdown]
# **Who likes what.** Average the ratings over pairs of features. Left: the bright band moves on from region to region.
# Right: the bright diagonal is age meeting price.

# %%
ages, prices = [18, 26, 34, 42, 50, 58, 65], [0, 50, 100, 150, 201]  # the lower end of each band
joined["age band"] = pd.cut(joined["age"], ages, labels=ages[:-1], right=False)
joined["price band"] = pd.cut(joined["price"], prices, labels=prices[:-1], right=False)
tastes = joined.pivot_table(RATING, "region", "category")  # (regions, categories)
tastes.index, tastes.columns = REGIONS[: len(tastes)], CATEGORIES[: tastes.shape[1]]
budgets = joined.pivot_table(RATING, "age band", "price band", observed=True)  # (ages, prices)

# %%
figure, axes = plt.subplots(1, 2, width_ratios=[2, 1], figsize=(7.2, 3.2))
for axis, table in zip(axes, (tastes, budgets), strict=True):
    image = axis.imshow(table, aspect="auto", vmin=2.2, vmax=3.8)  # one scale, so that effects can be compared
    axis.set_xticks(range(table.shape[1]), table.columns, rotation=60 if table is tastes else 0)
    axis.set_yticks(range(table.shape[0]), table.index)
    axis.grid(False)
axes[0].set(title="Region and category", xlabel="category", ylabel="region")
axes[1].set(title="Age and price", xlabel="price, from", ylabel="age, from (years)")
figure.colorbar(image, ax=axes, label="mean rating (stars)")
plt.show()

# %% [markdown]
# ## The models: the mean, the means, the oracle
#
# The mean predicts one number for everything. The means add how far the user's ratings lie from it on average, and then
# how far the item's lie from that. The oracle reads `expected`.


# %%
def predict_by_means(train: pd.DataFrame, test: pd.DataFrame, columns: list[str]) -> np.ndarray:
    """Predict the mean plus an average effect for each column, one after the other."""
    prediction = np.full(len(test), train[RATING].mean())  # (n_test,)
    residual = train[RATING] - train[RATING].mean()  # (n_train,)
    for column in columns:
        effect = residual.groupby(train[column]).mean()
        residual = residual - train[column].map(effect)
        prediction += test[column].map(effect).fillna(0).to_numpy()  # 0 for an id that training never saw
    return prediction


# %% [markdown]
# A fifth of each world is the test, drawn at random.

# %% tags=["nbval-check-output"]
split_of = {name: splits.split_random(world.ratings) for name, world in worlds.items()}
for name, split in split_of.items():
    print(f"{name}: {len(split.train):,} to train on, {len(split.test):,} to test")

# %% [markdown]
# ## Would more data help?
#
# Train on a part of the ratings, on all, and on more than we have. One seed is one world, so the generators can draw
# more pairs by the same users, up to every pair there is. The test's pairs stay out of training.

# %%
generators = {"noise": generate_noise, "planted": partial(generate_planted, noise_std=NOISE_STD)}


def training_sets(name):
    """Yield training sets of a world that grow, up to every pair outside the test."""
    train, test = split_of[name]
    shuffled, pairs = train.sample(frac=1, random_state=SEED), [USER_ID, ITEM_ID]
    yield from (shuffled[: len(train) // part] for part in (32, 16, 8, 4, 2, 1))
    in_test = pd.MultiIndex.from_frame(test[pairs])
    for n in np.geomspace(len(train) + len(test), N_USERS * N_ITEMS, 4).astype(int)[1:]:
        larger = generators[name](N_USERS, N_ITEMS, n, seed=SEED).ratings
        yield larger[~pd.MultiIndex.from_frame(larger[pairs]).isin(in_test)]


# %%
both = [USER_ID, ITEM_ID]
figure, axes = plt.subplots(1, 2)
for axis, (name, (train, test)) in zip(axes, split_of.items(), strict=True):
    sets = list(training_sets(name))
    errors = [metrics.rmse(test[RATING], predict_by_means(rows, test, both)) for rows in sets]
    axis.semilogx([len(rows) for rows in sets], errors, "C0o-", label="user and item means")
    axis.axhline(metrics.rmse(test[RATING], np.full(len(test), train[RATING].mean())), color="C1", label="mean")
    axis.axhline(metrics.rmse(test[RATING], test[EXPECTED]), color="C2", linestyle="--", label="oracle: the floor")
    axis.axvline(len(train), color="C6", linewidth=1, linestyle=":")
    axis.set_xticks([1_000, 10_000, 100_000], ["1,000", "10,000", "100,000"])
    axis.set(title=name, xlabel="training ratings (dotted: what we have)", ylabel="test RMSE (stars)")
axes[0].legend()
plt.show()

# %% [markdown]
# On noise, the mean is at the floor. User and item means fit luck, and more data only bring them back to the mean. On
# planted data they pass the mean early, then level off far above the floor.
#
# ## Evaluate: one table a world
#
# Another sample of users would give another difference between two models. The
# **[bootstrap](../docs/glossary.md#paired-bootstrap)** draws the users again and again, with replacement, and gives the
# range in which the difference lies. A model is called better or worse only if this range excludes zero.


# %%
def table_of(name: str, against: str, more: dict) -> pd.DataFrame:
    """Compare the means and the oracle with one of them, on the test of a world."""
    train, test = split_of[name]
    ladder = {"mean": [], "item means": [ITEM_ID], "user means": [USER_ID], "user and item means": both}
    predicted = {model: predict_by_means(train, test, columns) for model, columns in ladder.items()}
    predicted |= more | {"oracle: the floor": test[EXPECTED].to_numpy()}
    table = comparison.compare_rmse(predicted, test, RATING, against)
    table = table.drop(columns="seed_spread").rename(columns={"mean": "RMSE"})
    return table.set_index("model", drop=False)


# %% [markdown]
# On noise, the mean cannot be told from the oracle. Whatever learns is worse, and the more effects, the worse.

# %%
on_noise = table_of("noise", "mean", {})
error, verdict = on_noise["RMSE"], on_noise["verdict"]
assert (verdict[["item means", "user means", "user and item means"]] == "worse").all() or not default
assert not default or error["user and item means"] > error["user means"] > error["item means"], (
    "more effects, more luck"
)
assert not default or verdict["oracle: the floor"] == "cannot tell", "on noise, the mean is the floor"
assert np.isclose(error["oracle: the floor"], np.sqrt(2), rtol=0.03), "the floor should be about √2"
display.results_table(on_noise)

# %% [markdown]
# On planted data, every part helps. One row has every other pair to train on:

# %%
train, test = split_of["planted"]
every_pair = sets[-1]  # (n_users × n_items - n_test) rows
ten_times = f"user and item means, {len(every_pair) / len(train):.0f} × the ratings"
on_planted = table_of("planted", "user and item means", {ten_times: predict_by_means(every_pair, test, both)})
display.results_table(on_planted)

# %% [markdown]
# The mean's squared error less the floor's is the signal. What share of it do the means find?

# %%
squares = on_planted["RMSE"] ** 2  # stars²
signal = squares["mean"] - squares["oracle: the floor"]
found = (squares["mean"] - squares) / signal  # 0 for the mean, 1 for the oracle
print(f"found with our ratings {found['user and item means']:.0%}, with every other pair {found[ten_times]:.0%}")
assert not default or (on_planted["verdict"][[ten_times, "oracle: the floor"]] == "better").all()
assert not default or found["user and item means"] < found[ten_times] < 0.35, "more data find little more"
assert not default or np.isclose(on_planted["RMSE"].iloc[-1], NOISE_STD, rtol=0.03), "the floor is the chosen noise"

# %% [markdown]
# More data help, and hardly matter: sums of a user effect and an item effect cannot express who likes what.
#
# The floor also finds faults. A model clearly below it has a [leak](../docs/glossary.md#leakage): it has seen the
# answers. A model that stays at the mean has a bug.
#
# ## Recommend: what the oracle would show one user
#
# The oracle can rank every item for a user. Each pair carries a random time, and so a random drift, which we first move
# to that of the last day. A pair drawn at two times must then get the same value.

# %%
category_trend = np.linspace(-0.2, 0.2, len(CATEGORIES))  # (10,) stars in two years, as planted


def on_last_day(ratings):
    category = ratings[ITEM_ID].map(planted.items.set_index(ITEM_ID)["category"])
    left = 1 - (ratings[TIMESTAMP] - synthetic.START) / synthetic.DURATION  # 1 on the first day, 0 on the last
    return ratings.assign(now=ratings[EXPECTED] + category_trend[category] * left)


everything = on_last_day(generate_planted(N_USERS, N_ITEMS, N_USERS * N_ITEMS, NOISE_STD, SEED).ratings)
twice = on_last_day(train).merge(everything, on=both, validate="one_to_one")
assert np.allclose(twice["now_x"], twice["now_y"], atol=0.011), "only time and noise should differ"

# %% [markdown]
# Read the table against the planted rules: prices for the user's age, categories of the region, discounts for a phone.

# %%
seen = train.loc[train[USER_ID] == SHOPPER, ITEM_ID]
unseen = everything[(everything[USER_ID] == SHOPPER) & ~everything[ITEM_ID].isin(seen)]
unseen = unseen.merge(planted.items, on=ITEM_ID, validate="one_to_one")
unseen["popularity"] = unseen[ITEM_ID].map(train[ITEM_ID].value_counts()).fillna(0)
user = planted.users.set_index(USER_ID).loc[SHOPPER]
print(f"user {SHOPPER}: {user['age']} years, {REGIONS[user['region']]}, {synthetic.DEVICES[user['device']]}")
best = unseen.nlargest(10, "now")
display.results_table(best[[TITLE, "price", "discount", "popularity", "now"]], digits=2)

# %% [markdown]
# The ten most popular items are worth far less to this user than the oracle's ten.

# %%
popular = unseen.nlargest(10, "popularity")
print(f"expected stars: popular {popular['now'].mean():.2f}, oracle {best['now'].mean():.2f}")
assert not default or best["now"].mean() - popular["now"].mean() > 0.5, "at least half a star for this user"

# %% [markdown]
# ## What goes wrong, and why
#
# A [seed](../docs/glossary.md#seed) fixes all random draws. Data made twice with two seeds, or with none, are two worlds.
# Here a model trained on one is tested on the other:

# %%
first, second = (
    splits.split_random(generate_planted(N_USERS, N_ITEMS, N_PLANTED_RATINGS, NOISE_STD, seed).ratings)
    for seed in (SEED + 1, SEED + 2)
)
of_worlds = {
    "mean of the first world": predict_by_means(first.train, second.test, []),
    "user and item means of the first world": predict_by_means(first.train, second.test, both),
    "user and item means of the second world": predict_by_means(second.train, second.test, both),
}
swapped = comparison.compare_rmse(of_worlds, second.test, RATING, "mean of the first world")
assert not default or swapped["verdict"].tolist() == ["compared with", "worse", "better"]
display.results_table(swapped.drop(columns="seed_spread").rename(columns={"mean": "RMSE"}))

# %% [markdown]
# Nothing fails, and a model that is better than the mean looks worse. The repair is a seed, and one assert wherever data
# are made or loaded again.

# %% tags=["nbval-check-output"]
again = generate_planted(N_USERS, N_ITEMS, N_PLANTED_RATINGS, NOISE_STD, SEED)
assert again.ratings.equals(planted.ratings), "the data changed since the models were trained"
assert not first.train.equals(second.train), "two seeds should give two worlds"
print("made again with its seed, the planted world is the one the models were trained on")

# %% [markdown]
# ## In practice
#
# - **A planted world tests the code, not the product.** A model that finds the signal may still fail on real users.
# - **Real data have a floor too, and nobody knows where.** Asked again, users rate the same movie differently
#   (Amatriain et al., 2009).
# - **Users choose what they rate.** Here that does not depend on how much they like it. In a real shop it does (Marlin
#   and Zemel, 2009).
#
# ## Check yourself
#
# 1. A two-tower model and a network that reads user and item together have the same error. Why might a shop with
#    millions of items still choose the two towers?
#
# <details><summary>Answer</summary>
#
# Its item vectors are computed once. The other network would run once for every item at every request.
#
# </details>
#
# 2. A model reaches an RMSE of 0.45 on the planted world. What do you do?
#
# <details><summary>Answer</summary>
#
# Look for a leak: the floor is 0.5 stars. The model has seen the test's ratings in some form, perhaps in an average.
#
# </details>
#
# 3. On noise, why do user means get better with more ratings, although there is nothing to learn?
#
# <details><summary>Answer</summary>
#
# An average of $n$ unrelated ratings misses the mean of all, the best prediction, by about $\sigma / \sqrt n$.
#
# </details>
#
# ## Exercises
#
# 1. **Unrelated neighbours.** Without training: predict a draw from 1 to 5 by the average of $k$ other draws. Derive the
#    RMSE from the equation above and check it for $k$ = 1, 2, 5 and 40. (Aim at √3 for $k$ = 2.)
# 2. **More noise.** Set `NOISE_STD` to 1.0 and run the lesson. How many ratings lie at a bound, and why is the oracle's
#    error below 1.0? (Aim at 3 to 8 % of the ratings.)
# 3. **A pair of features.** Add an effect for each pair of region and category to the means. How much more of the signal
#    do you find? (Aim at half of it in all.) Why can an effect for each pair of user and item not work?
#
# [Solutions](solutions/01_generate_synthetic_data.ipynb)
#
# ## Takeaways
#
# - The error of the best predictor is the noise: √2 stars in the noise world, the chosen σ in the planted one.
# - Where there is nothing to learn, the mean is the floor.
# - User and item means find less than a third of the planted signal, even from every pair. Most of the rest is who likes
#   what.
# - A seed and one assert keep the data of training and test the same.
#
# **Next**: [Lesson 02](02_predict_ratings_with_classic_baselines.ipynb) runs the classic baselines, on real ratings too.
#
# **References**
#
# - Amatriain, Pujol and Oliver (2009). *I like it… I like it not: evaluating user ratings noise in recommender
#   systems.* UMAP.
# - Marlin and Zemel (2009). *Collaborative prediction and ranking with non-random missing data.* RecSys.
