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
# - what near means: the cosine and the distance of unit vectors are one thing;
# - to find the nearest neighbours of every movie exactly, a block at a time;
# - to measure neighbours against chance, and to ask what the yardstick itself has seen;
# - what a 2-D map shows and what it cannot show, and what hubs are;
# - two cases in which a high cosine means nothing.
#
# **What you'll need**: the idea of an item tower from [Lesson 07](07_beat_the_rating_baselines.ipynb) or [Lesson
# 11](11_retrieve_with_in_batch_negatives.ipynb); half a minute; half a gigabyte of memory. Nothing is trained here, and
# neither lesson needs to have been run: the vectors of their towers come with the course.

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
# We need NumPy, a truncated SVD, and the course's neighbour search; no TensorFlow.

# %%
from recsys_utils.setup import set_up

set_up()
import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy import sparse, stats
from sklearn import decomposition, manifold

from recsys_utils import comparison, metrics, similarity
from recsys_utils.columns import GENRES, ITEM_ID, RATING, TIMESTAMP, TITLE, USER_ID
from recsys_utils.datasets import item_vectors, movielens
from recsys_utils.display import results_table

# %% [markdown]
# These sizes are yours to change.

# %% tags=["parameters"]
N_NEIGHBOURS = 10  # length of a film's list of neighbours
DIM = 32  # of the SVD
KNOWN = 20  # ratings from which we call a film known
ON_MAP = 50  # ratings from which a film gets a place on the map
USER = 68  # whom we recommend to
SEED = 1

# %% [markdown]
# ## Films, and how often they are rated
#
# MovieLens holds the ratings, the titles and the genres.

# %% tags=["nbval-check-output"]
ratings, items, _ = movielens.load_movielens()
n_items, titles = len(items), items[TITLE].to_numpy()
genres = items[GENRES].str.replace("|", ", ").to_numpy()  # (n_items,)
n_ratings = ratings[ITEM_ID].value_counts().reindex(items[ITEM_ID]).to_numpy()  # (n_items,)
print(f"{len(ratings):,} ratings of {n_items:,} films")
print(f"half of the films have at most {np.median(n_ratings):.0f} ratings, {(n_ratings == 1).sum():,} have only one")
results_table(items.assign(ratings=n_ratings).head(3))

# %% [markdown]
# Remember those films with one rating. They will explain most of what looks odd below.
#
# ## Three sets of film vectors
#
# Two come from item towers: [Lesson 07](07_beat_the_rating_baselines.ipynb) trained its tower to predict stars, [Lesson
# 11](11_retrieve_with_in_batch_negatives.ipynb) to pick the movie a user chose. Both towers read the genres of a movie
# and when it came out, the retrieval tower in periods of five years; keep that in mind too. The third is made here and
# reads ratings alone: a [truncated SVD](../docs/glossary.md#svd) of the matrix of movies and users, with 0 where there
# is no rating. A movie becomes
# its row of $F\Sigma$ in $R \approx F\Sigma P^\top$. The comparison is not quite fair: the towers were trained on each
# user's first 80 % of ratings, the SVD reads them all.

# %%
row = np.searchsorted(items[ITEM_ID], ratings[ITEM_ID])
column, _ = ratings[USER_ID].factorize()
matrix = sparse.csr_array((ratings[RATING], (row, column)))  # (n_items, n_users)
svd = decomposition.TruncatedSVD(DIM, algorithm="arpack", random_state=SEED)
factors = svd.fit_transform(matrix)  # (n_items, DIM)

# %% [markdown]
# Every vector is divided by its length, so only its direction is left.

# %% tags=["nbval-check-output"]
towers = {
    "ratings tower (07)": item_vectors.load_item_vectors("07"),
    "retrieval tower (11)": item_vectors.load_item_vectors("11"),
}
embeddings = {name: tower.vectors for name, tower in towers.items()}
embeddings["SVD"] = factors / np.linalg.norm(factors, axis=1, keepdims=True)

for name, vectors in embeddings.items():
    print(f"{name}: {vectors.shape}")
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5), "each vector should have length 1"
for tower in towers.values():
    assert np.array_equal(tower.item_id, items[ITEM_ID]), "row i of every matrix should be the same film"

# %% [markdown]
# ## What near means
#
# The [cosine](../docs/glossary.md#cosine-similarity) of two vectors is their dot product after both are scaled to
# length 1. For such vectors
#
# $$\lVert a - b \rVert^2 = a \cdot a + b \cdot b - 2\, a \cdot b = 2 - 2 \cos(a, b),$$
#
# so the nearest film and the most similar film are the same film. Two vectors by hand:

# %% tags=["nbval-check-output"]
a, b = np.array([1.0, 0.0]), np.array([0.6, 0.8])  # both of length 1
cosine = a @ b
squared_distance = np.square(a - b).sum()
print(f"cosine {cosine:.1f}, squared distance {squared_distance:.1f}")
assert np.isclose(squared_distance, 2 - 2 * cosine), "distance and cosine should be one thing"

