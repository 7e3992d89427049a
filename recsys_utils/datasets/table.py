"""A table of your own, ratings or clicks, in the shape in which the lessons take MovieLens."""

import csv
import gzip
import importlib.util
import warnings
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from recsys_utils.checks import ISO_DATE, RATING_HIGH, RATING_LOW, check_choice, id_kinds
from recsys_utils.columns import GENRES, ITEM_ID, RATING, TIMESTAMP, TITLE, USER_ID, YEAR
from recsys_utils.datasets.movielens import NO_GENRES

TEXT_FILES, PARQUET = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz"), ".parquet"
SEPARATORS = ",;\t|"
WHOLE = r"0|[1-9]\d{0,17}"  # a number that is the same again when written as text: 007 is not
UNITS = {"s": 1, "ms": 1e3, "us": 1e6, "ns": 1e9}
NUMBERS_EXPECTED = (
    "seconds since 1970, of the years 1990 to 2100: pass time_format='ms' for milliseconds (also 'us', 'ns'), '%Y%m%d' "
    "for 20241231, or 's' to take the numbers as they are"
)
DATES_EXPECTED = "dates such as 2024-12-31: for others pass time_format, '%d.%m.%Y' for 31.12.2024"
YEAR_1990, YEAR_2100 = 631_152_000, 4_102_444_800  # seconds


class OwnData(NamedTuple):
    """What `load_movielens` returns, made of another table."""

    ratings: pd.DataFrame  # user_id, item_id, rating, timestamp (seconds; none without time=); by user, time, item
    items: pd.DataFrame  # item_id, title, year (0: unknown), genres ('(no genres listed)'); one row an item, by item_id
    users: pd.DataFrame  # user_id, name (the id as the table has it, as text); by user_id


def load_ratings(
    table: str | Path | pd.DataFrame,
    *,
    user: str,
    item: str,
    rating: str | None = None,
    time: str | None = None,
    title: str | None = None,
    time_format: str | None = None,
    duplicates: str | None = None,
    min_per_user: int = 1,
    encoding: str = "utf-8-sig",
) -> OwnData:
    """Read a table with one row a rating, or a click, so that splits, metrics and the lessons' models take it.

    Nothing is repaired in silence: what would have to be guessed is refused, and the error says what to do.

    Parameters
    ----------
    table : a CSV file with names in its first line, also gzipped (.csv, .tsv, .txt, .csv.gz, ...); a .parquet file; or
        a DataFrame. Fields are separated by commas, semicolons, tabs or bars: by what sets these names apart
    user, item : names of the columns of ids. Whole numbers stay; of other ids each gets a number, in alphabetical order
    rating : name of the column of stars, 0.5 to 5, with a decimal point or comma; None: every row is a choice, 1.0
    time : name of the column of times: dates, text such as 2024-12-31 or 2024-12-31 23:59:59, seconds since 1970. A
        time without a zone counts as UTC. None: only what needs no order works, such as `split_random`
    title : name of a column of what to call the item; None: its id
    time_format : how other times are written: '%d.%m.%Y' (as for strftime), or 's', 'ms', 'us', 'ns' since 1970
    duplicates : what to keep of several rows with one user and item, 'first' or 'last' by time (without times, by row)
    min_per_user : users with fewer rows, duplicates apart, are left out; lessons 11 and 14 need 4
    encoding : of a CSV file

    Returns
    -------
    OwnData

    Raises
    ------
    ValueError
        A column that is not there, a gap, a rating or time that is none or out of range, a pair twice, an item with two
        titles, a damaged file.
    FileNotFoundError, ModuleNotFoundError
        No such file; Parquet without pyarrow.
    """
    names = {"user": user, "item": item, "rating": rating, "time": time, "title": title}
    names = {role: name for role, name in names.items() if name is not None}
    raw = table if isinstance(table, pd.DataFrame) else _read(Path(table), names, encoding)
    _check_names(names, list(raw.columns))
    if len(raw) == 0:
        raise ValueError("table is empty; expected at least one row below the names")
    frame = pd.DataFrame({role: raw[name].array for role, name in names.items()})
    for role, name in names.items():
        _refuse(role, name, frame[role], frame[role].isna(), "a value in every row: fill it, or take the row out")
    for role in {"user", "item", "title"} & names.keys():
        frame[role] = _text(role, names[role], frame[role])
    frame["rating"] = _stars(rating, frame["rating"]) if rating is not None else 1.0
    if time is not None:
        frame["time"] = _seconds(time, frame["time"], time_format)
    frame = _keep_enough(_keep_one(frame, duplicates), min_per_user).reset_index(drop=True)
    if title is None:
        frame["title"] = frame["item"]
    frame[USER_ID], frame[ITEM_ID] = _number(frame["user"]), _number(frame["item"])
    frame = frame.rename(columns={"rating": RATING, "time": TIMESTAMP, "title": TITLE, "user": "name"})
    order = [name for name in (USER_ID, TIMESTAMP, ITEM_ID) if name in frame]
    frame = frame.sort_values(order, ignore_index=True)
    items = frame[[ITEM_ID, TITLE]].drop_duplicates().sort_values(ITEM_ID, ignore_index=True)
    twice = items.loc[items[ITEM_ID].duplicated(keep=False), TITLE].tolist()
    if twice:
        raise ValueError(
            f"title={title!r} has {twice[0]!r} and {twice[1]!r} for one item; expected one title an item: make them "
            "the same, or leave title out"
        )
    users = frame[[USER_ID, "name"]].drop_duplicates(ignore_index=True)
    columns = [name for name in (USER_ID, ITEM_ID, RATING, TIMESTAMP) if name in frame]
    return OwnData(frame[columns], items.assign(**{YEAR: 0, GENRES: NO_GENRES}), users)


