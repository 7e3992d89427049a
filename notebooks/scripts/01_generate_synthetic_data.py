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
# **What you'll do**: make two worlds of ratings, one of pure noise and one with a planted signal, and put a number on
# the error that no model can avoid in either.
#
# **What you'll learn**
# - what the noise floor is, and why the mean is the first row of every table in this course;
# - how to plant a signal whose size you know, so that a model can be tested before it meets real data;
# - which plots to draw of any set of ratings, and what each one tells you;
# - how a data set without a seed makes a comparison meaningless, and how one assert prevents it.
#
# **What you'll need**: no earlier lesson; one minute; 0.5 GB of memory.

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
# `set_up` sets the figures' style and the seeds. The generators of the data live in `recsys_utils.datasets.synthetic`.

# %%
from recsys_utils.setup import set_up

set_up()
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from recsys_utils import diagram
from recsys_utils.columns import ITEM_ID, RATING, TIMESTAMP, TITLE, USER_ID
from recsys_utils.comparison import bootstrap_interval
from recsys_utils.datasets import synthetic
from recsys_utils.datasets.synthetic import CATEGORIES, EXPECTED, REGIONS, generate_noise, generate_planted
from recsys_utils.display import results_table
from recsys_utils.metrics import rmse
from recsys_utils.splits import split_random

# %% [markdown]
# The sizes are those of a small shop; change them and run the lesson again.

# %% tags=["parameters"]
SEED = 1
N_USERS, N_ITEMS = 1_000, 500
N_NOISE_RATINGS, N_PLANTED_RATINGS = 10_000, 60_000
NOISE_STD = 0.5  # stars
SHOPPER = 34  # the user we recommend for

rng = np.random.default_rng(SEED)

# %% [markdown]
# ## Where the course goes: two towers
#
# A [two-tower model](../docs/glossary.md#two-tower-model) turns a user into one vector and an item into another. Each
# has a tower of its own, and they meet
# only at the top, in a [dot product](../docs/glossary.md#dot-product): the higher, the better the item suits the user.
# So the vectors of all items can be
# computed beforehand, and the best ones found by an [index](../docs/glossary.md#index).

# %%
diagram.draw_two_towers(
    diagram.Tower("user tower", {"user id": N_USERS, "features, such as age": 5}, ["layers", "user vector"]),
    diagram.Tower("item tower", {"item id": N_ITEMS, "features, such as price": 5}, ["layers", "item vector"]),
    meet="dot product = score",
    loss="squared error, cross-entropy, softmax",
)

# %% [markdown]
# ## A world with nothing to learn
#
# Draw users, items and ratings, each on its own. A rating of 1 to 5 stars then depends on nothing: neither on who
# rates nor on what is rated.

# %% tags=["nbval-check-output"]
noise = generate_noise(N_USERS, N_ITEMS, N_NOISE_RATINGS, seed=SEED)
print(noise.users.head(3), noise.items.head(3), noise.ratings.head(3), sep="\n\n")

# %% [markdown]
# The column `expected` is what the generator knew before it added noise. Here it is 3 everywhere, the middle of
# 1 to 5. A fair five-sided die has the variance 2, so whoever always says 3 is off by about √2 stars.

# %% tags=["nbval-check-output"]
stars = np.arange(1, 6)
print(f"standard deviation of a fair draw of 1 to 5: {stars.std():.4f} stars")
assert np.isclose(stars.std(), np.sqrt(2)), "a uniform draw from 1..5 has the variance 2"
assert np.isclose(noise.noise_std, np.sqrt(2)), "the world should state its own floor"

# %% [markdown]
# ## The idea: what is left when everything is known
#
# Write a rating as a part that can be known and a part that cannot: $r = \mu + \varepsilon$, where the noise
# $\varepsilon$ has the standard deviation $\sigma$ and depends on nothing. In expectation over the noise, a prediction
# $\hat r$ is then off by
#
# $$\mathbb{E}\,\mathrm{RMSE}^2 = \sigma^2 + \overline{(\mu - \hat r)^2}$$
#
# In a finite sample the two sides differ a little. The first term is noise, the second is signal missed. The second can be brought to zero, the first cannot. So $\sigma$
# is the **[noise floor](../docs/glossary.md#noise-floor)**, also called the magic barrier. Take two users and two
# items: the first user prefers the first
# item, the second user the second. Each rates both again and again.