# %% [markdown]
# The squared distance runs from 0 (same direction) over 2 (right angle) to 4 (opposite).
#
# ## All pairs, a block at a time
#
# This lesson has no model to train: its model is this geometry, and its work is to find every film's nearest films.
# One matrix product compares a block of films with all films, and the full matrix never exists.


# %% tags=["nbval-check-output"]
def nearest_in_blocks(vectors: np.ndarray, block_size: int = 1024) -> np.ndarray:
    nearest = np.empty(len(vectors), dtype=int)
    for start in range(0, len(vectors), block_size):
        block = vectors[start : start + block_size] @ vectors.T  # (block, n) cosines
        rows = np.arange(len(block))
        block[rows, start + rows] = -np.inf  # a film is not its own neighbour
        nearest[start + rows] = block.argmax(axis=1)
    return nearest


nearest = nearest_in_blocks(embeddings["SVD"])  # (n_items,)
for film in range(3):
    print(f"{titles[film]} → {titles[nearest[film]]}")

# %% [markdown]
# `nearest_neighbours` of the course does the same for the `k` nearest, with their distances and a fixed order of
# ties.


# %% tags=["nbval-check-output"]
def neighbours_among(films: np.ndarray) -> dict:
    found = {}
    for name, vectors in embeddings.items():
        index, squared_distance = similarity.nearest_neighbours(vectors[films], N_NEIGHBOURS)
        found[name] = films[index], squared_distance  # both (len(films), N_NEIGHBOURS)
    return found


everything = np.arange(n_items)
among_all = neighbours_among(everything)
for name, (others, squared_distance) in among_all.items():
    cosine = (embeddings[name][:, None] * embeddings[name][others]).sum(axis=2)  # (n_items, N_NEIGHBOURS)
    assert np.allclose(squared_distance, 2 - 2 * cosine, atol=1e-5), f"{name}: distance is not 2 - 2 cosine"
print(f"squared distance = 2 - 2 cosine for {len(among_all) * n_items * N_NEIGHBOURS:,} pairs")
assert np.array_equal(among_all["SVD"][0][:3, 0], nearest[:3]), "both should find the same films"

# %% [markdown]
# ## The nearest film
#
# For a few movies that everybody knows, the nearest of all movies. Each set of vectors has its own idea of near.

# %% tags=["nbval-check-output"]
shown = ["Toy Story", "Alien", "Pulp Fiction", "Pretty Woman", "Lord of the Rings: The Two Towers, The"]
rows = []
for title in shown:
    film = np.flatnonzero(titles == title)[0]
    for name, (others, squared_distance) in among_all.items():
        near = others[film, 0]
        rows.append([title, genres[film], name, titles[near], genres[near], squared_distance[film, 0]])
columns = ["film", "genres", "vectors", "nearest film", "its genres", "squared distance"]
results_table(pd.DataFrame(rows, columns=columns))

# %% [markdown]
# Compare distances within one set of vectors only: each has its own scale. And a table of five films that we picked
# proves nothing. We need a yardstick, and we need chance.
#
# ## The yardstick, and how often a film was rated
#
# The Jaccard index of two films is the number of genres that they share over the number that either has: 0 for
# nothing in common, 1 for the same genres. Chance is what random films reach.

# %% tags=["nbval-check-output"]
flags = items[GENRES].str.get_dummies("|").to_numpy(bool)  # (n_items, n_genres)


def genre_agreement(films: np.ndarray, others: np.ndarray) -> np.ndarray:
    one, other = flags[films][:, None], flags[others]  # (n, 1, n_genres), (n, k, n_genres)
    return ((one & other).sum(axis=2) / (one | other).sum(axis=2)).mean(axis=1)  # (n,)


rng = np.random.default_rng(SEED)
chance = genre_agreement(everything, rng.integers(n_items, size=(n_items, N_NEIGHBOURS))).mean()
first_two = genre_agreement(np.array([0]), np.array([[1]]))[0]
print(f"{titles[0]} ({genres[0]})\n{titles[1]} ({genres[1]})")
print(f"Jaccard index {first_two:.2f}; of random films {chance:.2f}")
assert first_two == 3 / 5, "three shared genres out of five"

# %% [markdown]
# Group the films by the number of their ratings, and ask each group twice: do a film's neighbours share its genres,
# and how near is the nearest?

# %%
groups = {"1": 1, "2–4": 2, "5–19": 5, "20–49": 20, "50+": 50}  # label: fewest ratings
group = np.searchsorted(list(groups.values()), n_ratings, side="right") - 1  # (n_items,)
agreement, distance = {}, {}
for name, (others, squared_distance) in among_all.items():
    jaccard = genre_agreement(everything, others)
    agreement[name] = [jaccard[group == g] for g in range(len(groups))]
    distance[name] = [np.median(squared_distance[group == g, 0]) for g in range(len(groups))]

