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
# # Compare item embeddings by cosine similarity
#
# [![Open in Colab](images/open-in-colab.svg)](https://colab.research.google.com/github/two-towers-course/two-towers/blob/main/notebooks/16_compare_embeddings.ipynb) [![Launch Binder](images/launch-binder.svg)](https://mybinder.org/v2/gh/two-towers-course/two-towers/main?urlpath=lab/tree/notebooks/16_compare_embeddings.ipynb)
#
# **What you'll do**: build a "because you watched" list from three sets of movie vectors, and find out when to believe
# it.
#
# **What you'll learn**
#
# - what near means: cosine, dot product and distance;
# - to find every movie's neighbours exactly, a block at a time;
# - where popularity hides, and what hubs are;
# - to choose a yardstick that the vectors have not seen;
# - two ways in which a cosine lies.
#
# **What you'll need**: the idea of an item tower from [Lesson 07](07_beat_the_rating_baselines.ipynb) or [Lesson
# 11](11_retrieve_with_in_batch_negatives.ipynb); half a minute; 0.8 GB of memory. Neither needs to have been run: the
# vectors of their towers come with the course.

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
# The imports:

# %%
from recsys_utils.setup import set_up

set_up()

# %%
import time
import timeit

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy import sparse, stats
from sklearn import decomposition, manifold

from recsys_utils import baselines, comparison, diagram, metrics, similarity, splits
from recsys_utils.columns import GENRES, ITEM_ID, RATING, TIMESTAMP, TITLE, USER_ID, YEAR
from recsys_utils.datasets import item_vectors, movielens
from recsys_utils.display import results_table

# %% [markdown]
# You can change these:

# %% tags=["parameters"]
NEIGHBOURS = 10  # length of a movie's list
DIM = 32  # of the SVD
KNOWN = 20  # training ratings from which we call a movie known
ON_MAP = 50  # training ratings from which a movie has a place on the map
USER = 170  # whom we recommend to
SEED = 1

# %%
chosen = (NEIGHBOURS, DIM, KNOWN, ON_MAP, SEED)
default = chosen == (10, 32, 20, 50, 1)  # some claims are checked at these settings only

# %% [markdown]
# ## The data
#
# MovieLens: who gave which movie how many stars, and when. Each user's last fifth of ratings is the test.

# %% tags=["nbval-check-output"]
ratings, movies, _ = movielens.load_movielens()
train, test = splits.split_by_time(ratings)
task = metrics.make_ranking_task(train, test, movies[ITEM_ID])
titles, n_ratings = movies[TITLE].to_numpy(), task.popularity.astype(int)  # (n_items,) each
print(f"{len(train):,} training ratings of {len(movies):,} movies.")
print(f"{(n_ratings == 0).sum():,} movies have none in training, {(n_ratings == 1).sum():,} have one.")
results_table(movies.head(3))

# %% [markdown]
# ## Three sets of movie vectors
#
# Two come from item towers. [Lesson 07](07_beat_the_rating_baselines.ipynb) trained its tower to predict stars, [Lesson
# 11](11_retrieve_with_in_batch_negatives.ipynb) to pick the movie that a user chose. Each tower is one training run. Both
# read genres and year; Lesson 11's has a vector for each of 24 periods. Lesson 07's also reads popularity and how a movie
# is rated, and gives movies below 20 ratings one shared id.
#
# We scale both towers' vectors, which drops whatever their length held. Here one tower reads two movies:

# %%
reads = {"movie id": len(movies), "period": 24, "genres": 20}
diagram.draw_two_towers(
    diagram.Tower("item tower of Lesson 11", reads, ["three vectors, added", "scaled to length 1"]),
    diagram.Tower("the same tower", reads, ["three vectors, added", "scaled to length 1"]),
    meet="dot product = cosine of two movies",
    loss="already trained",
)