def _read(path: Path, names: dict[str, str], encoding: str) -> pd.DataFrame:
    if not path.name.lower().endswith((*TEXT_FILES, PARQUET)):
        raise ValueError(
            f"table is {str(path)!r}; expected a name that ends in {', '.join((*TEXT_FILES, PARQUET))}; from a "
            "spreadsheet save as CSV, and what pandas reads otherwise can be passed as a DataFrame"
        )
    if not path.is_file():
        raise FileNotFoundError(f"table is {str(path)!r}; expected a file on this machine, and there is none")
    if path.name.lower().endswith(PARQUET):
        if importlib.util.find_spec("pyarrow") is None:
            raise ModuleNotFoundError(f"table is {str(path)!r}, and pyarrow is not installed: pip install pyarrow")
        try:
            return pd.read_parquet(path, engine="pyarrow")
        except (ValueError, OSError) as error:
            raise ValueError(f"table is {str(path)!r}, which is no sound Parquet file: {error}") from error
    try:
        with (gzip.open if path.suffix.lower() == ".gz" else open)(path, "rt", encoding=encoding) as file:
            separator = _separator(file.readline(), names)
            file.seek(0)
            with warnings.catch_warnings():
                warnings.simplefilter("error", pd.errors.ParserWarning)  # a row that is longer than the first line
                return pd.read_csv(file, sep=separator, dtype=str, index_col=False)
    except (UnicodeError, LookupError) as error:
        raise ValueError(
            f"table is {str(path)!r}, which is not in {encoding} ({error}); expected its encoding: encoding='cp1252' "
            "for most of Windows, 'utf-16' for Excel's Unicode text"
        ) from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, pd.errors.ParserWarning) as error:
        raise ValueError(
            f"table is {str(path)!r}, which cannot be read ({str(error).strip()}); expected as many fields in every "
            "row as names in the first, and quotes around a text with separators"
        ) from error
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(f"table is {str(path)!r}, which is damaged: {error}") from error


def _separator(line: str, names: dict[str, str]) -> str:
    """Find the separator under which the first line has the most of the names, then the most fields."""

    def count(mark: str) -> tuple[int, int]:
        fields = next(csv.reader([line.strip("\r\n")], delimiter=mark), [])
        return len(set(names.values()) & set(fields)), len(fields)

    return max(SEPARATORS, key=count)


def _check_names(names: dict[str, str], columns: list[str]) -> None:
    for role, name in names.items():
        check_choice(role, name, columns)
        if columns.count(name) > 1 or f"{name}.1" in columns:
            raise ValueError(f"{role} is {name!r}, which names several columns of {columns}; expected one of that name")
        others = [other for other in names if names[other] == name]
        if len(others) > 1:
            raise ValueError(f"{' and '.join(others)} are both {name!r}; expected a column each")