# %% [markdown]
# Left, the dotted line is chance, and bars are 95 % intervals; right, low means near.

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.6))
left.axhline(chance, color="C6", linestyle=":", label="chance")
for name in embeddings:
    means = np.array([jaccard.mean() for jaccard in agreement[name]])
    low, high = np.transpose([comparison.bootstrap_interval(jaccard, resamples=500) for jaccard in agreement[name]])
    left.errorbar(list(groups), means, [means - low, high - means], marker="o", capsize=3, label=name)
    right.plot(list(groups), distance[name], marker="o")
left.set(title="Do neighbours share genres?", xlabel="ratings of the film", ylabel="mean Jaccard index", ylim=(0, 1))
right.set(title="How near is the nearest?", xlabel="ratings of the film", ylabel="median squared distance")
left.legend(fontsize=8)
plt.show()

# %% [markdown]
# Two stories. The SVD has to learn everything from ratings: with one rating its neighbours are hardly better than
# chance, with fifty they are. The towers go the other way. They read the genres, and of a film with one rating the
# genres are nearly all that they know, so they put it where its genres are. Their agreement is highest where they
# know least. It says what a tower was *fed*, not how much it understood.
#
# The right side is the warning of this lesson. In every set, the nearest neighbours are nearest where there are the
# fewest ratings. A short distance between two rare films is not knowledge; it is the lack of anything to tell them
# apart.

# %%
for name in embeddings:
    assert distance[name][0] < distance[name][-1], f"{name}: rare films should crowd together"
    assert agreement[name][-1].mean() > 1.5 * chance, f"{name}: neighbours of known films should beat chance"
assert agreement["SVD"][0].mean() < agreement["SVD"][-1].mean(), "the SVD should gain from ratings"
for name in towers:
    assert agreement[name][0].mean() > agreement[name][-1].mean(), f"{name}: genres should rule the rare films"

# %% [markdown]
# ## Evaluate against chance
#
# So from here on we keep to known films, and find their neighbours among known films.

# %% tags=["nbval-check-output"]
known = np.flatnonzero(n_ratings >= KNOWN)
among_known = neighbours_among(known)
print(
    f"{len(known):,} films have at least {KNOWN} ratings; they hold {n_ratings[known].sum() / len(ratings):.0%} of them"
)

# %% [markdown]
# Genres are an unfair yardstick: the towers have seen them. No set of vectors has seen a title. So here is a second
# one: is at least one of a film's ten nearest from the same series? The list of series is made by hand.

# %% tags=["nbval-check-output"]
SERIES = (
    "Ace Ventura, Alien, American Pie, Austin Powers, Back to the Future, Batman, Beverly Hills Cop, Bourne, Die Hard, "
    "Ghostbusters, Godfather, Harry Potter, Hobbit, Home Alone, Ice Age, Indiana Jones, Jurassic Park, Karate Kid, "
    "Kill Bill, Lethal Weapon, Lord of the Rings, Mad Max, Matrix, Men in Black, Mission: Impossible, Mummy, Naked Gun, "
    "Pirates of the Caribbean, Rush Hour, Scream, Shrek, Spider-Man, Star Trek, Star Wars, Superman, Terminator, "
    "Toy Story, X-Men"
).split(", ")
series = items[TITLE].str.extract(f"^({'|'.join(SERIES)})")[0].to_numpy()  # (n_items,) missing where there is none
sequels = known[pd.Series(series[known]).duplicated(keep=False) & pd.notna(series[known])]
print(f"{len(sequels)} known films of {len(np.unique(series[sequels]))} series")
print(titles[sequels][:6])

# %% [markdown]
# For chance, every known film gets ten other known films at random.

# %%
n_known = len(known)
steps = rng.integers(1, n_known, size=(n_known, N_NEIGHBOURS))  # from a film to another, never to itself
lists = {"chance": known[(np.arange(n_known)[:, None] + steps) % n_known]}  # (n_known, N_NEIGHBOURS)
lists |= {name: others for name, (others, _) in among_known.items()}

# %% [markdown]
# Both yardsticks in one table, with 95 % [bootstrap intervals](../docs/glossary.md#confidence-interval). Genres are
# resampled by movie. Movies of one series are not
# independent, so the second yardstick is averaged within each series and resampled by series. The first row is chance.