# %%
expected = np.array([[4.0, 2.0], [1.0, 3.0]])  # (users, items): what each would give, without noise
rated = expected + rng.normal(0, NOISE_STD, size=(20_000, 2, 2))  # (times, users, items)
guesses = {
    "mean": np.full((2, 2), expected.mean()),
    "user means": expected.mean(axis=1, keepdims=True).repeat(2, axis=1),
    "oracle": expected,
}
for name, guess in guesses.items():
    measured = np.sqrt(np.mean((rated - guess) ** 2))
    formula = np.sqrt(NOISE_STD**2 + np.mean((expected - guess) ** 2))
    print(f"{name:10}  measured {measured:.2f}  formula {formula:.2f}")
    assert np.isclose(measured, formula, rtol=0.02), "noise and missed signal should add up"

# %% [markdown]
# The oracle knows $\mu$ and still errs by the noise. The means miss what makes this table interesting: *who likes
# what*. That is the part two-tower models are for.
#
# ## Plant a signal
#
# The second world has the same users and items, and ratings that follow a formula. `generate_planted` states it in
# full; in short:
#
# | part | what is planted | which data reveals it |
# |---|---|---|
# | user and item effects | generous users, good items, brands, discounts | ids and features |
# | fit, region × category | neighbouring regions like neighbouring categories | features |
# | fit, age × price | the young like it cheap, the old like it dear; not linear | features |
# | fit, device × discount | phones hunt for bargains | features |
# | fit, latent factor | a taste that no feature shows | ids only |
# | drift | some categories rise over two years, others fall | time |
# | noise | Gaussian, σ = `NOISE_STD` | nothing |

# %% tags=["nbval-check-output"]
planted = generate_planted(N_USERS, N_ITEMS, N_PLANTED_RATINGS, NOISE_STD, SEED)
print(f"{len(planted.ratings):,} ratings, {N_USERS:,} users, {N_ITEMS:,} items")
print(planted.ratings.head(3))
assert planted.users.equals(noise.users), "the users should be the same"
assert planted.items.equals(noise.items), "the items should be the same"

# %% [markdown]
# Later lessons start from files with these two worlds. The files hold exactly what the generators draw by default.

# %% tags=["nbval-check-output"]
for world, generate in {"noise": generate_noise, "planted": generate_planted}.items():
    in_file = synthetic.load_synthetic(world).ratings
    assert in_file.equals(generate().ratings), "a seed should give the same world again"
    print(f"{world}: {len(in_file):,} ratings, the same in the file")

# %% [markdown]
# Stars end at 0.5 and 5, so the few ratings beyond are moved to the nearest of the two. We want few of them, or the
# noise would no longer have the size we chose.

# %%
at_a_bound = planted.ratings[RATING].isin([0.5, 5.0]).mean()
noise_drawn = planted.ratings[RATING] - planted.ratings[EXPECTED]  # (n_ratings,)
print(f"{at_a_bound:.1%} of the ratings lie at a bound")
print(f"noise: {NOISE_STD} stars chosen, {noise_drawn.std():.3f} drawn")
small_noise = NOISE_STD <= 0.5  # with more, more ratings are moved and the floor lies below NOISE_STD
assert at_a_bound < 0.01 or not small_noise, "at most 1 % of the ratings should be moved"
assert np.isclose(noise_drawn.std(), NOISE_STD, rtol=0.02) or not small_noise, "the noise should be as chosen"

# %% [markdown]
# ## Look at the data
#
# Five plots to draw of any set of ratings. First, how the stars are distributed. The noise world is flat. The
# planted world has one hump, and hardly anything at the bounds.

