"""What several tests share: a clean environment, tiny official archives, a web server on this machine."""

import hashlib
import io
import ssl
import subprocess
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from recsys_utils.datasets import movielens


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch, tmp_path):
    """Keep the reader's settings, and those of the make that calls us, out of the tests; downloads out of the cache."""
    for name in ("MOVIELENS_PATH", "MOVIELENS_MIRROR", "TWO_TOWERS_LEADERBOARD", "TWO_TOWERS_ITEM_VECTORS"):
        monkeypatch.delenv(name, raising=False)
    for name in ("MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TWO_TOWERS_CACHE", str(tmp_path / "cache"))
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")


# Made up, in the layout of each official archive: separators, encodings, quoting and odd titles are the point.
OFFICIAL_FILES = {
    "ml-latest-small": {
        "README.txt": "Not read.",
        "ratings.csv": "userId,movieId,rating,timestamp\n7,20,4.5,1200\n7,10,0.5,1100\n3,10,5.0,1300\n",
        "movies.csv": (
            "movieId,title,genres\n"
            "30,Zoë,(no genres listed)\n"
            '10,"Lamp, The (1995)",Comedy|Drama\n'
            '20,"Null ""and"" Void: A Tale (NaN) (2006–2007) ",Sci-Fi\n'
        ),
    },
    "ml-100k": {
        "README": "Not read.",
        "u.data": "7\t20\t4\t1200\n7\t10\t1\t1100\n3\t10\t5\t1300\n",
        "u.item": (
            "10|Lamp, The (1995)|01-Jan-1995||http://example.org/a|0|0|0|0|1|1|0|0|0|0|0|0|0|0|0|0|0|0|0\n"
            '20|"Zoë": A Tale (1996) (V)|01-Jan-1996||http://example.org/b|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|1|0|0|1\n'
            "30|unknown||||1|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0\n"
        ),
        "u.user": "3|24|M|technician|85711\n7|53|F|other|T8H1N\n",
    },
    "ml-1m": {
        "README": "Not read.",
        "ratings.dat": "7::20::4::1200\n7::10::1::1100\n3::10::5::1300\n",
        "movies.dat": (
            "10::Lamp, The (1995)::Animation|Children's|Comedy\n"
            "20::Zoë: A Tale (a.k.a. Zoé) (1996)::Drama\n"
            "30::Cosmos::Western\n"
        ),
        "users.dat": "3::M::1::10::48067\n7::F::56::16::70072\n",
    },
}


@pytest.fixture
def official_files():
    """Text of every file in each edition's archive; tests may change it."""
    return {edition: dict(files) for edition, files in OFFICIAL_FILES.items()}


def encode(edition, text):
    return text.encode("utf-8" if edition == "ml-latest-small" else "latin-1")


@pytest.fixture
def make_archive(official_files, monkeypatch):
    """Return a function that zips an edition and makes its hash the expected one."""

    def make(edition, extra=(), register=True):
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{edition}/", "")
            for name, text in official_files[edition].items():
                archive.writestr(f"{edition}/{name}", encode(edition, text))
            for name in extra:
                archive.writestr(name, "climbed out")
        if register:
            make.register(edition, content.getvalue())
        return content.getvalue()

    def register(edition, content):
        expected = movielens.EDITIONS[edition]._replace(sha256=hashlib.sha256(content).hexdigest())
        monkeypatch.setitem(movielens.EDITIONS, edition, expected)

    make.register = register
    return make


@pytest.fixture
def make_folder(official_files, tmp_path):
    """Return a function that unpacks an edition and returns the folder."""

    def make(edition):
        folder = tmp_path / "unpacked" / edition
        folder.mkdir(parents=True)
        for name, text in official_files[edition].items():
            (folder / name).write_bytes(encode(edition, text))
        return folder

    return make


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        self.server.requested.append(self.path)


@pytest.fixture
def serve(tmp_path, monkeypatch):
    """Return a function that serves a folder on this machine, with `certificate` over https; stopped after the test."""
    monkeypatch.setattr("pooch.core.time", SimpleNamespace(sleep=lambda seconds: None))  # retry without waiting
    servers = []

    def start(certificate=None, handler=Handler):
        folder = tmp_path / "site"
        folder.mkdir(exist_ok=True)
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=folder))
        server.requested, server.folder = [], folder
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate.file, certificate.key)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        server.address = f"http{'s' if certificate else ''}://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        servers.append((server, thread))
        return server

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def make_certificate(tmp_path):
    """Return a function that makes a self-signed certificate for 127.0.0.1, valid for so many days from now."""

    def make(days):
        key, file, request = (str(tmp_path / name) for name in ("key.pem", "certificate.pem", "request.pem"))
        subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
        commands = [
            ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request, *subject],
            ["x509", "-in", request, "-signkey", key, "-days", str(days), "-out", file],
        ]
        for command in commands:
            try:
                subprocess.run(["openssl", *command], check=True, capture_output=True, timeout=60)
            except (OSError, subprocess.SubprocessError) as error:
                pytest.skip(f"openssl cannot make a certificate: {error}")
        return SimpleNamespace(file=file, key=key)

    return make


@pytest.fixture(scope="session")
def own_tables(tmp_path_factory):
    """A folder with the tables that README.md and docs/your_own_data.md read, a model's work to be found in them.

    Each person likes 3 of 12 kinds of items and mostly stays with one kind for a while.
    """
    rng = np.random.default_rng(1)
    kind, popularity = np.arange(240) % 12, np.arange(1, 241) ** -0.6
    rows = []
    for person in range(300):
        kinds, time, weight = rng.choice(12, 3, replace=False), 1.6e9 + rng.integers(3e7), popularity.copy()
        for step in range(rng.integers(15, 45)):
            if step == 0 or rng.random() < 0.15:
                now, time = rng.choice(kinds), time + rng.integers(1, 20) * 86_400
            chances = weight * np.where(kind == now, 1, 0.01)
            item = rng.choice(240, p=chances / chances.sum())
            weight[item], time = 0, time + rng.integers(60, 600)
            rows.append((person, item, rng.integers(1, 11) / 2, int(time), f'Thing {item}, the "{kind[item]}" kind'))
    ratings = pd.DataFrame(rows, columns=["customer", "product", "stars", "when", "name"])
    folder = tmp_path_factory.mktemp("own")
    ratings.to_csv(folder / "my_ratings.csv", index=False)
    clicks = pd.DataFrame({"visitor": "v" + ratings["customer"].astype(str)})
    clicks["page"] = "/page/" + ratings["product"].astype(str)
    clicks["at"] = pd.to_datetime(ratings["when"], unit="s").dt.strftime("%d.%m.%Y %H:%M")
    clicks["headline"] = ratings["name"]
    passer_by = clicks.head(2).assign(visitor="passer-by")
    clicks = pd.concat([clicks, clicks.iloc[::9], passer_by]).sample(frac=1, random_state=1)  # some return
    clicks.to_csv(folder / "my_clicks.csv", index=False, sep=";", encoding="utf-8-sig")
    return folder