# %% tags=["nbval-check-output"]
is_sequel = np.isin(known, sequels)
genre_score, series_score, rows = {}, {}, []
for name, others in lists.items():
    genre_score[name] = genre_agreement(known, others)
    found = (series[sequels][:, None] == series[others[is_sequel]]).any(axis=1)  # (n_sequels,)
    series_score[name] = pd.Series(found).groupby(series[sequels]).mean().to_numpy()  # (n_series,)
    rows.append([name])
    for score in (genre_score[name], series_score[name]):
        low, high = comparison.bootstrap_interval(score)
        rows[-1] += [score.mean(), f"{low:.2f} to {high:.2f}"]
names = ["vectors", "shared genres", "interval", "same series", "its interval"]
results_table(pd.DataFrame(rows, columns=names), digits=2)

# %% [markdown]
# All three beat chance on both. But who is best?

# %%
genre_mean = {name: score.mean() for name, score in genre_score.items()}
series_mean = {name: score.mean() for name, score in series_score.items()}
for name in embeddings:
    assert comparison.bootstrap_interval(genre_score[name])[0] > genre_mean["chance"], (
        f"{name}: genres should beat chance"
    )
    assert comparison.bootstrap_interval(series_score[name])[0] > series_mean["chance"], (
        f"{name}: series should beat chance"
    )
print(f"genres: {', '.join(f'{name} {genre_mean[name]:.2f}' for name in embeddings)}")
print(f"series: {', '.join(f'{name} {series_mean[name]:.0%}' for name in embeddings)}")

# %% [markdown]
# Compare in pairs, with the interval of the difference. On genres both towers pass the SVD. They have read the genres, so
# that is no surprise. On series, which no vector has seen, neither of them passes it by more than luck. **Choose the
# yardstick and you choose the winner.**

# %%
for name in towers:
    low, high = comparison.bootstrap_interval(genre_score[name] - genre_score["SVD"])
    assert low > 0, f"{name}: a tower that reads genres should agree more in genre"
    print(f"genres, {name} minus SVD: {low:+.2f} to {high:+.2f}")
    low, high = comparison.bootstrap_interval(series_score[name] - series_score["SVD"])
    assert low < 0, f"{name}: a tower should not find more of a series by more than luck"
    print(f"series, {name} minus SVD: {low:+.2f} to {high:+.2f}")

# %% [markdown]
# What each was trained on differs. For a tower that predicts stars, movies belong together if the same users give them
# the same stars; whether they were watched together does not matter. The retrieval tower and the SVD, with its zeros for
# missing ratings, learn who watched what, and people watch series.
#
# ## Do the three agree?
#
# If near meant one thing, the three would list the same films. Count how many of the ten they share.


# %% tags=["nbval-check-output"]
def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return (one[:, :, None] == other[:, None, :]).any(axis=2).mean()  # (n, k, k) -> share


ratings_tower, retrieval_tower = towers
pairs = [("chance", "SVD"), (ratings_tower, retrieval_tower), (ratings_tower, "SVD"), (retrieval_tower, "SVD")]
shared = {pair: overlap(lists[pair[0]], lists[pair[1]]) for pair in pairs}
results_table(
    pd.DataFrame([[*pair, share] for pair, share in shared.items()], columns=["one", "other", "shared"]), digits=2
)

# %% [markdown]
# All pairs share more than chance, and none shares half of its list. Similar is always similar *for a purpose*.

# %%
assert np.isclose(shared["chance", "SVD"], N_NEIGHBOURS / (n_known - 1), rtol=0.5), "chance is k of n - 1"
for pair in pairs[1:]:
    assert 1.5 * shared["chance", "SVD"] < shared[pair] < 0.5, f"{pair} share {shared[pair]:.0%}"

# %% [markdown]
# ## Draw a map
#
# t-SNE lays films out in the plane so that near neighbours stay near. We take the retrieval tower, and only films
# with many ratings. A film's colour is the first of these genres that it has.

# %%
on_map = np.flatnonzero(n_ratings >= ON_MAP)
vectors = embeddings["retrieval tower (11)"][on_map]  # (n_on_map, dim)
spot = manifold.TSNE(init="pca", method="exact", random_state=SEED).fit_transform(vectors)  # (n_on_map, 2)

main_genres = ["Children", "Horror", "Sci-Fi", "Action", "Comedy", "Drama"]
main_genre = np.full(len(on_map), "other", dtype=object)
for genre in reversed(main_genres):
    main_genre[items[GENRES][on_map].str.contains(genre)] = genre

# %% [markdown]
# Labels go on movies that most people know. Each label takes the first free place around its movie; `taken` holds the
# boxes of what is there already, one a row.

# %%
LABELLED = (
    "Toy Story; Lion King, The; Shrek; Finding Nemo; Home Alone; E.T. the Extra-Terrestrial; Alien; Scream; "
    "Shining, The; Silence of the Lambs, The; Star Wars: Episode IV - A New Hope; Matrix, The; Blade Runner; "
    "Jurassic Park; Die Hard; Gladiator; Kill Bill: Vol. 1; Pretty Woman; Groundhog Day; Clueless; Titanic; Forrest Gump; "
    "Godfather, The; Casablanca; Pulp Fiction; Fargo; Lord of the Rings: The Two Towers, The"
).split("; ")


