"""Tables of readers: odd ones load right, and what would have to be guessed is refused with a way out."""

import gzip
import re
import subprocess
import sys

import pandas as pd
import pytest
from basics import ROOT

from recsys_utils.datasets import table
from recsys_utils.datasets.movielens import load_movielens
from recsys_utils.datasets.table import load_ratings
from recsys_utils.metrics import make_ranking_task
from recsys_utils.splits import split_by_time

NAMES = {"user": "who", "item": "what"}
FULL = NAMES | {"rating": "stars", "time": "when", "title": "name"}
LAMP = '"Lamp, The"'
PLAIN = f"who,what,stars,when,name\n7,20,4.5,1600000200,Cup\n7,10,0.5,1600000100,{LAMP}\n3,10,5,1600000300,{LAMP}\n"


@pytest.fixture
def write(tmp_path):
    def write(text, name="own.csv", encoding="utf-8"):
        (tmp_path / name).write_bytes(text.encode(encoding))
        return tmp_path / name

    return write


def test_a_plain_table_gets_the_shape_of_movielens(write):
    own, movies = load_ratings(write(PLAIN), **FULL), load_movielens()
    assert own.ratings.to_dict("list") == {
        "user_id": [3, 7, 7],
        "item_id": [10, 10, 20],
        "rating": [5.0, 0.5, 4.5],
        "timestamp": [1600000300, 1600000100, 1600000200],
    }
    assert own.items.to_dict("list") == {
        "item_id": [10, 20],
        "title": ["Lamp, The", "Cup"],
        "year": [0, 0],
        "genres": ["(no genres listed)"] * 2,
    }
    assert own.users.to_dict("list") == {"user_id": [3, 7], "name": ["3", "7"]}
    for name in ("ratings", "items"):
        ours, theirs = getattr(own, name), getattr(movies, name)
        assert sorted(ours.columns) == sorted(theirs.columns)
        for column in ours.select_dtypes("number"):
            assert ours[column].dtype.kind == theirs[column].dtype.kind, column


ODD = (
    "at;who;what;name\n"
    '31.12.2024 09:00;v2;/a;"Lamp; the ""red"" one, that is"\n'
    "1.2.2024 10:00;v10;/b;Cup\n"
    '2.2.2024 10:00;v10;/a;"Lamp; the ""red"" one, that is"\n'
    "1.1.2024 10:00;v10;/b;Cup\n"
    "1.1.2025 00:00;v2;/c;Ü\n"
)


@pytest.mark.parametrize(("keep", "newest"), [("first", "2024-01-01 10:00"), ("last", "2024-02-01 10:00")])
def test_an_odd_table_of_clicks_loads_right(keep, newest, write):
    path = write(ODD, encoding="utf-8-sig")
    own = load_ratings(path, **NAMES, time="at", title="name", time_format="%d.%m.%Y %H:%M", duplicates=keep)
    assert own.users["name"].tolist() == ["v10", "v2"]
    assert own.items["title"].tolist() == ['Lamp; the "red" one, that is', "Cup", "Ü"]
    assert own.ratings["rating"].tolist() == [1.0] * 4
    assert own.ratings["user_id"].tolist() == [0, 0, 1, 1]
    cup = own.ratings[own.ratings["item_id"] == 1]
    assert cup["timestamp"].tolist() == [pd.Timestamp(newest).timestamp()]
    by_last = own.ratings.merge(own.items).groupby("user_id")["title"].last()
    assert by_last[1] == "Ü", "as text, 1.1.2025 would stand before 31.12.2024"


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_names_tell_the_separator(separator, write):
    text = f'who{separator}what{separator}"a, b; c | d\te"\n1{separator}2{separator}x\n'
    assert load_ratings(write(text), **NAMES).ratings["item_id"].tolist() == [2]


