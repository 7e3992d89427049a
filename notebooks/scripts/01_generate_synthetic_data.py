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
# **What you'll do**: see what a two-tower recommender is, make a world of noise and one with a planted signal, and
# measure the error that no model can avoid.
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
# A **recommender** chooses a few items out of many for a user. It learns from past **interactions**, such as ratings,
# and from **features**, such as a user's age or an item's price.
#
# A [two-tower model](../docs/glossary.md#two-tower-model) is a recommender of two neural networks, the **towers**. One
# turns what is known of a user into a **vector**, a short list of numbers; the other does so for an item.
#
# - **What goes in.** An id picks its row of a table of numbers, an [embedding](../docs/glossary.md#embedding), which
#   can learn a taste that no feature shows. Features describe new users and items, too.
# - **Where they meet.** Only at the top, in a [dot product](../docs/glossary.md#dot-product): multiply the vectors
#   number by number and add up. The higher this **score**, the better the item suits the user.
# - **How they learn.** A **loss** measures how far the scores are from the interactions. Training lowers it.

# %%
diagram.draw_two_towers(
    diagram.Tower("user tower", {"user id": N_USERS, "features, such as age": 5}, ["layers", "user vector"]),
    diagram.Tower("item tower", {"item id": N_ITEMS, "features, such as price": 5}, ["layers", "item vector"]),
    meet="dot product = score",
    loss="how far from the interactions",
)

# %% [markdown]
# Take two users, three items and vectors of two numbers. One matrix product scores every pair. The first user gets the
# first item, since both are large in the first number.

# %% tags=["nbval-check-output"]
user_vectors = np.array([[1.0, 0.2], [0.1, 0.9]])  # (users, 2)
item_vectors = np.array([[0.9, 0.1], [0.2, 1.0], [0.6, 0.6]])  # (items, 2)
scores = user_vectors @ item_vectors.T  # (users, items)
print(scores.round(2))
assert (scores.argmax(axis=1) == [0, 1]).all(), "the first user should get the first item, the second the second"

# %% [markdown]
# Why not one network that reads user and item together? It would run once for each item, at every request. But the
# item tower never sees the user, so all item vectors can be computed beforehand. A request then costs one run of the
# user tower and a search for the highest dot products, which an [index](../docs/glossary.md#index) makes fast among
# millions.
#
# The price: all that user and item have to do with one another must fit into one dot product. So large systems often
# let two towers **retrieve** candidates, as YouTube does (Yi et al., 2019), and a slower model **rank** these.
#
# The [course map](../docs/course_map.md) shows which lesson needs which:
#
# - **Part I, 01–05**: data with a known floor, classic baselines, two towers by hand.
# - **Part II, 06–10**: towers that predict stars, products, watch time and likes.
# - **Part III, 11–16**: towers that find ten movies among thousands.
# - **Part IV, 17–18**: an index behind an endpoint; training on several machines.
#
# Lessons 13, 17 and 18 are not written yet.
#
# ## A world with nothing to learn
#
# First we need data on which we know how good a model can get. Here stars are drawn without regard to user or item.
# `expected` is the rating without noise, here always 3.

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
# The **oracle** knows $\mu$, and is still off by the noise. The means miss which user likes which item. Two-tower
# models are there to find that.
#
# ## Plant a signal
#
# The second world has the same users and items. Its ratings follow a formula, which `help(generate_planted)` prints.
#
# - **User and item effects**: generous users, good items, brands, discounts.
# - **Region × category**: neighbouring regions like neighbouring categories.
# - **Age × price**: young users like cheap items, old users expensive ones.
# - **Device × discount**: phone users like discounts.
# - **Latent factor**: a taste that no feature shows.
# - **Drift**: some categories rise over two years, others fall.
# - **Noise**: Gaussian, σ = `NOISE_STD`.

# %% tags=["nbval-check-output"]
planted = generate_planted(N_USERS, N_ITEMS, N_PLANTED_RATINGS, NOISE_STD, SEED)
print(f"{len(planted.ratings):,} ratings, {N_USERS:,} users, {N_ITEMS:,} items")
print(planted.ratings.head(3))
assert planted.users.equals(noise.users) and planted.items.equals(noise.items), "users and items should be the same"

# %% [markdown]
# Later lessons load both worlds from files.

# %% tags=["nbval-check-output"]
for world, generate in {"noise": generate_noise, "planted": generate_planted}.items():
    in_file = synthetic.load_synthetic(world).ratings
    assert in_file.equals(generate().ratings), "a seed should give the same world again"
    print(f"{world}: {len(in_file):,} ratings, the same in the file")

# %% [markdown]
# Stars end at 0.5 and 5. If many ratings were cut off there, the noise would be smaller than we chose.