# %%
def label(axes: plt.Axes, text: str, at: np.ndarray, taken: np.ndarray) -> np.ndarray:
    for radius in (9, 18, 28, 40, 55, 75, 100):  # points
        for angle in np.arange(0, 2 * np.pi, np.pi / 8):
            offset = radius * np.array([np.cos(angle), np.sin(angle)])
            side = "left" if offset[0] > 0 else "right"
            note = axes.annotate(text, at, offset, textcoords="offset points", ha=side, va="center", fontsize=9)
            box = note.get_window_extent().padded(1).extents  # (4,) left, bottom, right, top, in pixels
            if not ((box[:2] < taken[:, 2:]) & (box[2:] > taken[:, :2])).all(axis=1).any():
                axes.annotate("", at, offset, textcoords="offset points", arrowprops={"arrowstyle": "-", "lw": 0.7})
                return np.vstack([taken, box])
            note.remove()
    raise ValueError(f"no free place for {text!r}")


# %% [markdown]
# Look for neighbourhoods that you can name, by genre and by period: the tower reads both.

# %%
figure, axes = plt.subplots(figsize=(9, 7.5))
colours = [*plt.rcParams["axes.prop_cycle"].by_key()["color"][:6], "C6"]
for genre, colour in zip([*main_genres, "other"], colours, strict=True):
    axes.scatter(*spot[main_genre == genre].T, s=22, color=colour, label=genre)
axes.set_title(f"{len(on_map)} movies with at least {ON_MAP} ratings, retrieval tower")
axes.set(xlabel="t-SNE 1 (no unit)", ylabel="t-SNE 2 (no unit)")
axes.legend(ncols=7, loc="upper center", bbox_to_anchor=(0.5, -0.08))
figure.canvas.draw()  # fixes the layout, so that labels can be measured
dots = axes.transData.transform(spot)  # (n_on_map, 2) pixels
taken = np.hstack([dots - 4, dots + 4])  # (n_on_map, 4) no label on a movie
for film in np.flatnonzero(np.isin(titles[on_map], LABELLED)):
    taken = label(axes, titles[on_map][film].split(":")[0].removesuffix(", The"), spot[film], taken)
plt.show()

# %% [markdown]
# The map is pleasant, and it is a summary that loses a part of what it summarises. How many of a movie's ten nearest by
# cosine are among its ten nearest on the map? For comparison, a plain projection on the first two principal axes.


# %%
def nearest_ten(points: np.ndarray) -> np.ndarray:
    return similarity.nearest_neighbours(points, N_NEIGHBOURS).index


kept_by_tsne = overlap(nearest_ten(vectors), nearest_ten(spot))
kept_by_pca = overlap(nearest_ten(vectors), nearest_ten(decomposition.PCA(2, random_state=SEED).fit_transform(vectors)))
kept_by_chance = N_NEIGHBOURS / (len(on_map) - 1)
assert 2 * kept_by_chance < kept_by_pca < kept_by_tsne / 2, "t-SNE should keep far more than PCA"
assert kept_by_tsne < 0.8, "t-SNE should lose a part"
print(f"nearest movies kept: map {kept_by_tsne:.0%}, projection {kept_by_pca:.0%}, chance {kept_by_chance:.0%}")

# %% [markdown]
# So read the map for its neighbourhoods, and check a pair of films by its cosine. Nothing else on it has a meaning:
# not the axes, not the gaps between islands, not their size (Wattenberg et al., 2016).
#
# ## Hubs
#
# Every film has ten neighbours, so a film is in ten lists on average. On average only: in many dimensions some points
# lie near to very many others (Radovanović et al., 2010). A "similar films" shelf would show those
# [hubs](../docs/glossary.md#hubness) again and
# again. The baseline here is vectors of random directions.

# %%
random_vectors = rng.normal(size=(n_known, DIM))
random_vectors /= np.linalg.norm(random_vectors, axis=1, keepdims=True)
lists["random vectors"] = known[nearest_ten(random_vectors)]
in_lists = {
    name: np.bincount(lists[name].ravel(), minlength=n_items)[known]  # (n_known,) lists that a film is in
    for name in ["random vectors", *embeddings]
}
for name, times in in_lists.items():
    assert times.mean() == N_NEIGHBOURS, f"{name}: every list should have its place"

# %% [markdown]
# A long tail to the right is what hubs look like.

# %%
figure, axes = plt.subplots()
at_least = np.arange(1, n_known + 1) / n_known  # (n_known,) share of films
for name, times in in_lists.items():
    style = {"color": "C6", "linestyle": ":"} if name == "random vectors" else {}
    axes.plot(np.sort(times)[::-1], at_least, label=name, **style)
