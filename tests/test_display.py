"""Tables: what they show, in which order, and what is refused."""

import re

import numpy as np
import pandas as pd
import pytest

from recsys_utils.display import frame_html, pprint_train, print_existing_user, print_pred_movies, results_table

MOVIES = {10: {"title": "Lamp & Co", "genres": "Action"}, 20: {"title": "Void", "genres": "Action|Drama"}}
ITEMS = np.array([[20, 1995, 3.25, 1, 1], [10, 1990, 4.0, 1, 0]])  # genres from column 3
USERS = np.array([[7, 12, 3.5, 2.0, 4.5]] * 2)


def cells(table):
    """The text of every cell, row by row."""
    rows = re.findall(r"<tr>(.*?)</tr>", str(table))
    return [[cell.strip() for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)] for row in rows]


def test_results_table_rounds_and_dashes():
    frame = pd.DataFrame({"model": ["mean", "bias"], "RMSE": [1.06, 0.9], "NDCG": [np.nan, 0.25]})
    assert cells(results_table(frame, 2)) == [
        ["model", "RMSE", "NDCG"],
        ["mean", "1.06", "–"],
        ["bias", "0.90", "0.25"],
    ]


@pytest.mark.parametrize(
    "table", [results_table(pd.DataFrame({"a": [1]})), print_pred_movies(np.ones(2), ITEMS, MOVIES)]
)
def test_jupyter_shows_html(table):
    assert table._repr_html_().startswith("<table>")


def sides(table):
    """The side of every cell, row by row, which GitHub reads from `align` and JupyterLab from `style`."""
    found = []
    for row in re.findall(r"<tr.*?</tr>", str(table), re.DOTALL):
        found.append(re.findall(r'<t[hd] align="(\w+)" style="text-align: \1;">', row))
        assert len(found[-1]) == len(re.findall("<t[hd]", row)), row
    return found


def test_tables_have_text_left_and_numbers_right():
    frame = pd.DataFrame({"model": ["mean", "bias"], "RMSE": [1.06, np.nan], "n": [3, 12]})
    assert sides(results_table(frame)) == [["left", "right", "right"]] * 3
    assert sides(frame_html(frame)) == [["right", "left", "right", "right"]] * 3
    named = frame.set_index(["model", "n"])
    assert sides(frame_html(named)) == [["left", "right", "right"]] * 4, "names of the index have a row of their own"
    assert sides(print_pred_movies(np.ones(2), ITEMS, MOVIES))[1] == ["right", "right", "right", "left", "left"]


def test_a_frame_keeps_what_pandas_says():
    text = pd.DataFrame({"title": ["<td>", "</tr>"], "no": [1, 2]})
    assert re.sub(r' align="\w+" style="text-align: \w+;"', "", frame_html(text)) == text._repr_html_()
    long = pd.DataFrame({"row": range(100)})
    assert "100 rows" in frame_html(long) and set(map(tuple, sides(frame_html(long)))) == {("right", "right")}


def test_a_frame_too_wide_to_be_shown_whole_stays_as_it_is():
    wide = pd.DataFrame(np.ones((2, 40)))
    with pd.option_context("display.max_columns", 20):
        assert frame_html(wide) == wide._repr_html_()
    spanned = pd.DataFrame(np.ones((2, 2)), columns=pd.MultiIndex.from_product([["a"], ["b", "c"]]))
    assert frame_html(spanned) == spanned._repr_html_()
    with pd.option_context("display.notebook_repr_html", False):
        assert frame_html(wide) is None


def test_pprint_train_brackets_what_a_model_does_not_use():
    names = ["user id", "rating count", "rating ave", "Action", "Drama"]
    assert cells(pprint_train(USERS, names, vs=3, u_s=3, maxcount=1)) == [
        ["[user id]", "[rating count]", "[rating ave]", "Action", "Drama"],
        ["7", "12", "3.5", "2.0", "4.5"],
    ]
    names = ["movie id", "year", "ave rating", "Action", "Drama"]
    table = cells(pprint_train(ITEMS, names, 3, 1, maxcount=5, user=False))
    assert table[0] == ["[movie id]", "year", "ave rating", "Action", "Drama"]
    assert table[2] == ["10", "1990", "4.0", "1", "0"]


def test_pred_movies_in_the_given_order():
    table = cells(print_pred_movies(np.array([[4.46], [3.0]]), ITEMS, MOVIES, maxcount=1))
    assert table == [
        ["y_p", "movie id", "rating ave", "title", "genres"],
        ["4.5", "20", "3.2", "Void", "Action|Drama"],
    ]
    assert cells(print_pred_movies(np.array([4.4, 3.0]), ITEMS, MOVIES))[2][3] == "Lamp &amp; Co", "HTML is escaped"


def test_existing_user_skips_unrated_movies():
    table = cells(print_existing_user(np.array([4.4, 3.0]), np.array([[0.0], [2.5]]), USERS, ITEMS, 3, 3, MOVIES))
    assert table[0] == ["y_p", "y", "user", "user genre ave", "movie rating ave", "movie id", "title", "genres"]
    assert table[1:] == [["3.0", "2.5", "7", "2.0", "4.0", "10", "Lamp &amp; Co", "Action"]]


def test_existing_user_lists_the_averages_in_the_genres_of_the_movie():
    table = cells(print_existing_user(np.ones(2), np.ones(2), USERS, ITEMS, 3, 3, MOVIES, maxcount=1))
    assert len(table) == 2 and table[1][3] == "2.0, 4.5"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pprint_train(USERS, ["a", "b"], 1, 1), r"x_train has the shape \(2, 5\); expected \(n_rows, 2\)"),
        (lambda: pprint_train(USERS, list("abcde"), 2, 3), "vs is 2 and u_s is 3; expected 0 <= u_s <= vs <= 5"),
        (lambda: print_pred_movies(np.ones(3), ITEMS, MOVIES), r"y_p has the shape \(3,\); expected \(2,\)"),
        (
            lambda: print_existing_user(np.ones(2), np.ones((1, 2)), USERS, ITEMS, 3, 3, MOVIES),
            r"y has the shape \(1, 2\)",
        ),
        (
            lambda: print_existing_user(np.ones(2), np.ones(2), USERS[:1], ITEMS, 3, 3, MOVIES),
            "user has 1 rows; expected 2",
        ),
    ],
)
def test_refuses_what_does_not_fit(call, message):
    with pytest.raises(ValueError, match=message):
        call()