# %%
worlds = {"noise": noise, "planted": planted}
figure, axes = plt.subplots(1, 2, sharey=True)
for axis, (name, world) in zip(axes, worlds.items(), strict=True):
    share = np.full(len(world.ratings), 100 / len(world.ratings))
    axis.hist(world.ratings[RATING], bins=np.arange(0.25, 5.5, 0.5), weights=share)
    axis.axvline(world.ratings[RATING].mean(), color="C1", label="mean")
    axis.set(title=name, xlabel="rating (stars)")
axes[0].set_ylabel("share of ratings (%)")
axes[0].legend()
plt.show()

# %% [markdown]
# Second, popularity. Sort the items by their number of ratings and take both axes logarithmic: popularity that falls as
# 1 / rank, as Zipf found for words, is a straight line of slope −1. The planted world follows it in its tail. Its head
# bends, because nobody rates an item twice and the best sellers run out of users.

# %%
figure, axis = plt.subplots()
rank = np.arange(1, N_ITEMS + 1)
tail = rank >= N_ITEMS // 10
slope = {}
for name, world in worlds.items():
    count = world.ratings.groupby(ITEM_ID).size().reindex(world.items[ITEM_ID], fill_value=0)
    count = np.sort(count.to_numpy())[::-1].clip(1)  # (n_items,) descending
    slope[name] = np.polyfit(np.log(rank[tail]), np.log(count[tail]), 1)[0]
    axis.loglog(rank, count, label=f"{name}, tail of slope {slope[name]:.2f}")
axis.loglog(rank[tail], 1.4 * count[tail][0] * rank[tail][0] / rank[tail], "C6:", label="slope -1.00")
axis.axhline(N_USERS, color="C6", linewidth=1)
axis.annotate("every user", (N_ITEMS, N_USERS), xytext=(0, -3), textcoords="offset points", ha="right", va="top")
axis.set(title="Popularity has a long tail", xlabel="popularity rank", ylabel="ratings of the item")
axis.legend(loc="lower left")
plt.show()

# %% [markdown]
# The slopes are worth an assert: later lessons rely on a long tail.