axes.axvline(N_NEIGHBOURS, color="C6", linewidth=1)
axes.text(N_NEIGHBOURS, at_least[0], " mean of every set", va="bottom", color="C6", fontsize=9)
axes.set(title="How many films are in many lists?", yscale="log")
axes.set(xlabel="lists that a film is in, at least", ylabel="share of known films")
axes.yaxis.set_major_formatter(lambda share, _: f"{share:.1%}")
axes.legend()
plt.show()

# %% [markdown]
# Skewness puts the tail into one number: 0 for a symmetric distribution. The last column asks if hubs are just the
# films that everybody rates (Spearman's rank correlation).

# %% tags=["nbval-check-output"]
rows = []
for name, times in in_lists.items():
    hub = times.argmax()
    correlation = stats.spearmanr(times, n_ratings[known]).statistic
    rows.append([name, stats.skew(times), (times == 0).mean(), times[hub], titles[known[hub]], correlation])
names = ["vectors", "skewness", "share in no list", "most lists", "whose", "correlation with ratings"]
results_table(pd.DataFrame(rows, columns=names), digits=2)

# %%
skewness = {name: stats.skew(times) for name, times in in_lists.items()}
popularity = {name: stats.spearmanr(times, n_ratings[known]).statistic for name, times in in_lists.items()}
for name in ("retrieval tower (11)", "SVD"):
    assert skewness[name] > skewness["random vectors"], f"{name}: should have more hubs than random vectors"
assert popularity["SVD"] > 0.3 or KNOWN < 20, "among known movies, hubs of the SVD should be popular ones"
assert abs(popularity["random vectors"]) < 4 / np.sqrt(n_known), (
    "hubs of random vectors should know nothing of popularity"
)

# %% [markdown]
# The SVD and the retrieval tower have more hubs than random vectors. Those of the SVD lean to popular movies, although
# the cosine has divided every length away.

# %% [markdown]
# ## When a high cosine means nothing
#
# **Case 1: one rating.** Which person gave most of the ratings that are their film's only one? Take two of those
# films: the one they liked least and the one they liked most.

# %% tags=["nbval-check-output"]
only = ratings[ratings[ITEM_ID].isin(items[ITEM_ID][n_ratings == 1])]
person = only[USER_ID].value_counts().idxmax()
theirs = only[only[USER_ID] == person].sort_values([RATING, ITEM_ID])
films = np.searchsorted(items[ITEM_ID], theirs[ITEM_ID])  # (n,) from hated to loved
cosines = embeddings["SVD"][films] @ embeddings["SVD"][films].T  # (n, n)
print(f"user {person}: {len(films)} films that nobody else rated; smallest cosine between them {cosines.min():.6f}")
ends = [0, -1]
columns = {"film": titles[films[ends]], "genres": genres[films[ends]], "stars": theirs[RATING].iloc[ends]}
results_table(pd.DataFrame(columns), digits=1)

# %% [markdown]
# Hated or loved, whatever it is about: the cosine is 1, as high as a cosine can be. The row of such a film in the
# matrix has one number. Its SVD vector is that number times the person's vector, so its direction says *who* rated
# the film, and nothing about the film. All films that only this person rated share one point.

# %%
lonely = n_ratings == 1
others, squared_distance = among_all["SVD"]
at_zero = (squared_distance[lonely, 0] < 1e-6).mean()
genres_at_zero = genre_agreement(films, rng.choice(films, size=(len(films), N_NEIGHBOURS))).mean()
assert cosines.min() > 0.9999, "all films that one person alone rated should have one direction"
assert at_zero > 0.9, "nearly every film with one rating should have a twin at distance 0"
assert genres_at_zero < 1.5 * chance, "such twins should share hardly more genres than chance"
print(f"of the {lonely.sum():,} movies with one rating, {at_zero:.0%} have a neighbour at distance 0")
print(f"those of user {person} share genres with a Jaccard index of {genres_at_zero:.2f}; chance is {chance:.2f}")

# %% [markdown]
# This is also why hubs had to be sought among known films: where hundreds of films share a point, the first ten of
# them are everybody's neighbours. The repair is the one we used. Ask for a number of ratings before you show a
# neighbour, or give the film features, as the towers do, and know that they are what you see.
#
# **Case 2: the same model, other cosines.** The prediction of a
# [factorisation](../docs/glossary.md#matrix-factorisation) is a dot product of a person and a
# film. Stretch an axis of the films and shrink the same axis of the people, and every prediction stays (Steck et al.,
# 2024). Two films with the cosine 0:

