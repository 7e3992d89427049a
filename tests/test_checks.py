"""Checks of what callers hand in."""

import numpy as np
import pandas as pd

from recsys_utils import checks
from recsys_utils.columns import ITEM_ID, RATING, TIMESTAMP, USER_ID


def frame_of(*rows):
    return pd.DataFrame(rows, columns=[USER_ID, ITEM_ID, RATING, TIMESTAMP])


GOOD = frame_of((1, 10, 4.0, 100), (1, 20, 3.5, 200), (2, 10, 5.0, 300))


def test_good_input_passes_every_check():
    checks.check_columns("ratings", GOOD, [USER_ID, TIMESTAMP])
    checks.check_ratings(GOOD.assign(rating=[0.5, 5, 5]))
    checks.check_probability("share", 0.5)
    checks.check_scores("scores", np.array([[1, 2]]), (1, 2))
    for k in (1, 5, np.int64(3)):
        checks.check_k(k, 5)
    checks.check_choice("edition", "ml-1m", ["ml-1m"])