def test_a_gzipped_file_and_other_encodings_are_read(write, tmp_path):
    expected = load_ratings(write(PLAIN), **FULL)
    (tmp_path / "own.csv.gz").write_bytes(gzip.compress(PLAIN.encode()))
    for own in (
        load_ratings(tmp_path / "own.csv.gz", **FULL),
        load_ratings(write(PLAIN, "own.txt", "utf-16"), **FULL, encoding="utf-16"),
        load_ratings(str(write(PLAIN.replace("\n", "\r\n"), "OWN.CSV")), **FULL),
    ):
        for ours, theirs in zip(own, expected, strict=True):
            pd.testing.assert_frame_equal(ours, theirs)


def test_parquet_and_frames_equal_csv(write, tmp_path):
    expected = load_ratings(write(PLAIN), **FULL)
    frame = pd.read_csv(write(PLAIN))
    dates = frame.assign(when=pd.to_datetime(frame["when"], unit="s"))
    zoned = frame.assign(when=dates["when"].dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo"))
    for number, version in enumerate((frame, dates, zoned, frame.astype({"who": "Int64", "what": "category"}))):
        version.to_parquet(tmp_path / f"{number}.parquet")
        for source in (tmp_path / f"{number}.parquet", version.iloc[::-1]):
            for ours, theirs in zip(load_ratings(source, **FULL), expected, strict=True):
                pd.testing.assert_frame_equal(ours, theirs)


def test_without_pyarrow_the_message_says_what_to_install(write, monkeypatch):
    path = write("", "own.parquet")
    monkeypatch.setattr(table.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"own\.parquet.*pip install pyarrow"):
        load_ratings(path, **NAMES)


def test_decimal_commas_are_numbers(write):
    own = load_ratings(write("who;what;stars\n1;1;3,5\n1;2;4\n"), **NAMES, rating="stars")
    assert own.ratings["rating"].tolist() == [3.5, 4.0]


def test_ids_that_differ_as_text_stay_apart(write):
    own = load_ratings(write("who,what\n007,1\n7,1\n"), **NAMES)
    assert own.users["name"].tolist() == ["007", "7"] and own.users["user_id"].tolist() == [0, 1]
    own = load_ratings(write(f"who,what\n{2**60},1\n{2**60 + 1},1\n"), **NAMES)
    assert own.users["user_id"].tolist() == [0, 1], "too long for a number"


@pytest.mark.parametrize(
    ("when", "time_format", "seconds"),
    [
        (["1600000000.5", "1600000001"], None, [1600000000.5, 1600000001.0]),
        (["1600000000500", "1600000001000"], "ms", [1600000000.5, 1600000001.0]),
        (["20240102", "20231231"], "%Y%m%d", [1704153600, 1703980800]),
        (["5", "3"], "s", [5, 3]),
        (["2024-01-02", "2024-01-02T02:00:00+02:00"], None, [1704153600, 1704153600]),
        (["2024-01-02 00:00:00", "2024-01-02 00:00:00.25"], None, [1704153600.0, 1704153600.25]),
        (["01/02/2024", "02/01/2024"], "%d/%m/%Y", [1706745600, 1704153600]),
    ],
)
def test_times_become_seconds(when, time_format, seconds):
    frame = pd.DataFrame({"who": [1, 2], "what": [1, 1], "when": when})
    times = load_ratings(frame, **NAMES, time="when", time_format=time_format).ratings["timestamp"]
    assert times.tolist() == seconds and times.dtype.kind == ("f" if isinstance(seconds[0], float) else "i")


def test_short_users_are_left_out_only_when_asked():
    frame = pd.DataFrame({"who": ["a"] * 4 + ["b"] * 4, "what": [1, 2, 3, 4, 1, 1, 2, 9], "when": range(8)})
    options = {"time": "when", "time_format": "s", "duplicates": "last"}
    assert load_ratings(frame, **NAMES, **options).users["name"].tolist() == ["a", "b"]
    own = load_ratings(frame, **NAMES, **options, min_per_user=4)
    assert own.users["name"].tolist() == ["a"] and own.items["item_id"].tolist() == [1, 2, 3, 4]
    make_ranking_task(*split_by_time(split_by_time(own.ratings).train))


TEXT = "who,what,stars,when,name\n"


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", {}, "own.csv', which cannot be read (No columns to parse from file)"),
        (TEXT, {}, "table is empty; expected at least one row below the names"),
        (TEXT + "1,2,3,4,Lamp, The\n", {}, "quotes around a text with separators"),
        (TEXT + "1,2,3,4,Lamp\n1,2,3,4,Lamp, The\n", {}, "Expected 5 fields in line 3, saw 6"),
        (TEXT + '1,2,3,4,"Lamp\n', {}, "EOF inside string"),
        (TEXT + "1,2,3,4,Ü\n", {"encoding": "ascii"}, "not in ascii ('ascii' codec can't decode byte 0xc3"),
        (
            TEXT + "1,2,3,4,Ü\n",
            {"encoding": "utf-99"},
            "not in utf-99 (unknown encoding: utf-99); expected its encoding: ",
        ),
        (
            TEXT + "1,2,3,4,x\n",
            {"user": "whom"},
            "user is 'whom'; expected one of 'who', 'what', 'stars', 'when', 'name'; did you mean 'who'?",
        ),
        (TEXT + "1,2,3,4,x\n", {"user": "what"}, "user and item are both 'what'; expected a column each"),
        ("who,what,who\n1,2,3\n", {}, "user is 'who', which names several columns of ['who', 'what', 'who.1']"),
        (TEXT + "1,2,3,4,x\n,2,3,4,x\n", {}, "user='who' has no value in row 2 below the names (1 such rows)"),
        (TEXT + "1,NULL,3,4,x\n1\n", {}, "item='what' has no value in row 1 below the names (2 such rows)"),
        (TEXT + "1,2,3,4,\n", {"title": "name"}, "title='name' has no value in row 1"),
        (
            TEXT + "1,2,good,4,x\n",
            {"rating": "stars"},
            "rating='stars' has 'good' in row 1 below the names (1 such rows); expected numbers",
        ),
        (TEXT + '1,2,"3,5",4,x\n1,3,3.5,4,x\n', {"rating": "stars"}, "all with a decimal point or all with a comma"),
        (
            TEXT + "1,2,4,4,x\n1,3,10,4,x\n1,4,0,4,x\n",
            {"rating": "stars"},
            "rating='stars' has '10' in row 2 below the names (2 such rows); expected 0.5 to 5.0; the column "
            "has 0 to 10: scale it with pandas (1 to 10: divide by 2)",
        ),
        (
            TEXT + "1,2,4,31.12.2024,x\n",
            {"time": "when"},
            "time='when' has '31.12.2024' in row 1 below the names (1 such rows); expected dates such as "
            "2024-12-31: for others pass time_format, '%d.%m.%Y' for 31.12.2024",
        ),
        (TEXT + "1,2,4,2024-12-31,x\n1,3,4,2024,x\n", {"time": "when"}, "time='when' has '2024' in row 2"),
        (TEXT + "1,2,4,2024-12-31,x\n1,3,4,2024-13-31,x\n", {"time": "when"}, "time='when' has '2024-13-31' in row 2"),
        (
            TEXT + "1,2,4,31.12.2024,x\n",
            {"time": "when", "time_format": "%m.%d.%Y"},
            "expected times written as time_format='%m.%d.%Y' says",
        ),
        (
            TEXT + "1,2,4,2024-12-31,x\n",
            {"time": "when", "time_format": "ISO"},
            "time_format is 'ISO'; expected one such as '%d.%m.%Y', or one of ['s', 'ms', 'us', 'ns']",
        ),
        (
            TEXT + "1,2,4,1600000000000,x\n",
            {"time": "when"},
            "time='when' has '1600000000000' in row 1 below the names (1 such rows); expected seconds since "
            "1970, of the years 1990 to 2100: pass time_format='ms'",
        ),
        (TEXT + "1,2,4,1600000000,x\n", {"time": "when", "time_format": "ms"}, "time='when' has '1600000000' in row 1"),
        (
            TEXT + "1,2,4,20241231,x\n",
            {"time": "when"},
            "'%Y%m%d' for 20241231, or 's' to take the numbers as they are",
        ),
        (TEXT + "1,2,4,inf,x\n", {"time": "when", "time_format": "s"}, "time='when' has 'inf' in row 1"),
        (
            TEXT + "1,2,4,5,x\n1,3,4,5,x\n1,2,4,6,x\n1,2,4,7,x\n",
            {},
            "table has user 1, item 2 more than once (2 such rows); expected one row a pair: duplicates='last' "
            "keeps the last rating, duplicates='first' the first click",
        ),
        (
            TEXT + "1,2,4,5,x\n",
            {"duplicates": "frist"},
            "duplicates is 'frist'; expected one of 'first', 'last'; did you mean 'first'?",
        ),
        (TEXT + "1,2,4,5,x\n1,3,4,5,x\n", {"min_per_user": 4}, "min_per_user is 4, and no user has more than 2 rows"),
        (
            TEXT + "1,2,4,5,Lamp\n3,2,4,5,Lamps\n",
            {"title": "name"},
            "title='name' has 'Lamp' and 'Lamps' for one item; expected one title an item",
        ),
    ],
)
def test_what_would_have_to_be_guessed_is_refused(text, options, message, write):
    with pytest.raises(ValueError, match=re.escape(message)):
        load_ratings(write(text), **NAMES | options)


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("own.xlsx", ValueError, "expected a name that ends in .csv, .tsv, .txt, .csv.gz, .tsv.gz, .txt.gz, .parquet"),
        ("no.csv", FileNotFoundError, "expected a file on this machine, and there is none"),
        ("folder.csv", FileNotFoundError, "expected a file on this machine, and there is none"),
        ("own.csv.gz", ValueError, "own.csv.gz', which is damaged: Not a gzipped file"),
        ("own.parquet", ValueError, "own.parquet', which is no sound Parquet file"),
    ],
)
def test_a_file_of_another_kind_is_refused(name, error, message, tmp_path):
    (tmp_path / "folder.csv").mkdir()
    for damaged in ("own.csv.gz", "own.parquet"):
        (tmp_path / damaged).write_bytes(b"no such thing")
    with pytest.raises(error, match=re.escape(message)):
        load_ratings(tmp_path / name, **NAMES)