def _refuse(role: str, name: str, values: pd.Series, bad: pd.Series, expected: str) -> None:
    """Raise ValueError, with the first bad value and its row, if there is one."""
    if bad.any():
        row = int(bad.to_numpy().argmax())
        value = "no value" if pd.isna(values[row]) else repr(values.astype(object)[row])
        raise ValueError(
            f"{role}={name!r} has {value} in row {row + 1} below the names ({bad.sum()} such rows); expected {expected}"
        )


def _text(role: str, name: str, values: pd.Series) -> pd.Series:
    kinds = id_kinds(values)
    if len(kinds) > 1:
        raise ValueError(f"{role}={name!r} has {' and '.join(kinds)}; expected values of one type: use astype(str)")
    return values.astype(str)


def _stars(name: str, values: pd.Series) -> pd.Series:
    text = values.astype(str)
    comma, point = (text.str.contains(mark, regex=False).any() for mark in ",.")
    stars = pd.to_numeric(text.str.replace(",", ".") if comma and not point else text, errors="coerce").astype(float)
    _refuse("rating", name, values, stars.isna(), "numbers, all with a decimal point or all with a comma")
    expected = (
        f"{RATING_LOW} to {RATING_HIGH}; the column has {stars.min():g} to {stars.max():g}: scale it with pandas (1 to "
        "10: divide by 2) and pass the DataFrame, or leave rating out if each row is a choice"
    )
    _refuse("rating", name, values, ~stars.between(RATING_LOW, RATING_HIGH), expected)
    return stars


def _seconds(name: str, values: pd.Series, time_format: str | None) -> pd.Series:
    """Turn times into seconds since 1970: whole numbers if all are whole."""
    if time_format is not None and time_format not in UNITS and "%" not in time_format:
        raise ValueError(f"time_format is {time_format!r}; expected one such as '%d.%m.%Y', or one of {[*UNITS]}")
    text = values.astype(str)
    numbers = pd.to_numeric(text, errors="coerce").astype(float)
    if pd.api.types.is_datetime64_any_dtype(values):
        seconds = _since_1970(pd.to_datetime(values, utc=True))
    elif time_format in UNITS or (time_format is None and numbers.notna().all()):
        seconds = numbers / UNITS[time_format or "s"]
        bad = ~np.isfinite(seconds) if time_format == "s" else ~seconds.between(YEAR_1990, YEAR_2100)
        _refuse("time", name, values, bad, NUMBERS_EXPECTED)
    else:
        dates = text if time_format else text.where(text.str.match(ISO_DATE))
        dates = pd.to_datetime(dates, format=time_format or "ISO8601", utc=True, errors="coerce")
        expected = f"times written as time_format={time_format!r} says" if time_format else DATES_EXPECTED
        _refuse("time", name, values, dates.isna(), expected)
        seconds = _since_1970(dates)
    return seconds.astype("int64") if (seconds % 1 == 0).all() else seconds


def _since_1970(dates: pd.Series) -> pd.Series:
    return dates.dt.as_unit("us").astype("int64") / 1e6


def _keep_one(frame: pd.DataFrame, duplicates: str | None) -> pd.DataFrame:
    if duplicates is not None:
        check_choice("duplicates", duplicates, ["first", "last"])
        by_time = frame.sort_values("time", kind="stable") if "time" in frame else frame
        return by_time.drop_duplicates(["user", "item"], keep=duplicates)
    again = frame.duplicated(["user", "item"])
    if again.any():
        user, item = frame.loc[again, ["user", "item"]].iloc[0]
        raise ValueError(
            f"table has user {user}, item {item} more than once ({again.sum()} such rows); expected one row a "
            "pair: duplicates='last' keeps the last rating, duplicates='first' the first click"
        )
    return frame


def _keep_enough(frame: pd.DataFrame, min_per_user: int) -> pd.DataFrame:
    count = frame.groupby("user")["item"].transform("size")
    if not (count >= min_per_user).any():
        raise ValueError(
            f"min_per_user is {min_per_user}, and no user has more than {count.max()} rows; expected users left"
        )
    return frame[count >= min_per_user]


def _number(ids: pd.Series) -> np.ndarray:
    """Turn ids as text into whole numbers: their own, or else places in alphabetical order."""
    if ids.str.fullmatch(WHOLE).all():
        return ids.astype("int64").to_numpy()
    return pd.factorize(ids, sort=True)[0].astype("int64")
