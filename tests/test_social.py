"""Lesson 10's database and its planted app: every query against pandas, every way it can fail, nothing left behind."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import psycopg
import pytest
from sqlalchemy import exc, text

from recsys_utils.datasets import postgres
from recsys_utils.datasets.social import (
    AWKWARD_CAPTION,
    COUNTRIES,
    DAYS,
    LANGUAGES,
    START,
    bag_of,
    chance_of_like,
    cut_world,
    generate_social,
    lay_out,
)

DAY = pd.Timedelta(days=1)
END = START + DAYS * DAY
MESS = {  # one row for each kind of mess
    "users": pd.DataFrame(
        {
            "user_id": [1, 2, 3, 4],
            "country": ["BR", None, "", "CH"],
            "languages": [["pt"], ["en", "hi"], None, ["de", "fr"]],
        }
    ),
    "posts": pd.DataFrame(
        {
            "post_id": [10, 11, 12, 13, 14, 15, 16],
            "owner_id": [4, 1, 1, 4, 2, 3, 99],
            "caption": ["own", "null", "empty", "default", "owner null", "owner empty", AWKWARD_CAPTION],
            "country": ["IN", None, "", "default", "default", None, None],
            "language": ["hi", "pt", "pt", None, "en", "xx", None],
            "created_at": [START] * 6 + [START + 2 * DAY],
        }
    ),
    "interactions": pd.DataFrame(
        {
            "user_id": [1, 1, 1, 2, 2, 4],
            "post_id": [10, 10, 11, 10, 12, 16],
            "likes": pd.array([1, None, 0, None, 1, 1], dtype="Int64"),
            "views": [1, 1, 2, 1, 1, 1],
            "saved": ["Y", "N", "N", None, "N", "Y"],
            "created_at": [START, START + DAY, START, START, START + DAY, START + 3 * DAY],
        }
    ),
}


@pytest.fixture(scope="module")
def server():
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DATABASE_URL", raising=False)
        with postgres.open_database() as database:
            yield database


@pytest.fixture
def engine(server):
    """An engine on empty tables, dropped after the test."""
    postgres.create_tables(server.engine)
    yield server.engine
    with server.engine.begin() as connection:
        for table in ("users", "posts", "interactions", "recommendations"):
            connection.exec_driver_sql(f"DROP TABLE IF EXISTS {table}")


@pytest.fixture
def messy(engine):
    for table, frame in MESS.items():
        postgres.write_table(engine, table, frame)
    return engine


def url_of(server):
    return server.engine.url.render_as_string(hide_password=False)


def count(engine, table):
    with engine.connect() as connection:
        return connection.scalar(text(f"SELECT count(*) FROM {table}"))


# --- queries --------------------------------------------------------------------------------------------------------


def test_effective_country_by_hand(messy):
    posts = postgres.run_query(messy, "posts.sql", until=END, fallback="IN")
    assert posts["post_id"].tolist() == [10, 11, 12, 13, 14, 15, 16]
    assert posts["country"].tolist() == ["IN", "BR", "BR", "CH", "IN", "IN", "IN"]
    assert posts["caption"].iloc[-1] == AWKWARD_CAPTION
    assert posts["language"].isna().tolist() == [False, False, False, True, False, False, True]


def test_posts_by_time(messy):
    posts = postgres.run_query(messy, "posts.sql", until=START + 2 * DAY, fallback="NG")
    assert posts["post_id"].tolist() == [10, 11, 12, 13, 14, 15]


def test_users_by_hand(messy):
    users = postgres.run_query(messy, "users.sql", until=START + 2 * DAY)
    assert users["user_id"].tolist() == [1, 2]
    assert users["country"].iloc[0] == "BR" and pd.isna(users["country"].iloc[1])
    assert users["languages"].tolist() == [["pt"], ["en", "hi"]]


def test_interactions_by_hand(messy):
    def rows(since, until):
        pairs = postgres.run_query(messy, "interactions.sql", since=since, until=until)
        return [tuple(int(value) for value in row) for row in pairs.itertuples(index=False)]

    assert rows(START, END) == [
        (1, 10, 1, 2, 1),
        (1, 11, 0, 2, 0),
        (2, 10, 0, 1, 0),
        (2, 12, 1, 1, 0),
        (4, 16, 1, 1, 1),
    ]
    assert rows(START + DAY, START + 3 * DAY) == [(1, 10, 0, 1, 0), (2, 12, 1, 1, 0)]


@pytest.mark.parametrize("cut", [10, 30, DAYS])
def test_queries_agree_with_pandas(engine, cut):
    world = generate_social(n_users=60, n_posts=50, views=10, seed=cut)
    for table in MESS:
        postgres.write_table(engine, table, getattr(world, table))
    until = START + cut * DAY
    past = world.interactions[world.interactions["created_at"] < until]

    def clean(country):
        return country.replace(["", "default"], None)

    pairs = past.fillna({"likes": 0}).assign(saves=past["saved"] == "Y").groupby(["user_id", "post_id"], as_index=False)
    expected = pairs[["likes", "views", "saves"]].sum()
    answer = postgres.run_query(engine, "interactions.sql", since=START, until=until)
    pd.testing.assert_frame_equal(answer, expected, check_dtype=False)

    active = world.users[world.users["user_id"].isin(past["user_id"])].reset_index(drop=True)
    answer = postgres.run_query(engine, "users.sql", until=until)
    assert answer["user_id"].tolist() == active["user_id"].tolist()
    assert answer["country"].fillna("?").tolist() == clean(active["country"]).fillna("?").tolist()
    assert answer["languages"].fillna("?").tolist() == active["languages"].fillna("?").tolist()

    there = world.posts[world.posts["created_at"] < until].reset_index(drop=True)
    owners = there["owner_id"].map(clean(world.users.set_index("user_id")["country"]))
    answer = postgres.run_query(engine, "posts.sql", until=until, fallback="CH")
    assert answer["post_id"].tolist() == there["post_id"].tolist()
    assert answer["country"].tolist() == clean(there["country"]).fillna(owners).fillna("CH").tolist()


def test_values_cannot_be_commands(messy):
    attack = "x'; DROP TABLE posts; --"
    answer = postgres.run_query(messy, "posts.sql", until=END, fallback=attack)
    assert answer["country"].tolist().count(attack) == 3
    assert count(messy, "posts") == 7
    with pytest.raises(exc.DBAPIError):
        postgres.run_query(messy, "posts.sql", until="now'; DROP TABLE posts; --", fallback="IN")
    assert count(messy, "posts") == 7


def test_table_and_column_names_cannot_be_commands(engine):
    with pytest.raises(psycopg.errors.UndefinedTable):
        postgres.write_table(engine, 'users"; DROP TABLE users; --', MESS["users"])
    with pytest.raises(psycopg.errors.UndefinedColumn):
        postgres.write_table(engine, "users", MESS["users"].rename(columns={"country": 'x") FROM STDIN; --'}))
    assert count(engine, "users") == 0


def test_missing_parameter(messy):
    with pytest.raises(exc.StatementError, match="until"):
        postgres.run_query(messy, "users.sql")


def test_query_of_the_reader(messy, tmp_path):
    path = tmp_path / "mine.sql"
    path.write_text("SELECT 1 + :one AS two", encoding="utf-8")
    assert postgres.run_query(messy, path, one=1)["two"].tolist() == [2]


# --- writing --------------------------------------------------------------------------------------------------------

RANKED = pd.DataFrame(
    {"user_id": [1, 1, 2], "recommended_post_id": [10, 11, 10], "score": [2.0, 1.0, 0.5], "rank": [1, 2, 1]}
)


def stored(engine):
    return pd.read_sql_query("SELECT * FROM recommendations ORDER BY user_id, rank", engine)


def test_write_replaces(engine):
    postgres.write_table(engine, "recommendations", RANKED)
    postgres.write_table(engine, "recommendations", RANKED.head(2))
    pd.testing.assert_frame_equal(stored(engine), RANKED.head(2))


@pytest.mark.parametrize(
    "broken",
    [
        pd.concat([RANKED, RANKED.tail(1)]),  # primary key
        RANKED.assign(recommended_post_id=10),  # a post twice for one user
        RANKED.assign(rank=[1, 2, 0]),  # check
        RANKED.assign(score=[1.0, None, 1.0]),  # NULL
        RANKED.assign(user_id=["1", "2", "x"]),  # type
        RANKED.assign(more=1),  # column
    ],
)
def test_an_error_leaves_the_old_table_whole(engine, broken):
    postgres.write_table(engine, "recommendations", RANKED)
    with pytest.raises(psycopg.Error):
        postgres.write_table(engine, "recommendations", broken.assign(score=broken["score"] * 2))
    pd.testing.assert_frame_equal(stored(engine), RANKED)


def test_written_values_come_back(messy):
    users = pd.read_sql_query("SELECT * FROM users ORDER BY user_id", messy)
    assert users["country"].tolist()[0] == "BR" and pd.isna(users["country"][1]) and users["country"][2] == ""
    likes = pd.read_sql_query("SELECT likes, created_at FROM interactions", messy)
    assert likes["likes"].isna().sum() == 2
    assert sorted(likes["created_at"]) == sorted(MESS["interactions"]["created_at"])


# --- the server -----------------------------------------------------------------------------------------------------


def postgres_processes(folder):
    return [p for p in psutil.process_iter(["cmdline"]) if folder in " ".join(p.info["cmdline"] or [])]


def wait_until_gone(folder, seconds=60):
    end = time.monotonic() + seconds
    while (postgres_processes(folder) or os.path.exists(folder)) and time.monotonic() < end:
        time.sleep(0.1)
    return not postgres_processes(folder) and not os.path.exists(folder)


def folder_of(database):
    return str(Path(database.engine.url.query["host"]).parent)


@pytest.mark.skipif(os.name != "posix", reason="a Unix socket")
@pytest.mark.parametrize("temporary", ["with space", "long" * 30])
def test_server_stops_after_an_error_and_leaves_nothing(temporary, tmp_path, monkeypatch):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    awkward = tmp_path / temporary
    awkward.mkdir()
    monkeypatch.setenv("TMPDIR", str(awkward))
    with pytest.raises(ZeroDivisionError), postgres.open_database() as database:
        folder = folder_of(database)
        assert os.path.exists(folder)
        raise ZeroDivisionError
    assert wait_until_gone(folder)
    database.close()  # a second time does nothing


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_server_stops_when_its_owner_is_killed():
    script = (
        "from recsys_utils.datasets import postgres; d = postgres.open_database()\n"
        "print(d.engine.url.query['host'], flush=True); import time; time.sleep(600)"
    )
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    owner = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=environment)
    folder = str(Path(owner.stdout.readline().strip()).parent)
    assert postgres_processes(folder)
    owner.kill()
    owner.wait()
    owner.stdout.close()
    assert wait_until_gone(folder)


def test_server_of_the_reader_is_left_as_it_was(server, monkeypatch):
    def schemas():
        with server.engine.connect() as connection:
            return sorted(connection.scalars(text("SELECT schema_name FROM information_schema.schemata")))

    before = schemas()
    with server.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE users (mine integer); INSERT INTO users VALUES (1)")
    try:
        monkeypatch.setenv("DATABASE_URL", url_of(server).replace("postgresql+psycopg", "postgres"))
        with postgres.open_database() as database:
            postgres.create_tables(database.engine)
            postgres.write_table(database.engine, "users", MESS["users"])
            assert count(database.engine, "users") == 4
            assert len(schemas()) == len(before) + 1
        assert schemas() == before
        assert count(server.engine, "users") == 1
    finally:
        with server.engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE users")


@pytest.mark.parametrize("option", ["", "?unknown=1"])
def test_unreachable_server(option):
    with pytest.raises(ConnectionError, match=r"reader:\*\*\*@127\.0\.0\.1:1/app.*: .*set DATABASE_URL to") as raised:
        postgres.open_database(f"postgresql://reader:secret@127.0.0.1:1/app{option}")
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("url", ["secret", "mysql://reader:secret@localhost/app", "postgresql://a:secret@h:x/app"])
def test_address_of_no_postgres(url, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(ValueError, match=r"DATABASE_URL .*set DATABASE_URL to postgresql://") as raised:
        postgres.open_database()
    assert "secret" not in str(raised.value)


def test_embedded_server_that_does_not_start(monkeypatch):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setattr(postgres, "KEEPER", "raise SystemExit('no room')")
    with pytest.raises(RuntimeError, match=r"did not start; set DATABASE_URL.*\nno room"):
        postgres.open_database()


# --- the planted app ------------------------------------------------------------------------------------------------


def test_world_is_messy_and_repeatable():
    world = generate_social(n_users=400, n_posts=300, views=30, seed=3)
    again = generate_social(n_users=400, n_posts=300, views=30, seed=3)
    for table in MESS:
        pd.testing.assert_frame_equal(getattr(world, table), getattr(again, table))
    assert not world.interactions.equals(generate_social(n_users=400, n_posts=300, views=30, seed=4).interactions)
    assert set(world.users["country"].dropna()) == {"", *COUNTRIES} and world.users["country"].isna().any()
    assert {"", "default"} < set(world.posts["country"].dropna()) and world.posts["country"].isna().any()
    assert set(world.posts["language"].dropna()) <= set(LANGUAGES) and world.posts["language"].isna().any()
    assert world.users["languages"].isna().any() and (~world.posts["owner_id"].isin(world.users["user_id"])).any()
    events = world.interactions
    assert set(events["likes"].dropna()) == {0, 1} and events["likes"].isna().any()
    assert set(events["saved"]) == {"Y", "N"} and events.duplicated(["user_id", "post_id"]).any()
    assert events["created_at"].between(START, END, inclusive="left").all()
    made = events["post_id"].map(world.posts.set_index("post_id")["created_at"])
    assert (events["created_at"] >= made).all()


def test_world_has_its_planted_tastes():
    world = generate_social(n_users=400, n_posts=300, views=30, seed=3)
    liked = world.interactions.query("likes == 1").drop_duplicates(["user_id", "post_id"])
    affinity = world.affinity[liked["user_id"] - 1, liked["post_id"] - 1]
    assert affinity.mean() > world.affinity.mean() + world.affinity.std()


@pytest.mark.parametrize("bad", [{"n_users": 0}, {"n_posts": 9}, {"views": 0}, {"views": float("nan")}])
def test_world_of_nothing(bad):
    with pytest.raises(ValueError, match=f"{next(iter(bad))} is .*; expected"):
        generate_social(**bad)


# --- a window of it -------------------------------------------------------------------------------------------------


def test_a_window_in_frames_is_the_window_that_the_queries_read(engine):
    world = generate_social(n_users=120, n_posts=60, views=20, seed=3)
    for table in MESS:
        postgres.write_table(engine, table, getattr(world, table))
    expected = cut_world(world, 40, 50, fallback="CH")
    read = postgres.read_window(engine, START + 40 * DAY, START + 50 * DAY, fallback="CH")
    for name, answer in read._asdict().items():
        pd.testing.assert_frame_equal(answer, getattr(expected, name), check_dtype=False)
    assert len(read.later) > 0 and not read.later.merge(read.known, on=["user_id", "post_id"]).size


def test_bags_hold_shares_and_what_is_unknown():
    bags = bag_of(["en", "hi"], pd.Series([["hi", "en"], "en", None, float("nan"), [], ["hi", "xx"]]))
    assert bags.tolist() == [[0, 0.5, 0.5], [0, 1, 0], [1, 0, 0], [1, 0, 0], [1, 0, 0], [0.5, 0, 0.5]]
    assert bags.dtype == np.float32


def test_a_window_is_laid_out_as_matrices():
    window = cut_world(generate_social(n_users=120, n_posts=60, views=20, seed=3), 40, 60)
    task = lay_out(window)
    matrices = task.liked, task.passed, task.later_liked, task.later_passed
    assert all(matrix.shape == (len(window.users), len(window.posts)) for matrix in matrices)
    assert sum(matrix.astype(int) for matrix in matrices).max() == 1, "a pair is in one of them"
    assert task.liked.sum() + task.passed.sum() == len(window.known)
    assert task.later_liked.sum() == (window.later["likes"] > 0).sum() == task.ranking.relevant.nnz
    assert task.ranking.users.tolist() == window.users["user_id"][task.asked].tolist()
    assert np.array_equal(task.ranking.seen.toarray(), (task.liked | task.passed)[task.asked])
    assert np.allclose(task.user_features.sum(axis=1), 2) and np.allclose(task.post_features.sum(axis=1), 2)
    assert task.user_features.shape[1] == task.post_features.shape[1]
    assert not task.liked[:, (window.posts["created_at"] >= START + 40 * DAY).to_numpy()].any()


def test_windows_name_bad_input():
    world = generate_social(n_users=120, n_posts=60, views=20, seed=3)
    for cut, end in ((0, 5), (50, 40), (40, 40)):
        with pytest.raises(ValueError, match=rf"cut is {cut} and end is {end}; expected 0 < cut < end"):
            cut_world(world, cut, end)
    window = cut_world(world, 40, 60)
    with pytest.raises(ValueError, match="known has the post_id 999; expected one of the window's"):
        lay_out(window._replace(known=window.known.assign(post_id=999)))
    with pytest.raises(ValueError, match="later has no like"):
        lay_out(window._replace(later=window.later.assign(likes=0)))


def test_the_planted_chance_of_a_like_is_how_often_it_happens():
    # One world's chances, against how many likes of pairs that were new after the cut there are; 40 worlds.
    expected, happened = 0.0, 0
    late = [0.0, 0]
    for seed in range(40):
        world = generate_social(n_users=40, n_posts=30, views=10, seed=seed)
        window = cut_world(world, 30, 60)
        task = lay_out(window)
        chance, unviewed = chance_of_like(world, 30, 60), ~(task.liked | task.passed)
        assert (chance >= 0).all() and (chance <= 1).all()
        expected, happened = expected + chance[unviewed].sum(), happened + (task.later_liked & unviewed).sum()
        new = (window.posts["created_at"] >= START + pd.Timedelta(days=30)).to_numpy() & unviewed
        late = [late[0] + chance[new].sum(), late[1] + task.later_liked[new].sum()]
    assert happened == pytest.approx(expected, rel=0.05)
    assert late[1] == pytest.approx(late[0], rel=0.15)


@pytest.mark.parametrize(("cut", "end"), [(0, 10), (10, 10), (20, 10)])
def test_a_chance_needs_a_cut_before_its_end(cut, end):
    world = generate_social(n_users=20, n_posts=20, views=5)
    with pytest.raises(ValueError, match=f"cut is {cut} and end is {end}; expected 0 < cut < end, in days"):
        chance_of_like(world, cut, end)