# %% [markdown]
# The third set reads ratings alone: a [truncated SVD](../docs/glossary.md#svd) of the table $R$ of movies by users, with
# 0 where there is no rating. In $R \approx F\Sigma P^\top$, a movie is its row of $F\Sigma$. All three sets are of the
# same training part.

# %%
places = np.searchsorted(movies[ITEM_ID], train[ITEM_ID]), np.searchsorted(task.users, train[USER_ID])
table = sparse.csr_array((train[RATING], places), (len(movies), len(task.users)))  # (n_items, n_users) of stars
svd = decomposition.TruncatedSVD(DIM, algorithm="arpack", random_state=SEED).fit(table)
factors = svd.transform(table)  # (n_items, DIM)


# %%
def scale(vectors):
    """Scale each row to length 1; a row of zeros stays."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(length > 0, length, 1)


# %% tags=["nbval-check-output"]
loaded = {name: item_vectors.load_item_vectors(name[-2:]) for name in ("ratings tower 07", "retrieval tower 11")}
assert all(np.array_equal(tower.item_id, movies[ITEM_ID]) for tower in loaded.values()), "row i should be one movie"
vectors = {"SVD": scale(factors)} | {name: tower.vectors for name, tower in loaded.items()}  # (n_items, dim) each
print({name: rows.shape for name, rows in vectors.items()})

# %% [markdown]
# A movie without a training rating is a row of zeros in the SVD. Its cosine with every movie is 0: leave it out.
#
# ## What near means
#
# The **dot product** $a \cdot b$ rewards long vectors. The
# **[cosine](../docs/glossary.md#cosine-similarity)** is the dot product after both are scaled to length 1: it compares
# directions. The **distance** $\lVert a - b \rVert$ asks for a similar length, too. Here each names another movie:

# %% tags=["nbval-check-output"]
a = np.array([1.0, 1.0])
others = np.array([[4.0, 1.0], [0.3, 0.3], [1.0, 0.4]])  # (movies, dim)
near = {
    "dot product": others @ a,
    "cosine": scale(others) @ scale(a[None])[0],
    "minus distance": -np.linalg.norm(others - a, axis=1),
}
print({name: f"movie {1 + score.argmax()}" for name, score in near.items()})
assert len({score.argmax() for score in near.values()}) == 3, "each should name another movie"

# %% [markdown]
# For vectors of length 1 all agree, because
#
# $$\lVert a - b \rVert^2 = a \cdot a + b \cdot b - 2\, a \cdot b = 2 - 2 \cos(a, b).$$
#
# ## All pairs, a block at a time
#
# Which movie is nearest to each movie? A double loop over all pairs is right, and slow:


# %%
def double_loop(vectors):
    nearest = np.empty(len(vectors), int)
    for i, one in enumerate(vectors):
        distances = [np.inf if i == j else np.sum((one - other) ** 2) for j, other in enumerate(vectors)]
        nearest[i] = np.argmin(distances)
    return nearest


# %% [markdown]
# One matrix product compares a block of movies with all:


# %%
def nearest_in_blocks(vectors, block_size=1024):
    nearest = np.empty(len(vectors), int)
    for start in range(0, len(vectors), block_size):
        block = vectors[start : start + block_size] @ vectors.T  # (block, n_items) cosines
        rows = np.arange(len(block))
        block[rows, start + rows] = -np.inf  # a movie is not its own neighbour
        nearest[start + rows] = block.argmax(axis=1)
    return nearest


# %% [markdown]
# The best of five runs; the loop's is extrapolated from a sample:


# %%
every = vectors["retrieval tower 11"]  # (n_items, dim)
sample = every[np.argsort(-n_ratings, kind="stable")[:150]]  # the 150 most popular movies
assert np.array_equal(double_loop(sample), nearest_in_blocks(sample)), "both should find the same movies"
timing = {"number": 1, "timer": time.process_time}
loop = min(timeit.repeat(lambda: double_loop(sample), **timing)) * (len(every) / len(sample)) ** 2  # seconds
blocks = min(timeit.repeat(lambda: nearest_in_blocks(every), **timing))  # seconds
print(f"{len(every):,} movies: about {loop:.0f} s in a loop, {blocks:.1f} s in blocks, in processor time")
size = every.itemsize * len(every)  # bytes of a movie's cosines
print(f"all pairs would take {size * len(every) / 1e6:.0f} MB, a block {size * 1024 / 1e6:.0f} MB")
assert loop > 10 * blocks, f"only {loop / blocks:.0f} times faster"

# %% [markdown]
# The course's `nearest_neighbours` finds the `k` nearest this way.
#
# ## When cosine lies: one rating
#
# How far away is the nearest movie? Median squared distances, from 0 (same direction) over 2 (right angle) to 4
# (opposite):

# %%
rated = np.flatnonzero(n_ratings > 0)
ratings_of_it = pd.cut(n_ratings[rated], [0, 1, 4, 19, np.inf], labels=["1", "2 to 4", "5 to 19", "20 or more"])
gap = {name: similarity.nearest_neighbours(rows[rated], 1).squared_distance[:, 0] for name, rows in vectors.items()}
by_count = pd.DataFrame(gap).groupby(ratings_of_it, observed=True).median()  # (n_groups, 3)
results_table(by_count.rename_axis("training ratings").reset_index())

# %% [markdown]
# In every set, the distance is shortest where there is one rating. Take the user who gave most of those ratings, and
# the movies that they liked least and most.

# %% tags=["nbval-check-output"]
only = train[n_ratings[places[0]] == 1]
theirs = only[only[USER_ID] == only[USER_ID].value_counts().idxmax()].sort_values([RATING, ITEM_ID])
alone = np.searchsorted(movies[ITEM_ID], theirs[ITEM_ID])  # (n,) from least to most liked
smallest = (vectors["SVD"][alone] @ vectors["SVD"][alone].T).min()
print(f"{len(alone)} movies; the smallest cosine between two of them is {smallest:.4f}")
results_table(movies.iloc[alone[[0, -1]]][[TITLE, GENRES]].assign(stars=theirs[RATING].iloc[[0, -1]].to_numpy()))

# %% [markdown]
# The SVD puts all of them on one point. Such a movie's row has one number, so its vector is that number times the
# user's: the direction says *who* rated it, and nothing about the movie.
#
# The repair: from here on, movies and their neighbours are **known** ones, with enough ratings.

# %%
assert smallest > 0.9999, "movies that one user alone rated should have one direction"
assert (by_count.iloc[0] == by_count.min()).all(), "rare movies should crowd together"
known = np.flatnonzero(n_ratings >= KNOWN)


def list_nearest(rows):
    """List the nearest known movies of each known movie, (n_known, NEIGHBOURS), by the distance of these rows."""
    return known[similarity.nearest_neighbours(rows[known], NEIGHBOURS).index]


lists = {name: list_nearest(rows) for name, rows in vectors.items()}
print(f"{len(known):,} known movies hold {n_ratings[known].sum() / len(train):.0%} of the training ratings.")

# %% [markdown]
# ## The nearest movie
#
# Each set has, as the table above shows, its own scale: compare cosines within one set only (see
# [anisotropy](../docs/glossary.md#anisotropy)).

# %%
shown = np.flatnonzero(np.isin(titles[known], ["Toy Story", "Alien", "Pulp Fiction", "Pretty Woman", "Aladdin"]))
nearest = {name: titles[each[shown, 0]] for name, each in lists.items()}
results_table(pd.DataFrame({"movie": titles[known[shown]]} | nearest))

# %% [markdown]
# ## Popularity in the length, and hubs
#
# The length of an SVD vector is mostly popularity. What does each meaning of near make of it? On average a movie is in
# ten lists. In many dimensions a few points, the **[hubs](../docs/glossary.md#hubness)**, are in very many (Radovanović
# et al., 2010).

# %%
length = np.linalg.norm(factors, axis=1)  # (n_items,)
in_length = stats.spearmanr(length[known], n_ratings[known]).statistic
print(f"rank correlation of length and number of ratings: {in_length:.2f}")
dots = factors[known] @ factors[known].T  # (n_known, n_known)
np.fill_diagonal(dots, -np.inf)
rng = np.random.default_rng(SEED)
meanings = {"random directions": list_nearest(scale(rng.normal(size=factors.shape)))}
meanings |= {"SVD, dot product": known[metrics.top_k(dots, NEIGHBOURS)], "SVD, distance": list_nearest(factors)}
meanings |= {f"{name}, cosine": each for name, each in lists.items()}

# %% [markdown]
# Skewness grows with the tail that hubs make. The last column asks if hubs are the popular movies, by Spearman's rank
# correlation.

# %%
hubs = []
for name, each in meanings.items():
    times = np.bincount(each.ravel(), minlength=len(movies))[known]  # (n_known,) lists that a movie is in
    correlation = stats.spearmanr(times, n_ratings[known]).statistic
    whose = titles[known[times.argmax()]]
    hubs.append([name, stats.skew(times), (times == 0).mean(), times.max(), whose, correlation])
names = ["vectors", "skewness", "share in no list", "most lists", "whose", "popularity"]
hubs = pd.DataFrame(hubs, columns=names).set_index("vectors")
results_table(hubs.reset_index(), digits=2)

# %% [markdown]
# The dot product lists the same blockbusters under everything. The distance turns to short vectors, hence to less
# popular movies. The cosine has fewer hubs, which still lean to popular movies.

# %%
assert in_length > 0.7, "the length should be mostly popularity"
assert not default or hubs["share in no list"]["SVD, dot product"] > 0.5, "by dot product most should be in no list"
popular, skewed = hubs["popularity"], hubs["skewness"]
assert not default or popular["SVD, distance"] < 0 < 0.3 < popular["SVD, cosine"], "distance should turn away"
assert not default or 2 * skewed["random directions"] < skewed["SVD, cosine"] < skewed["SVD, distance"], "hubs remain"

# %% [markdown]
# ## Three yardsticks, and chance
#
# Do neighbours share genres (shared ones over those that either has)? Are they of one period of five years? Is another
# movie of the series among them? No vector has seen a title. The list of series is made by hand, and
# matched by how titles start; *Raiders of the Lost Ark* is missed.

# %%
SERIES = (
    "Ace Ventura, Alien, American Pie, Austin Powers, Back to the Future, Batman, Beverly Hills Cop, Bourne, Die Hard, "
    "Ghostbusters, Godfather, Harry Potter, Hobbit, Home Alone, Ice Age, Indiana Jones, Jurassic Park, Karate Kid, "
    "Kill Bill, Lethal Weapon, Lord of the Rings, Mad Max, Matrix, Men in Black, Mission: Impossible, Mummy, Naked Gun, "
    "Pirates of the Caribbean, Rush Hour, Scream, Shrek, Spider-Man, Star Trek, Star Wars, Superman, Terminator, "
    "Toy Story, X-Men"
)
series = movies[TITLE].str.extract(f"^({SERIES.replace(', ', '|')})")[0]  # (n_items,) missing where there is none
flags = movies[GENRES].str.get_dummies("|").to_numpy(bool)  # (n_items, n_genres)
period = movies[YEAR].to_numpy() // 5  # (n_items,)

# %% [markdown]
# *Alien* and *Aliens* are not independent observations. So the unit is a group: the movies of one series, of one set of
# genres, of one period with more than ten movies. We average within groups, and resample groups.

# %%
same_series = series[known].where(series[known].duplicated(keep=False))  # (n_known,) missing for single movies
of_period = pd.Series(period[known], known)  # (n_known,)
of_period = of_period.where(of_period.groupby(of_period).transform("size") > 10)  # missing for few movies
groups = {"genres": movies[GENRES][known], "period": of_period, "series": same_series}


def measure(each):
    """Measure lists, (n_known, NEIGHBOURS), by each yardstick: a mean for each group."""
    mine, theirs = flags[known][:, None], flags[each]  # (n_known, 1, n_genres), (n_known, NEIGHBOURS, n_genres)
    found = {"genres": ((mine & theirs).sum(axis=2) / (mine | theirs).sum(axis=2)).mean(axis=1)}
    found["period"] = (period[known][:, None] == period[each]).mean(axis=1)
    found["series"] = (series.to_numpy()[known][:, None] == series.to_numpy()[each]).any(axis=1)
    return {name: pd.Series(score, known).groupby(groups[name]).mean() for name, score in found.items()}


# %% [markdown]
# Chance is a list of random known movies:

# %% tags=["nbval-check-output"]
steps = rng.integers(1, len(known), size=lists["SVD"].shape)  # to another movie, never to itself
lists["chance"] = known[(np.arange(len(known))[:, None] + steps) % len(known)]
measured = {name: measure(each) for name, each in lists.items()}
print({name: f"{groups[name].nunique()} groups of {groups[name].notna().sum()} movies" for name in groups})

# %% [markdown]
# The rival is the SVD, [Holm-corrected](../docs/glossary.md#holm-correction); each yardstick has a third of the 5 %.

# %%
tables = {}
for yardstick in groups:
    of_group = {name: each[yardstick].to_numpy() for name, each in measured.items()}  # (n_groups,) each
    tables[yardstick] = comparison.compare(of_group, "SVD", level=1 - 0.05 / 3).drop(columns="seed_spread")
compared = pd.concat(tables, names=["yardstick"]).droplevel(1).set_index("model", append=True)
results_table(compared.reset_index())

# %% [markdown]
# All sets beat chance in series. On genres, which both towers read, both beat the SVD. On periods the retrieval tower
# does, which has a vector for each; the ratings tower, to which the year is one number of many, is worse. On series, the
# data cannot tell either tower from the SVD. **Choose the yardstick and you choose the winner.**

# %%
verdict = compared["verdict"]
assert not default or (verdict.xs("chance", level="model") == "worse").all(), "the SVD should beat chance everywhere"
for name in loaded:
    gain = measured[name]["series"] - measured["chance"]["series"]  # (n_series,)
    assert not default or comparison.bootstrap_interval(gain, level=0.99)[0] > 0, "and every tower in series"
    assert not default or verdict["genres", name] == "better", "towers that read genres should agree more in genres"
    assert not default or verdict["series", name] == comparison.CANNOT_TELL, "series should not tell"
period_of = verdict["period"][list(loaded)].tolist()
assert not default or period_of == ["worse", "better"], "a tower with a vector for each should keep to periods"

# %% [markdown]
# ## Draw a map
#
# t-SNE lays movies out in the plane so that near neighbours stay near (van der Maaten and Hinton, 2008).

# %%
on_map = np.flatnonzero(n_ratings >= ON_MAP)
tsne = manifold.TSNE(init="pca", method="exact", random_state=SEED)
maps = {name: tsne.fit_transform(vectors[name][on_map]) for name in ("SVD", "retrieval tower 11")}  # (n_on_map, 2)

# %% [markdown]
# The colour is the year of release. A number stands at the median of the five years that it begins.

# %%
figure, panels = plt.subplots(1, 2, figsize=(9, 4.8))
years, colours = movies[YEAR][on_map].clip(1970, 2014), plt.get_cmap("viridis", 9)  # a colour for each five years
of = years.to_numpy() // 5 * 5  # (n_on_map,)
for (name, spots), axes in zip(maps.items(), panels, strict=True):
    dots = axes.scatter(*spots.T, c=years, cmap=colours, vmin=1970, vmax=2015, s=20, edgecolor="C6", linewidth=0.4)
    for p in range(1970, 2020, 10):
        axes.text(*np.median(spots[of == p], axis=0), f"{p}", color="C1", weight="bold", ha="center", va="center")
    axes.set(title=name, xlabel="t-SNE 1 (no unit)", ylabel="t-SNE 2 (no unit)", xticks=[], yticks=[])
figure.colorbar(dots, ax=panels, label="year of release (lowest: before 1975)", ticks=range(1970, 2020, 5))
plt.show()

# %% [markdown]
# On the right, movies since 2000 lie apart; elsewhere colour changes gradually. The retrieval tower reads **release
# periods**. The SVD reads no year, and beats chance on periods all the same.
#
# How many of a movie's nearest by cosine are its nearest on the map?


# %%
def share(one, other):
    return (one[:, :, None] == other[:, None, :]).any(axis=2).mean()  # of (n, k) lists, (n, k, k) -> number


kept = {}
for name, spots in maps.items():
    nearest = similarity.nearest_neighbours(vectors[name][on_map], NEIGHBOURS).index
    kept[name] = share(nearest, similarity.nearest_neighbours(spots, NEIGHBOURS).index)
    assert not default or 3 * NEIGHBOURS / len(on_map) < kept[name] < 0.85, "a map should keep a part, and lose a part"
print({name: f"{part:.0%} kept" for name, part in kept.items()})
late = years.to_numpy() >= 2000  # (n_on_map,)
beside = similarity.nearest_neighbours(maps["retrieval tower 11"], NEIGHBOURS).index[late]
assert not default or late[beside].mean() > 0.95, "movies since 2000 should lie apart"

# %% [markdown]
# So check a pair by its cosine. Axes, gaps and the size of islands mean nothing (Wattenberg et al., 2016).
#
# ## When cosine lies: a free stretch
#
# A [factorisation](../docs/glossary.md#matrix-factorisation) predicts by a dot product of a user and a movie. Stretch an
# axis of the movies and shrink the same axis of the users: every prediction stays, and cosines change (Steck et al.,
# 2024). Two movies at a right angle:

# %% tags=["nbval-check-output"]
two_users = np.array([[2.0, 1.0], [0.0, 3.0]])  # (users, dim)
two_movies = np.array([[1.0, 1.0], [1.0, -1.0]])  # (movies, dim)
for stretch in (0.1, 1, 10):
    by = np.array([stretch, 1])  # of the movies' axes; the users' get the inverse
    assert np.allclose((two_users / by) @ (two_movies * by).T, two_users @ two_movies.T), "no prediction may change"
    one, other = scale(two_movies * by)
    print(f"first axis × {stretch}: cosine {(one @ other).round(2) + 0.0:+.2f}")

# %% [markdown]
# In our SVD, the singular values went to the movies. Give half to each side, or all to the users, or stretch each axis
# at random. How much of the lists stays?

# %%
values = svd.singular_values_  # (DIM,)
stretches = {"half to each side": values**-0.5, "all to the users": 1 / values, "random": np.exp(rng.normal(0, 2, DIM))}
stays = {}
for name, by in stretches.items():
    users = svd.components_.T / by  # (n_users, DIM)
    assert np.allclose((factors * by)[known] @ users.T, factors[known] @ svd.components_), "no prediction may change"
    stays[name] = share(lists["SVD"], list_nearest(scale(factors * by)))
print({name: f"{part:.0%} of the lists" for name, part in stays.items()})
assert not default or stays["random"] < stays["all to the users"] < stays["half to each side"] < 0.95, "lists change"

# %% [markdown]
# Same predictions, other lists. Lesson 11's loss does not see a stretch either: starting point and optimiser decide. Two
# ways out: train on cosines, with both towers' vectors scaled to length 1; or choose a scale that means something. With
# $F\Sigma$, the dot product of two movies is that of their rows in the table of predictions, as $P^\top P = I$.

# %% [markdown]
# ## Because you watched
#
# Now the shelf: the last movie of a user's training part, and the nearest known movies that they had not rated.

# %%
last = train.sort_values([TIMESTAMP, ITEM_ID]).groupby(USER_ID)[ITEM_ID].last()  # by user id
last = np.searchsorted(task.items, last[task.users])  # (n_users,) rows of movies
floor = np.where(n_ratings >= KNOWN, 0, -np.inf)  # (n_items,) shuts out movies that are not known
row = np.flatnonzero(task.users == USER)
shelf = {}
for name, each in vectors.items():
    score = each[last[row]] @ each.T + floor  # (1, n_items)
    shelf[name] = titles[metrics.recommend(score, task.seen[row], k=5)[0]]
print(f"Because user {USER} watched {titles[last[row[0]]]}:")
results_table(pd.DataFrame(shelf))

# %% [markdown]
# Does a shelf hold what users watch next? We read the test once. The rival, item CF of [Lesson
# 03](03_rank_with_classic_baselines.ipynb), reads the same one movie and has the same floor. Item CF was tuned for whole
# histories, the towers for their own tasks; none for one movie.


# %%
def shelf_of(vectors, floor):
    return lambda rows: vectors[last[rows]] @ vectors.T + floor  # (n_rows, n_items)


weights = baselines.fit_item_cf(task.seen, **baselines.load_tuned()["item CF"].settings).weights  # (n_items, n_items)
shelves = {"item CF": lambda rows: weights[last[rows]].toarray() + floor, "SVD, dot product": shelf_of(factors, floor)}
shelves |= {name: shelf_of(each, floor) for name, each in vectors.items()}
shelves |= {"item CF, no floor": lambda rows: weights[last[rows]].toarray()}
shelves |= {"most popular": baselines.rank_with_popularity(task)}
results = {name: metrics.evaluate_ranking(shelf, task) for name, shelf in shelves.items()}

# %% [markdown]
# Two rivals, each with half of the 5 %:

# %%
ndcg = {name: result.ndcg for name, result in results.items()}  # (n_users,) each
judged = {rival: comparison.compare(ndcg, rival, level=0.975) for rival in ("item CF", "most popular")}
both = pd.concat(judged, names=["against"]).droplevel(1).reset_index().drop(columns="seed_spread")
both["coverage"] = [result.coverage for result in results.values()] * 2
results_table(both.rename(columns={"mean": "NDCG@10"}), digits=4)

# %% [markdown]
# With the same floor, item CF is ahead of both towers. Of the dot product the data cannot tell; it offers less than half
# as much of the catalogue as the cosine ([coverage](../docs/glossary.md#coverage)). Only the dot product and item CF with
# the floor beat a list that knows nobody. The ratings tower loses to it: it was trained on stars, not on who watches.
#
# The cosines' gain from the floor:

# %%
against, popular = (table.set_index("model")["verdict"] for table in judged.values())
without = {name: metrics.evaluate_ranking(shelf_of(each, 0), task) for name, each in vectors.items()}
gains = {name: results[name].ndcg - each.ndcg for name, each in without.items()}  # (n_users,) each
print({name: f"{gain.mean():+.3f}" for name, gain in gains.items()})
assert not default or (against[list(loaded)] == "worse").all(), "item CF should beat both towers"
assert not default or against["SVD, dot product"] == comparison.CANNOT_TELL, "the dot product should be level"
assert not default or (popular[["item CF", "SVD, dot product"]] == "better").all(), "both should beat most popular"
assert not default or popular["ratings tower 07"] == "worse", "stars should not say what is watched"
assert not default or (popular[list(vectors)] != "better").all(), "no cosine should beat most popular"
assert not default or results["SVD, dot product"].coverage < results["SVD"].coverage / 2, "it should offer few movies"
for gain in gains.values():
    assert not default or comparison.bootstrap_interval(gain, level=1 - 0.05 / 3)[0] > 0, "the floor should help"

# %% [markdown]
# ## In practice
#
# - **Say what near is for**, then choose the vectors and a yardstick that they have not seen.
# - **Set a floor of ratings** below which a movie neither gets nor joins a list.
# - **Check for hubs**, and limit the lists that a movie may be in.
# - **[Exact search](../docs/glossary.md#exact-nearest-neighbour-search) is quick at this size.** Its time grows with the
#   square of the catalogue. An [approximate
#   index](../docs/glossary.md#approximate-nearest-neighbour-search) looks at a part, and misses a few.
#
# ## Check yourself
#
# 1. Two movies have the cosine 1 in the SVD, and nothing in common. How?
#
# <details><summary>Answer</summary>
#
# The same user gave each its only rating. Both vectors are that user's, times the stars.
#
# </details>
#
# 2. A tower beats the SVD on shared genres. Does it know movies better?
#
# <details><summary>Answer</summary>
#
# We cannot tell: it has read the genres.
#
# </details>
#
# 3. Why do we resample series, and not their movies?
#
# <details><summary>Answer</summary>
#
# If *Alien* finds *Aliens*, *Aliens* mostly finds *Alien*: taken as independent, they make the interval too narrow.
#
# </details>
#
# ## Exercises
#
# 1. **Who gets the singular values.** Without training: multiply the columns of `factors` by the singular values to the
#    power $p - 1$, for $p$ of 0, ½ and 2, and compare the lists on series with ours, $p = 1$. Aim: one that is worse, two
#    that the data cannot tell.
# 2. **Centre the stars.** Subtract each user's mean from their training ratings before the SVD. Aim: a cosine of −1
#    between the two movies of one user, and fewer shared genres.
# 3. **Tame the hubs.** List by twice the cosine, less the mean cosine of each of the two movies to its own ten nearest
#    (CSLS; Lample et al., 2018). Aim: a skewness at least a quarter lower in every set.
# 4. **Take the period out.** From each known movie's vector of the retrieval tower, subtract the mean of its period. Aim:
#    neighbours that share a period less often than those of the SVD.
#
# [Solutions](solutions/16_compare_embeddings.ipynb), when you have tried.
#
# ## Takeaways
#
# - For unit vectors, dot product, cosine and distance agree. In the SVD, the dot product lists what is popular, and the
#   distance what is not.
# - One matrix product a block finds all exact neighbours, over ten times faster than a double loop.
# - The shortest distances are between movies with one rating. A floor of ratings made all three cosine shelves better.
# - Towers that read genres win on genres, the one with a vector for each period on periods. On series, the data cannot
#   tell. Item CF's shelf beat those of both towers.
# - A stretch of the axes changes cosines and no prediction.
#
# **Next.** This ends Part III. The [course map](../docs/course_map.md) shows what else there is.
#
# ## References
#
# - H. Steck, C. Ekanadham, N. Kallus (2024). [Is cosine-similarity of embeddings really about
#   similarity?](https://arxiv.org/abs/2403.05440) WWW Companion.
# - M. Radovanović, A. Nanopoulos, M. Ivanović (2010). [Hubs in space: popular nearest neighbors in high-dimensional
#   data](https://jmlr.org/papers/v11/radovanovic10a.html). JMLR 11.
# - G. Lample, A. Conneau, M. Ranzato, L. Denoyer, H. Jégou (2018). [Word translation without parallel
#   data](https://arxiv.org/abs/1710.04087). ICLR.
# - L. van der Maaten, G. Hinton (2008). [Visualizing data using
#   t-SNE](https://jmlr.org/papers/v9/vandermaaten08a.html). JMLR 9.
# - M. Wattenberg, F. Viégas, I. Johnson (2016). [How to use t-SNE
#   effectively](https://distill.pub/2016/misread-tsne/). Distill.
