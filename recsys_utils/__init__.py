"""Helpers of the Two Towers course: data, splits, metrics, user vectors, tables, nearest neighbours."""

from recsys_utils.display import pprint_train, print_existing_user, print_pred_movies
from recsys_utils.users import gen_user_vecs, get_user_vecs, load_data

__version__ = "0.1.0"

# The names that notebooks written for the old course-lab helper import; everything else is in its module.
__all__ = [
    "gen_user_vecs",
    "get_user_vecs",
    "load_data",
    "pprint_train",
    "print_existing_user",
    "print_pred_movies",
]