# %% tags=["nbval-check-output"]
two_people = np.array([[2.0, 1.0], [0.0, 3.0]])  # (people, dim)
two_films = np.array([[1.0, 1.0], [1.0, -1.0]])  # (films, dim)
for stretch in (0.1, 1, 10):
    axes_stretch = np.array([stretch, 1])  # of the films; the people get the inverse
    films_now, people_now = two_films * axes_stretch, two_people / axes_stretch
    assert np.allclose(people_now @ films_now.T, two_people @ two_films.T), "no prediction may change"
    one, other = films_now / np.linalg.norm(films_now, axis=1, keepdims=True)
    print(f"first axis of the films × {stretch:>3}: cosine {(one @ other).round(2) + 0.0:+.2f}, same predictions")

# %% [markdown]
# Nearly opposite, unrelated, nearly equal, and no prediction moved. It is no toy: an SVD can give its singular values
# $\Sigma$ to the films, as we did, or to the people, or half to each. Which films are near depends on that choice.

# %% tags=["nbval-check-output"]
sigma = svd.singular_values_  # (DIM,)
for name, films_now, people_now in [
    ("half to each", factors / sigma**0.5, svd.components_.T * sigma**0.5),
    ("all to the people", factors / sigma, svd.components_.T * sigma),
]:
    assert np.allclose(films_now @ people_now.T, factors @ svd.components_), "no prediction may change"
    stretched = films_now[known] / np.linalg.norm(films_now[known], axis=1, keepdims=True)
    kept = overlap(lists["SVD"], known[nearest_ten(stretched)])
    print(f"singular values {name}: same predictions, {kept:.0%} of the nearest films are the same")
    assert kept < 0.9, "the neighbours should depend on who gets the singular values"

# %% [markdown]
# Every tower that is trained on a plain dot product, as that of Lesson 11 is, has this freedom: its loss does not see
# the stretch. The starting point, the optimiser and the regularisation decide what its cosines are. To rely on
# cosines, train on cosines: normalise both towers' outputs before the dot product. Or choose a scale that means
# something: with $F\Sigma$, the dot product of two films is the dot product of their rows in the model's rating
# matrix.

# %%
predicted = factors[:50] @ svd.components_  # (50, n_users) rows of the model's matrix
assert np.allclose(predicted @ predicted.T, factors[:50] @ factors[:50].T), "FΣ should keep the rows' dot products"

# %% [markdown]
# ## Because you watched
#
# Now the shelf. One person, the last film that they gave five stars, and the nearest known films that they have not
# rated.

# %% tags=["nbval-check-output"]
history = ratings[ratings[USER_ID] == USER].sort_values(TIMESTAMP)
history_films = np.searchsorted(items[ITEM_ID], history[ITEM_ID])  # oldest first
loved = history_films[(history[RATING] == 5).to_numpy() & (n_ratings[history_films] >= KNOWN)][-1]
fresh = np.setdiff1d(known, history_films)  # known films without a rating by this person
shelf = {}
for name, vectors in embeddings.items():
    cosine = vectors[[loved]] @ vectors[fresh].T  # (1, n_fresh)
    shelf[name] = fresh[metrics.top_k(cosine, 5)[0]]  # (5,)
    assert not np.isin(shelf[name], history_films).any(), "nothing should be shown that they have rated"
print(f"Because user {USER} watched {titles[loved]}:")
results_table(pd.DataFrame({"rank": range(1, 6)} | {name: titles[films] for name, films in shelf.items()}))

# %% [markdown]
# Three shelves, and none is wrong. The retrieval tower and the SVD were trained on who watched what, the ratings
# tower on who gave how many stars. Choose the one that answers your visitors' question.
#
# ## In practice
#
# - **Say what near is for**, then choose the vectors: co-watching, taste, or content.
# - **Hold every list against chance and against a yardstick that the vectors have not seen.** Better still, count
#   clicks.
# - **Set a floor of ratings** below which a film neither gets nor joins a list. It is the cheapest improvement there
#   is.
# - **Check for hubs** before the shelf goes live; put a limit on the lists that a film may be in.
# - **[Exact search](../docs/glossary.md#exact-nearest-neighbour-search) lasts a long way.** All pairs cost $n^2$: the
#   table in memory is what breaks first.

# %% tags=["nbval-check-output"]
n_large = 1_000_000
table_bytes, block_bytes = n_large**2 * 4, n_large * 1024 * 8
print(
    f"a million films: all pairs in single precision {table_bytes / 1e12:.0f} TB, a block of 1,024 rows {block_bytes / 1e9:.0f} GB"
)
assert table_bytes > 400 * block_bytes, "a block should be small beside the table"

# %% [markdown]
# ## What goes wrong, and why
#
# Nearest-film tables are often made with a double loop in Python over all pairs. It is right, and it is slow: each
# distance is a handful of operations wrapped in a function call. We time it on a sample and extrapolate, because
# nobody wants to wait for the whole; then the blocks on everything. Both clocks count the work of all cores.