# %%
at_a_bound = planted.ratings[RATING].isin([0.5, 5.0]).mean()
drawn = (planted.ratings[RATING] - planted.ratings[EXPECTED]).std()
print(f"{at_a_bound:.1%} of the ratings lie at a bound; noise {NOISE_STD} stars chosen, {drawn:.3f} drawn")
assert not default or at_a_bound < 0.01, "at the default settings, at most 1 % of the ratings are moved"
assert not default or np.isclose(drawn, NOISE_STD, rtol=0.02), "at the default settings, the noise is as chosen"

# %% [markdown]
# ## Look at the data
#
# **Popularity.** Planted items have a long tail: their chance to be rated falls as 1 / popularity rank (Zipf's law).

# %%
worlds, top_tenth = {"noise": noise, "planted": planted}, {}
for name, world in worlds.items():
    count = world.ratings[ITEM_ID].value_counts()  # (rated items,) descending
    top_tenth[name] = count.iloc[: N_ITEMS // 10].sum() / len(world.ratings)
    known = len(world.ratings) / (N_USERS * N_ITEMS)
    print(
        f"{name}: {known:.0%} of the pairs are rated, {top_tenth[name]:.0%} of these are in the top tenth of the items"
    )
assert not default or top_tenth["planted"] > 2 * top_tenth["noise"], "at the default settings, only planted has a tail"

# %% [markdown]
# **Who likes what.** Average the ratings over pairs of features. Left: the bright band moves on from region to region.
# Right: the bright diagonal is age meeting price.

# %%
joined = planted.ratings.merge(planted.users, on=USER_ID, validate="many_to_one")
joined = joined.merge(planted.items, on=ITEM_ID, validate="many_to_one")
joined["decade"] = joined["age"] // 10 * 10  # 10 (18 and 19 years), 20, 30, …
joined["price band"] = (joined["price"] // 50 * 50).astype(int)  # 0, 50, 100, 150
tastes = joined.pivot_table(RATING, "region", "category")  # (regions, categories)
tastes.index, tastes.columns = REGIONS[: len(tastes)], CATEGORIES[: tastes.shape[1]]
budgets = joined.pivot_table(RATING, "decade", "price band")  # (decades, price bands)

# %%
figure, axes = plt.subplots(1, 2, width_ratios=[2, 1], figsize=(7.2, 3.2))
for axis, table in zip(axes, (tastes, budgets), strict=True):
    image = axis.imshow(table, aspect="auto", vmin=2.2, vmax=3.8)  # one scale, so that effects can be compared
    axis.set_xticks(range(table.shape[1]), table.columns, rotation=60 if table is tastes else 0)
    axis.set_yticks(range(table.shape[0]), table.index)
    axis.grid(False)
axes[0].set(title="Region and category", xlabel="category", ylabel="region")
axes[1].set(title="Age and price", xlabel="price, from", ylabel="age, by decade (years)")
figure.colorbar(image, ax=axes, label="mean rating (stars)")
plt.show()

# %% [markdown]
# ## The models: the mean, the means, the oracle
#
# The mean predicts one number. The means add how far a user's ratings lie from it on average, then how far an item's
# lie from that. The oracle reads `expected`.


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
# more of its pairs, all but the test's.


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
sets = {name: list(training_sets(name)) for name in worlds}
errors, means, floors = {}, {}, {}  # test RMSE, stars
for name, (train, test) in split_of.items():
    errors[name] = [metrics.rmse(test[RATING], predict_by_means(rows, test, both)) for rows in sets[name]]
    means[name] = metrics.rmse(test[RATING], predict_by_means(train, test, []))
    floors[name] = metrics.rmse(test[RATING], test[EXPECTED])

# %%
figure, axes = plt.subplots(1, 2)
for axis, name in zip(axes, worlds, strict=True):
    axis.semilogx([len(rows) for rows in sets[name]], errors[name], "C0o-")
    axis.plot(len(sets[name][5]), errors[name][5], "C6o", markersize=12, fillstyle="none")  # all of train
    axis.axhline(means[name], color="C1")
    axis.axhline(floors[name], color="C2", linestyle="--")
    axis.set_xticks([1_000, 10_000, 100_000], ["1,000", "10,000", "100,000"])
    axis.set(title=name, xlabel="training ratings (ring: what we have)")
axes[0].set_ylabel("test RMSE (stars)")
right = {"ha": "right", "va": "bottom", "transform": axes[1].get_yaxis_transform()}  # x from 0 to 1, y in stars
axes[1].text(0.98, errors["planted"][0], "user and item means", color="C0", **right)
axes[1].text(0.98, means["planted"], "mean", color="C1", **right)
axes[1].text(0.98, floors["planted"], "oracle: the floor", color="C2", **right)
plt.show()

# %%
noise_test = split_of["noise"].test
for rows in sets["noise"][:6]:
    known = noise_test[USER_ID].isin(rows[USER_ID]).mean()
    print(f"{len(rows):5,} noise ratings: the users of {known:4.0%} of the test rows are known")

# %% [markdown]
# On noise, mean and oracle are one line. The error of the means rises, then falls. With few ratings most users are
# unknown, and an unknown id has the effect 0. As ids become known by a rating or two, the luck in these does harm. More
# data average it away.
#
# On planted data, the means pass the mean early, then level off far above the floor.
#
# ## Evaluate: one table a world
#
# The **[bootstrap](../docs/glossary.md#paired-bootstrap)** draws the users again and again, with replacement. It gives an
# interval that covers the difference of two models in about 95 % of such samples of users, widened because several
# models are compared. It leaves out the luck of items and of training. A model is called better or worse only if its
# interval excludes zero.


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
# On noise, the mean cannot be told from the oracle. Plain averages are worse: they fit luck. Lesson 02 shrinks them.

# %%
on_noise = table_of("noise", "mean", {})
verdict = on_noise["verdict"]
assert not default or (verdict[["item means", "user means", "user and item means"]] == "worse").all()
assert not default or verdict["oracle: the floor"] == "cannot tell", "on noise, the mean is the floor"
assert not default or np.isclose(on_noise["RMSE"].iloc[-1], np.sqrt(2), rtol=0.03), "the floor should be about √2"
display.results_table(on_noise)

# %% [markdown]
# Both together, the rival here, are worse than either:

# %%
for model, row in table_of("noise", "user and item means", {}).loc[["item means", "user means"]].iterrows():
    print(f"{model}: {row['difference']:.3f} stars, interval {row['low']:.3f} to {row['high']:.3f}, {row['verdict']}")
    assert not default or row["verdict"] == "better", "at the default settings, one effect is better than both"

# %% [markdown]
# On planted data, every effect helps. One row trains on every other pair. These pairs are spread evenly, the test's are
# not. So another row gets the answers: the rated pairs without noise, the test's among them.

# %%
train, test = split_of["planted"]
every_pair = sets["planted"][-1]  # (n_users × n_items - n_test) rows
ten_times = f"user and item means, {len(every_pair) / len(train):.0f} × the ratings"
answers = "user and item means, given the answers"
noiseless = planted.ratings.assign(**{RATING: planted.ratings[EXPECTED]})
more = {name: predict_by_means(rows, test, both) for name, rows in ((ten_times, every_pair), (answers, noiseless))}
on_planted = table_of("planted", "user and item means", more)
assert not default or (on_planted["verdict"].iloc[[0, 1, 2]] == "worse").all(), "every effect should help"
assert not default or (on_planted["verdict"].iloc[-3:] == "better").all()
display.results_table(on_planted)

# %% [markdown]
# The mean's squared error less the floor's is the signal. What share of it do the means find?

# %%
squares = on_planted["RMSE"] ** 2  # stars²
signal = squares["mean"] - squares["oracle: the floor"]
found = (squares["mean"] - squares) / signal  # 0 for the mean, 1 for the oracle
for model, share in found.items():
    print(f"{share:4.0%}  {model}")
assert not default or found["user and item means"] < found[ten_times] < 0.35, "more data find little more"
assert not default or found[answers] < 0.35, "not even the answers help much"
assert not default or np.isclose(on_planted["RMSE"].iloc[-1], NOISE_STD, rtol=0.03), "the floor is the chosen noise"

# %% [markdown]
# More data help a little. Even the answers leave most of the signal: a user effect plus an item effect cannot express
# who likes what.
#
# The floor also finds faults. A model clearly below the floor has a [leak](../docs/glossary.md#leakage): it has seen the
# answers. One at the mean has a bug.
#
# ## Recommend: what the oracle would show one user
#
# Each pair carries a random time, and so a random drift. We first move it to that of the last day, when a pair drawn
# twice must have one value.


# %%
def on_last_day(ratings):
    category = ratings[ITEM_ID].map(planted.items.set_index(ITEM_ID)["category"])
    left = 1 - (ratings[TIMESTAMP] - synthetic.START) / synthetic.DURATION  # 1 on the first day, 0 on the last
    return ratings.assign(now=ratings[EXPECTED] + synthetic.CATEGORY_TREND[category] * left)


everything = on_last_day(generate_planted(N_USERS, N_ITEMS, N_USERS * N_ITEMS, NOISE_STD, SEED).ratings)
twice = on_last_day(train).merge(everything, on=both, validate="one_to_one")
assert np.allclose(twice["now_x"], twice["now_y"], atol=0.011), "only time and noise should differ"

# %% [markdown]
# Find the ten best and the ten most popular of the items that a user has not rated:

# %%
is_seen = pd.MultiIndex.from_frame(everything[both]).isin(pd.MultiIndex.from_frame(train[both]))
unseen = everything[~is_seen].merge(planted.items, on=ITEM_ID, validate="many_to_one")
unseen["popularity"] = unseen[ITEM_ID].map(train[ITEM_ID].value_counts()).fillna(0).astype(int)
best, popular = (
    unseen.sort_values(column, ascending=False, kind="stable").groupby(USER_ID).head(10)
    for column in ("now", "popularity")
)

# %%
user, ten = planted.users.set_index(USER_ID).loc[SHOPPER], best[best[USER_ID] == SHOPPER]
print(f"user {SHOPPER}: {user['age']} years, {REGIONS[user['region']]}, {synthetic.DEVICES[user['device']]}")
assert not default or ten["price"].max() < 100, "cheap items for a young user"
assert not default or ten["discount"].mean() > planted.items["discount"].mean() + 0.05, "discounts for a phone"
assert not default or {CATEGORIES[one] for one in ten["category"]} <= {"toys", "books", "games"}, "for the north"
display.results_table(ten[[TITLE, "price", "discount", "popularity", "now"]], digits=2)

# %% [markdown]
# The planted rules show. The items are cheap, for a young user. Discounts are high, for a phone. Books, games and toys
# are the bright cells of the north.
#
# The same for all users. Popularity was drawn without regard to quality, so popular items suit nobody in particular.

# %%
gap = best.groupby(USER_ID)["now"].mean() - popular.groupby(USER_ID)["now"].mean()  # (n_users,) stars
print(f"the oracle's ten less the popular ten: {gap.mean():.2f} stars on average, {gap.min():.2f} at least")
assert not default or gap.min() > 0.5, "at the default settings, more than half a star for every user"

# %% [markdown]
# ## What goes wrong, and why
#
# A [seed](../docs/glossary.md#seed) fixes all random draws. Data made with two seeds, or with none, are two worlds. Here
# a model trained on one is tested on the other:

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
# Nothing fails, and a good model looks worse than the mean. Use a seed, and one assert wherever data are made or loaded
# again.

# %% tags=["nbval-check-output"]
again = generate_planted(N_USERS, N_ITEMS, N_PLANTED_RATINGS, NOISE_STD, SEED)
assert again.ratings.equals(planted.ratings), "the data changed since the models were trained"
assert not first.train.equals(second.train), "two seeds should give two worlds"
print("made again with its seed, the planted world is the one the models were trained on")

# %% [markdown]
# ## In practice
#
# - **A planted world tests the code, not the product.** A model that finds the signal may fail on real users.
# - **Real data have a floor too.** It can only be estimated, by asking users again (Amatriain et al., 2009).
# - **Users choose what they rate.** In a real shop that depends on how much they like it (Marlin and Zemel, 2009).
#
# ## Check yourself
#
# 1. The distance from a user to a shop belongs to neither of them alone. Into which tower does it go?
#
# <details><summary>Answer</summary>
#
# Into neither. Each tower can get its own position. Or the model that ranks the candidates gets the distance.
#
# </details>
#
# 2. A model reaches an RMSE of 0.45 on the planted world. What do you do?
#
# <details><summary>Answer</summary>
#
# Look for a leak: the floor is 0.5. The model has seen the test's ratings, perhaps in an average.
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
# 1. **Unrelated neighbours.** Without training: predict a draw from 1 to 5 by the average of $k$ others. Derive the RMSE
#    from the equation above and check it. (Aim at √3 for $k$ = 2.)
# 2. **More noise.** Set `NOISE_STD` to 1.0. How many ratings lie at a bound, and why is the oracle's error below 1.0?
#    (Aim at 3 to 8 % of the ratings.)
# 3. **A pair of features.** Add an effect for each pair of region and category to the means. How much of the signal do
#    you find? (Aim at about 60 %.) Why can an effect for each pair of user and item not work?
#
# [Solutions](solutions/01_generate_synthetic_data.ipynb)
#
# ## Takeaways
#
# - The error of the best predictor is the noise. Where there is nothing to learn, the mean is this floor.
# - User and item means find less than a third of the planted signal, even from every pair. Averages of region × category
#   lift the share to about 60 % (exercise 3).
# - A seed and one assert keep the data of training and test the same.
#
# **Next**: [Lesson 02](02_predict_ratings_with_classic_baselines.ipynb) runs classic baselines, on real ratings too.
#
# **References**
#
# - Amatriain, Pujol and Oliver (2009). *I like it… I like it not: evaluating user ratings noise in recommender
#   systems.* UMAP.
# - Marlin and Zemel (2009). *Collaborative prediction and ranking with non-random missing data.* RecSys.
# - Yi et al. (2019). *Sampling-bias-corrected neural modeling for large corpus item recommendations.* RecSys.