# %%
busiest = planted.ratings[ITEM_ID].value_counts().iloc[: N_ITEMS // 10].sum() / len(planted.ratings)
print(f"the most popular tenth of the items holds {busiest:.0%} of the planted ratings")
assert -1.1 < slope["planted"] < -0.8, "the planted tail should follow Zipf's law"
assert slope["noise"] > slope["planted"] + 0.4, "items drawn evenly should have no long tail"

# %% [markdown]
# Third, users by activity. Random draws give everybody about the same; the planted world has a few busy users and many
# quiet ones. Means over *ratings* listen to the busy, means over *users* treat all alike.

# %%
figure, axes = plt.subplots(1, 2)
for axis, (name, world) in zip(axes, worlds.items(), strict=True):
    activity = world.ratings[USER_ID].value_counts()
    step = 1 + activity.max() // 25
    axis.hist(activity, bins=range(0, activity.max() + step + 1, step))
    axis.axvline(activity.median(), color="C1", label=f"median {activity.median():.0f}")
    axis.set(title=f"{name}: users by activity", xlabel="ratings of the user", ylabel="users")
    axis.legend()
plt.show()

# %% [markdown]
# Fourth, the rating matrix: a row a user, a column an item, busy users and popular items first. Blank is unknown.
# Random pairs are spread evenly. Planted ones crowd to the left, where the popular items are, so what is known is not a
# fair sample of the matrix.

# %%
from matplotlib.colors import LinearSegmentedColormap

blue_to_orange = LinearSegmentedColormap.from_list("blue to orange", ["C0", "C4"])  # dots that show on any page
figure, axes = plt.subplots(1, 2, figsize=(7.2, 5))
for axis, (name, world) in zip(axes, worlds.items(), strict=True):
    matrix = world.ratings.pivot(index=USER_ID, columns=ITEM_ID, values=RATING)  # (users, items)
    by_activity = matrix.count(axis=1).sort_values(ascending=False, kind="stable").index
    by_popularity = matrix.count().sort_values(ascending=False, kind="stable").index
    matrix = matrix.loc[by_activity, by_popularity]
    image = axis.imshow(matrix, aspect="auto", vmin=1, vmax=5, cmap=blue_to_orange, interpolation="none")
    known = len(world.ratings) / (N_USERS * N_ITEMS)
    axis.set(title=f"{name}: {known:.0%} known", xlabel="item, by popularity", ylabel="user, by activity")
    axis.grid(False)
figure.colorbar(image, ax=axes, label="rating (stars)", shrink=0.8)
plt.show()

# %% [markdown]
# Fifth, drift. Join the features to the ratings, by id and checked: `validate` raises if an id is there twice. Then
# follow the category that rises most and the one that falls most, quarter by quarter; bars are two standard errors.

# %%
joined = planted.ratings.merge(planted.users, on=USER_ID, validate="many_to_one")
joined = joined.merge(planted.items, on=ITEM_ID, validate="many_to_one")
joined["quarter"] = 1 + (joined[TIMESTAMP] - synthetic.START) * 8 // synthetic.DURATION  # 1 to 8
figure, axis = plt.subplots()
for category in (0, len(CATEGORIES) - 1):
    quarters = joined[joined["category"] == category].groupby("quarter")[RATING]
    change = quarters.mean() - quarters.mean().mean()
    axis.errorbar(change.index, change, yerr=2 * quarters.sem(), capsize=3, label=CATEGORIES[category])
axis.set(title="Taste moves", xlabel="quarter since the start", ylabel="mean rating, change (stars)")
axis.legend()
plt.show()

# %% [markdown]
# A random split lets a model learn from the last quarter to predict the first. That is why this course also splits by
# time. Here is the drift as a number: a line through the ratings of each of the two categories.

# %%
years = (joined[TIMESTAMP] - synthetic.START) / (365 * 24 * 3600)
for category, planted_trend in ((0, -0.1), (len(CATEGORIES) - 1, 0.1)):  # stars a year
    rows = joined["category"] == category
    trend = np.polyfit(years[rows], joined.loc[rows, RATING], 1)[0]
    print(f"{CATEGORIES[category]:6}{trend:+.2f} stars a year, {planted_trend:+.2f} planted")
    assert trend * planted_trend > 0, "the planted drift should show in the ratings"

# %% [markdown]
# ## Find the signal in the plots
#
# Now average the ratings over pairs of features. Left: each region likes its categories, and the bright band moves on
# from region to region. Right: the bright diagonal is age meeting price. Both are *who likes what*: to know only the
# user, or only the item, is not enough.

# %%
ages, prices = [18, 26, 34, 42, 50, 58, 65], [0, 50, 100, 150, 201]  # the lower end of each band
joined["age band"] = pd.cut(joined["age"], ages, labels=ages[:-1], right=False)
joined["price band"] = pd.cut(joined["price"], prices, labels=prices[:-1], right=False)
tastes = joined.pivot_table(RATING, "region", "category")  # (regions, categories)
tastes.index, tastes.columns = REGIONS, CATEGORIES
budgets = joined.pivot_table(RATING, "age band", "price band", observed=True)  # (ages, prices)

# %% [markdown]
# One colour scale for both, so that the two effects can be compared.

# %%
figure, axes = plt.subplots(1, 2, width_ratios=[2, 1], figsize=(7.2, 3.2))
for axis, table in zip(axes, (tastes, budgets), strict=True):
    image = axis.imshow(table, aspect="auto", vmin=2.2, vmax=3.8)
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
# Three predictors, from knowing least to knowing all. The mean says one number for everything. The second adds how far
# the user's ratings lie from the mean, and then how far the item's lie from that. The oracle reads `expected`. To train
# the first two is to take averages.


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
# Hold out a fifth of each world at random, as every lesson does.

# %% tags=["nbval-check-output"]
splits = {name: split_random(world.ratings) for name, world in worlds.items()}
for name, split in splits.items():
    print(f"{name}: {len(split.train):,} to train on, {len(split.test):,} to test")

# %% [markdown]
# ## Learning curves against the floor
#
# Train on more and more of the ratings. The dashed line is the floor: the oracle's error on the same test.

# %%
means = [USER_ID, ITEM_ID]
figure, axes = plt.subplots(1, 2)
for axis, (name, (train, test)) in zip(axes, splits.items(), strict=True):
    shuffled = train.sample(frac=1, random_state=SEED)
    sizes = np.geomspace(len(train) / 30, len(train), 8).astype(int)
    for label, columns in {"mean": [], "user and item means": means}.items():
        errors = [rmse(test[RATING], predict_by_means(shuffled[:n], test, columns)) for n in sizes]
        axis.semilogx(sizes, errors, marker="o", label=label)
    axis.axhline(rmse(test[RATING], test[EXPECTED]), color="C6", linestyle="--", label="floor")
    axis.set_xticks(sizes[1::2], [f"{n:,}" for n in sizes[1::2]])
    axis.minorticks_off()
    axis.set(title=name, xlabel="training ratings", ylabel="test RMSE (stars)")
axes[1].legend(loc="lower right", bbox_to_anchor=(1, 0.1))
plt.show()

# %% [markdown]
# On noise, the mean stands on the floor from the start. User and item means fit the luck of a few draws: worst when
# most users have one or two ratings, better with more, never good. On planted data they pass the mean once there are
# enough ratings, then flatten far above the floor.
#
# ## Evaluate: one table a world
#
# The same split, the same metric, the mean first, and a 95 % [bootstrap
# interval](../docs/glossary.md#confidence-interval) over the test ratings.


# %%
def score(model: str, test: pd.DataFrame, predicted: np.ndarray) -> dict:
    error, floor = rmse(test[RATING], predicted), rmse(test[RATING], test[EXPECTED])
    low, high = np.sqrt(bootstrap_interval((test[RATING] - predicted) ** 2, resamples=500))
    above = f"{error / floor - 1:.0%}"
    return {"model": model, "RMSE": error, "low": low, "high": high, "above the floor": above}


# %% [markdown]
# Five rows: the mean, three kinds of means, and the oracle.

# %%
tables = {}
for name, (train, test) in splits.items():
    rows = [score("mean", test, predict_by_means(train, test, []))]
    rows.append(score("item means", test, predict_by_means(train, test, [ITEM_ID])))
    rows.append(score("user means", test, predict_by_means(train, test, [USER_ID])))
    rows.append(score("user and item means", test, predict_by_means(train, test, means)))
    rows.append(score("oracle: the noise floor", test, test[EXPECTED]))
    tables[name] = pd.DataFrame(rows).set_index("model", drop=False)
results_table(tables["noise"])

# %% [markdown]
# On noise, the mean is as good as the oracle. Every model that tries to learn is worse, and worse the more it learns.

# %%
error = tables["noise"]["RMSE"]
floor = error["oracle: the noise floor"]
assert np.isclose(floor, np.sqrt(2), rtol=0.03), "the floor of the noise world should be about √2"
assert abs(error["mean"] / floor - 1) < 0.005, "on noise the mean should be the floor"
assert error["item means"] > error["mean"], "item means should fit luck"
assert error["user and item means"] > error["user means"] > error["mean"], "more effects, more luck"

# %% [markdown]
# On planted data there is a ladder to climb.

# %%
results_table(tables["planted"])

# %% [markdown]
# How much of the signal do the means find? Subtract the floor's squared error from both and take the ratio. And would
# more data help? A seed stands for one world, whatever the number of ratings, so we can ask for every pair there is. As
# a limit, train the means on all of them but the test's, on `expected`, which has no noise.

# %%
every_pair = generate_planted(N_USERS, N_ITEMS, N_USERS * N_ITEMS, NOISE_STD, SEED).ratings
train, test = splits["planted"]
in_test = every_pair.set_index([USER_ID, ITEM_ID]).index.isin(test.set_index([USER_ID, ITEM_ID]).index)
all_but_test = every_pair[~in_test].assign(**{RATING: every_pair[EXPECTED]})
limit = rmse(test[RATING], predict_by_means(all_but_test, test, means))
mean, by_means, floor = tables["planted"]["RMSE"].iloc[[0, 3, 4]]
found, findable = ((mean**2 - error**2) / (mean**2 - floor**2) for error in (by_means, limit))
print(f"user and item means find {found:.0%} of the signal's variance; {findable:.0%} from all other pairs, no noise")
assert floor < by_means < mean, "the ladder should go down: mean, means, oracle"
assert found < findable < 0.5, "most of the planted signal should be out of reach of means"
assert np.isclose(floor, NOISE_STD, rtol=0.03) or not small_noise, "the oracle's error should be the noise we chose"

# %% [markdown]
# So more data would hardly help. What is missing is who likes what, and a model must be able to express it.
#
# The floor turns "is 0.6 good?" into a question with an answer. From here on, a model clearly below the floor of a
# synthetic world has a [leak](../docs/glossary.md#leakage), and one that stays at the mean of the planted world has a
# bug.
#
# ## Recommend: what the oracle would show one user
#
# With every pair at hand, the oracle can rank the whole catalogue for a user, without what they rated in training. Each
# pair carries a random time, and with it a little drift.

# %%
seen = train.loc[train[USER_ID] == SHOPPER, ITEM_ID]
unseen = every_pair[(every_pair[USER_ID] == SHOPPER) & ~every_pair[ITEM_ID].isin(seen)]
unseen = unseen.merge(planted.items, on=ITEM_ID, validate="one_to_one")
unseen["popularity"] = unseen[ITEM_ID].map(train[ITEM_ID].value_counts()).fillna(0)
user = planted.users.set_index(USER_ID).loc[SHOPPER]
print(f"user {SHOPPER}: {user['age']} years, {REGIONS[user['region']]}, {synthetic.DEVICES[user['device']]}")

# %% [markdown]
# Read the table against the planted rules: prices for the young, the categories of the region, discounts for a phone.

# %%
best = unseen.nlargest(10, EXPECTED)
results_table(best[[TITLE, "price", "discount", "popularity", EXPECTED]], digits=2)

# %% [markdown]
# A shop without a model would show its ten most popular items. The oracle's ten are worth far more to this user.

# %%
popular = unseen.nlargest(10, "popularity")
gain = best[EXPECTED].mean() - popular[EXPECTED].mean()
print(f"expected stars: popular {popular[EXPECTED].mean():.2f}, oracle {best[EXPECTED].mean():.2f}")
assert gain > 0.5, "knowing the user should be worth at least half a star"

# %% [markdown]
# ## What goes wrong, and why
#
# This lesson grew from a write-up that drew its ratings like our noise world: 1,000 users, 500 items, 10,000 uniform
# draws. It reported an RMSE for three models and never put the mean beside them.

# %% tags=["nbval-check-output"]
reported = {"SVD": 1.4748, "user CF": 1.7446, "item CF": 1.7215}
for model, error in reported.items():
    ratings_averaged = 2 / (error**2 - 2)
    print(f"{model}: {error} is what the average of {ratings_averaged:.1f} unrelated ratings would score")
    assert error > np.sqrt(2), "every reported model is worse than the mean"

# %% [markdown]
# All three lose to a constant, and the equation above says why. The average of $k$ unrelated ratings misses $\mu$ by
# $\sqrt{2/k}$ stars, so its error is $\sqrt{2 + 2/k}$. Average two, and the figure is close to those of CF:

# %%
draws = rng.integers(1, 6, size=(100_000, 3))  # a rating to predict, and two neighbours' ratings
measured = rmse(draws[:, 0], draws[:, 1:].mean(axis=1))
print(f"average of two unrelated ratings: RMSE {measured:.2f}, formula {np.sqrt(2 + 2 / 2):.2f}")
assert np.isclose(measured, np.sqrt(3), rtol=0.01), "two neighbours' noise should add half of its variance"
for model in ("user CF", "item CF"):
    assert np.isclose(reported[model], measured, rtol=0.02), "CF on noise should be an average of two"

# %% [markdown]
# The same write-up made its data twice, with no [seed](../docs/glossary.md#seed), and the second set silently replaced
# the first. Its models were
# compared on data they had nothing to do with. Two seeds show what that does: train on one world, test on another.

# %%
sizes = (N_USERS, N_ITEMS, N_PLANTED_RATINGS, NOISE_STD)
first, second = (split_random(generate_planted(*sizes, seed).ratings) for seed in (SEED + 1, SEED + 2))
predictions = {
    "mean of the first world": predict_by_means(first.train, second.test, []),
    "user and item means of the first world": predict_by_means(first.train, second.test, means),
    "user and item means of the second world": predict_by_means(second.train, second.test, means),
}
errors = [rmse(second.test[RATING], predicted) for predicted in predictions.values()]
assert errors[2] < errors[0] < errors[1], "a model of another world should be worse than the mean"
results_table(pd.DataFrame({"model": predictions.keys(), "RMSE on the second world": errors}))

# %% [markdown]
# Nothing fails: the ids match, the shapes match, and a good model looks worse than the mean. The repair is a seed, and
# one assert wherever data is made or loaded again.

# %% tags=["nbval-check-output"]
again = generate_planted(*sizes, SEED)
assert again.ratings.equals(planted.ratings), "the data changed since the models were trained"
assert not first.train.equals(second.train), "two seeds should give two worlds"
print("made again with its seed, the planted world is the one the models were trained on")

# %% [markdown]
# ## In practice
#
# - **A planted world tests the code, not the product.** A model that misses a signal you planted has a bug. A model
#   that finds it may still fail on people.
# - **Real data has a floor too, and nobody tells you where.** Asked again, users rate the same movie differently
#   (Amatriain et al., 2009). Suspect a leak in any error far below that of others.
# - **People choose what they rate.** Here who rates what does not depend on how much they like it. In a real shop it
#   does, so the ratings you have are no fair sample of those you lack (Marlin and Zemel, 2009).
# - **Keep features that do nothing.** `gender` and `subcategory` have no effect here, on purpose: a good model learns
#   to leave them alone.
# - **It scales.** To test a pipeline before the data arrives, raise the sizes; time and memory grow with users × items.
#
# ## Exercises
#
# 1. Set `NOISE_STD` to 1.0 and run the lesson. How many ratings now lie at a bound, and why is the oracle's error below
#    1.0?
# 2. In a copy of `predict_by_means`, shrink the effects: divide the sum of the residuals by their count plus 5 instead
#    of by their count. What does that change on noise, and on planted data with few ratings?
# 3. In another copy, add an effect for each pair of region and category. How much more of the signal's variance do you
#    find? Why can an effect for each pair of user and item not work?
# 4. Split the planted world with `split_by_time`. Does the oracle's error change? Does that of the means?
#
# ## Takeaways
#
# - The error of the best predictor is the noise itself: √2 stars in the noise world, the chosen σ in the planted one.
# - Where there is nothing to learn, the mean is the floor, and whatever learns is worse. A table without the mean
#   hides that.
# - User and item means find less than half of the planted signal, and more data would hardly help. The rest is who
#   likes what.
# - A seed and one assert keep the data that models are trained on and tested on the same.
#
# ## Next
#
# [Lesson 02](02_predict_ratings_with_classic_baselines.ipynb) runs the classic baselines on both worlds, and on real ratings.
#
# **References**
# - Amatriain, Pujol and Oliver (2009). *I like it… I like it not: evaluating user ratings noise in recommender
#   systems.* UMAP.
# - Hastie, Tibshirani and Friedman (2009). *The elements of statistical learning*, section 7.3: the irreducible error.
# - Marlin and Zemel (2009). *Collaborative prediction and ranking with non-random missing data.* RecSys.
# - Newman (2005). *Power laws, Pareto distributions and Zipf's law.* Contemporary Physics 46.