def test_a_truncated_gzip_file_is_refused(tmp_path):
    (tmp_path / "own.csv.gz").write_bytes(gzip.compress(PLAIN.encode() * 1000)[:-20])
    with pytest.raises(ValueError, match="which is damaged"):
        load_ratings(tmp_path / "own.csv.gz", **NAMES)


def test_a_frame_with_ids_of_two_types_a_gap_or_a_name_twice_is_refused():
    frame = pd.DataFrame({"who": [1, "1"], "what": [1, 2]})
    with pytest.raises(ValueError, match=r"user='who' has numbers and str; expected values of one type"):
        load_ratings(frame, **NAMES)
    for gap in (None, pd.NA, float("nan")):
        with pytest.raises(ValueError, match=r"item='what' has no value in row 2"):
            load_ratings(pd.DataFrame({"who": [1, 2], "what": pd.Series(["a", gap], dtype=object)}), **NAMES)
    twice = pd.DataFrame([[1, 2, 3]], columns=["who", "what", "who"])
    with pytest.raises(ValueError, match="names several columns"):
        load_ratings(twice, **NAMES)


def test_readme_code_runs_on_a_csv(own_tables):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.+?)```", readme, re.DOTALL)
    result = subprocess.run([sys.executable, "-c", code], cwd=own_tables, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "'NDCG@10': " in result.stdout and result.stderr == ""