# %%
def squared_distance_of(one: np.ndarray, other: np.ndarray) -> float:
    return np.sum(np.square(one - other))


def double_loop(vectors: np.ndarray) -> np.ndarray:
    table = np.full((len(vectors), len(vectors)), np.inf)
    for i in range(len(vectors)):
        for j in range(len(vectors)):
            if i != j:
                table[i, j] = squared_distance_of(vectors[i], vectors[j])
    return table.argmin(axis=1)


def cpu_seconds(call, times: int = 1) -> float:
    start = time.process_time()
    for _ in range(times):
        call()
    return time.process_time() - start


vectors = embeddings["retrieval tower (11)"]
sample = vectors[known[:100]]
assert np.array_equal(double_loop(sample), nearest_in_blocks(sample)), "both should find the same films"

# %% [markdown]
# The best of five runs of each, so that a busy machine disturbs neither.

# %% tags=["nbval-check-output"]
loop_seconds = min(cpu_seconds(lambda: double_loop(sample)) for _ in range(5))
loop_seconds *= (n_items / len(sample)) ** 2  # extrapolated from the sample to all pairs
block_seconds = min(cpu_seconds(lambda: nearest_in_blocks(vectors)) for _ in range(5))
assert loop_seconds > 100 * block_seconds, f"only {loop_seconds / block_seconds:.0f} times faster"
print(f"{n_items:,} movies, the loop extrapolated from {len(sample)}: blocks are more than 100 times faster")

# %% [markdown]
# It is also often said that with stored vectors a recommendation is an "O(1) lookup". Reading *one* film's vector, or
# a list of neighbours that was made beforehand, is. Answering a new query is not: it must be compared with every
# film. Measured, with a query against a sixteenth of the films and against all:

# %% tags=["nbval-check-output"]
query, part = vectors[0], vectors[: n_items // 16]
part_seconds = min(cpu_seconds(lambda: part @ query, 300) for _ in range(5))
all_seconds = min(cpu_seconds(lambda: vectors @ query, 300) for _ in range(5))
print("sixteen times the films take more than twice the time: a search, not an O(1) lookup")
assert all_seconds > 2 * part_seconds, f"{all_seconds / part_seconds:.1f} times as long"

# %% [markdown]
# An [approximate index](../docs/glossary.md#approximate-nearest-neighbour-search) answers without comparing every
# movie, and pays for the speed with a little recall.
#
# ## Exercises
#
# 1. In a copy of the matrix, subtract each user's mean from their ratings before the SVD. What is the cosine of the two films of case 1 now?
#    Is that better?
# 2. Set `KNOWN` to 5 and then to 50. What happens to the two yardsticks and to the hubs?
# 3. Colour the map by year. Do its islands follow the periods that the tower reads? Then draw it from the SVD.
# 4. Add the cosines of the retrieval tower and the SVD. Does the sum beat both on series?
# 5. Divide each cosine by the mean cosine of the candidate to its own ten nearest. What does that do to the hubs?
#
# ## Takeaways
#
# - For unit vectors the squared distance is 2 - 2 cosine, so one matrix product finds the neighbours, in blocks and
#   more than 100 times faster than a double loop.
# - All three sets beat chance, and they share less than half of their lists: near is near for a purpose.
# - The yardstick decides: towers that read genres win on genres; on series, which no vector has seen, they do not beat
#   the SVD.
# - The shortest distances belong to the films with the fewest ratings. Ask for enough ratings first.
# - A map keeps a part of the neighbours and nothing else. Two of three sets have hubs; the SVD's lean to popular films.
# - Cosines of a model trained on dot products can be changed without changing a prediction.
#
# ## Next
#
# This is the last lesson for now. [Lesson 11](11_retrieve_with_in_batch_negatives.ipynb) trains the retrieval tower,
# [Lesson 07](07_beat_the_rating_baselines.ipynb) the ratings tower.
#
# ## References
#
# - H. Steck, C. Ekanadham, N. Kallus (2024). [Is cosine-similarity of embeddings really about
#   similarity?](https://arxiv.org/abs/2403.05440) WWW Companion.
# - M. Radovanović, A. Nanopoulos, M. Ivanović (2010). [Hubs in space: popular nearest neighbors in high-dimensional
#   data](https://jmlr.org/papers/v11/radovanovic10a.html). JMLR 11.
# - L. van der Maaten, G. Hinton (2008). [Visualizing data using
#   t-SNE](https://jmlr.org/papers/v9/vandermaaten08a.html). JMLR 9.
# - M. Wattenberg, F. Viégas, I. Johnson (2016). [How to use t-SNE
#   effectively](https://distill.pub/2016/misread-tsne/). Distill.
# - F. M. Harper, J. A. Konstan (2015). [The MovieLens datasets: history and
#   context](https://doi.org/10.1145/2827872). ACM TiiS 5(4).
