"""KuaiRec: what the generator plants, and the official archive through the same tables."""

import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys_utils.columns import TIMESTAMP, USER_ID
from recsys_utils.datasets import kuairec
from recsys_utils.datasets.kuairec import COLUMNS, FILES, FOLDERS, MATRIX, VIDEO_ID, WATCH_RATIO, load_kuairec
from recsys_utils.datasets.kuairec_generator import generate_kuairec

PAIR = [USER_ID, VIDEO_ID]


@pytest.fixture(scope="module")
def made():
    """The data set that lesson 09 uses."""
    return generate_kuairec()


@pytest.fixture(scope="module")
def tiny():
    return generate_kuairec(n_users=40, n_videos=30, n_pairs=300, n_small_users=10, n_small_videos=8, seed=3)


# --- the data set made like it --------------------------------------------------------------------------------------


def test_tables_and_columns_are_those_of_kuairec(made):
    for name, columns in COLUMNS.items():
        assert list(getattr(made, name).columns) == columns, name
    assert [len(COLUMNS[name]) for name in COLUMNS] == [8, 8, 31, 58, 2, 2, 10]
    users, categories, captions = made.user_features, made.item_categories, made.captions
    assert users[USER_ID].is_unique and categories[VIDEO_ID].is_unique and captions[VIDEO_ID].is_unique
    assert not made.item_daily_features.duplicated([VIDEO_ID, "date"]).any()
    for matrix in (made.big_matrix, made.small_matrix):
        assert set(matrix[USER_ID]) <= set(users[USER_ID]) and set(matrix[VIDEO_ID]) <= set(categories[VIDEO_ID])


def test_no_pair_is_in_both_matrices_and_the_small_one_is_nearly_full(made):
    assert made.big_matrix[PAIR].merge(made.small_matrix[PAIR]).empty
    assert not made.small_matrix.duplicated(PAIR).any()
    size = made.small_matrix[USER_ID].nunique() * made.small_matrix[VIDEO_ID].nunique()
    assert size == 150 * 400 and 0.99 < len(made.small_matrix) / size < 1
    assert set(made.small_matrix[USER_ID]) <= set(made.big_matrix[USER_ID]), "every test user should be known"


def test_mess_is_as_described(made):
    big, small, daily = made.big_matrix, made.small_matrix, made.item_daily_features
    views = big.drop_duplicates()
    assert len(big) - len(views) == len(views) // 20
    assert views.duplicated(PAIR).sum() == 110_000 // 25 and (~views.duplicated(PAIR)).sum() == 110_000
    missing = small[["time", "date", TIMESTAMP]].isna()
    assert 0.035 < missing["date"].mean() < 0.045 and (missing.nunique(axis=1) == 1).all()
    assert big.notna().all(axis=None) and small[WATCH_RATIO].notna().all()
    gaps = made.user_features.isna().mean()
    assert (
        set(gaps.index[gaps > 0]) == {"onehot_feat4", *(f"onehot_feat{i}" for i in range(12, 18))} and gaps.max() < 0.03
    )
    assert 0.02 < daily.drop_duplicates(VIDEO_ID)["video_duration"].isna().mean() < 0.06
    collected = [name for name in daily.columns if "collect" in name]
    assert (daily[collected].isna().all(axis=1) == (daily["date"] < 20200715)).all()


def test_ratio_has_a_heavy_tail(made):
    for matrix in (made.big_matrix.drop_duplicates(), made.small_matrix):
        ratio = matrix[WATCH_RATIO]
        assert 0.7 < ratio.median() < 0.8
        assert 0.05 < (ratio > 2).mean() < 0.12 and 3.5 < ratio.quantile(0.99) < 5.5 and ratio.max() > 30
        assert np.allclose(ratio, matrix["play_duration"] / matrix["video_duration"], rtol=1e-6)


def test_times_agree_and_no_video_is_watched_before_its_upload(made):
    views = made.big_matrix.merge(
        made.item_daily_features.groupby(VIDEO_ID)["upload_dt"].first().reset_index(), validate="many_to_one"
    )
    in_china = pd.to_datetime(views[TIMESTAMP] + 8 * 3600, unit="s").dt.round("ms")
    assert (in_china == views["time"]).all()
    assert (in_china.dt.strftime("%Y%m%d").astype(int) == views["date"]).all()
    assert (in_china >= pd.to_datetime(views["upload_dt"])).all()
    assert views["date"].between(20200705, 20200905).all()


def in_range(value, name):
    """Whether a number is in a range as KuaiRec writes it."""
    units = {"k": 1_000, "w": 10_000}
    bounds = [
        float(part.rstrip("kw")) * units.get(part[-1], 1) for part in name.strip("()[]+").replace("-", ",").split(",")
    ]
    if len(bounds) == 1:
        return value > bounds[0] if "+" in name else value == bounds[0]
    low, high = bounds
    return (value > low or (value == low and name[0] != "(")) and (value < high or (value == high and name[-1] != ")"))


def test_ranges_hold_the_numbers_beside_them(made):
    users = made.user_features
    names = [name for name in users.columns if name.endswith("_range")]
    assert len(names) == 4
    for name in names:
        number = users[name.removesuffix("_range")]
        wrong = [(n, r) for n, r in zip(number, users[name], strict=True) if not in_range(n, r)]
        assert not wrong, (name, wrong[:3])
        assert users[name].nunique() >= 6


def test_tags_captions_and_friends_are_lists_in_strings(made):
    tags = made.item_categories["feat"].map(json.loads)
    assert tags.map(len).between(1, 4).all() and set(tags.explode()) == set(range(31))
    topics = made.captions["topic_tag"].str.strip("[]").str.split(",")
    assert (topics.map(len) == tags.map(len)).all()
    assert (made.captions["first_level_category_id"] == tags.map(min)).all()
    friends = made.social_network["friend_list"].map(json.loads).explode()
    assert set(friends) <= set(made.user_features[USER_ID])


def test_expectation_is_that_of_the_ratios(made):
    ratio = made.small_matrix[WATCH_RATIO].to_numpy(float)
    assert len(made.expected) == len(ratio)
    group = pd.qcut(made.expected, 10, labels=False)
    means = pd.DataFrame({"expected": made.expected, "ratio": ratio}).groupby(group).mean()
    assert np.allclose(means["expected"], means["ratio"], rtol=0.05)
    explained = 1 - ((ratio - made.expected) ** 2).mean() / ratio.var()
    assert 0.3 < explained < 0.37


@pytest.mark.parametrize(("column", "effect"), [("upload_type", 0.03), ("visible_status", 0.0)])
def test_planted_columns_matter_and_others_do_not(made, column, effect):
    by_video = made.item_daily_features.groupby(VIDEO_ID)[column].first()
    log_ratio = np.log1p(made.small_matrix[WATCH_RATIO])
    spread = (
        log_ratio.groupby(made.small_matrix[VIDEO_ID].map(by_video)).agg(["mean", "size"]).query("size > 2000")["mean"]
    )
    assert (spread.max() - spread.min() > 0.05) == (effect > 0)


def test_one_seed_is_one_data_set(tiny):
    again = generate_kuairec(n_users=40, n_videos=30, n_pairs=300, n_small_users=10, n_small_videos=8, seed=3)
    other = generate_kuairec(n_users=40, n_videos=30, n_pairs=300, n_small_users=10, n_small_videos=8, seed=4)
    for name in COLUMNS:
        pd.testing.assert_frame_equal(getattr(again, name), getattr(tiny, name))
    assert np.array_equal(again.expected, tiny.expected)
    assert not other.big_matrix.equals(tiny.big_matrix)


@pytest.mark.parametrize(
    ("sizes", "says"),
    [
        ({"n_small_users": 0}, "n_small_users is 0; expected 1 to 40"),
        ({"n_small_videos": 31}, "n_small_videos is 31; expected 1 to 30"),
        ({"n_pairs": 1_121}, "n_pairs is 1121; expected 1 to 1120"),
        ({"n_users": 0}, "n_users is 0; expected 1 or more"),
        ({"n_videos": -1}, "n_videos is -1; expected 1 or more"),
    ],
)
def test_sizes_that_cannot_be(sizes, says):
    possible = {"n_users": 40, "n_videos": 30, "n_pairs": 300, "n_small_users": 10, "n_small_videos": 8}
    with pytest.raises(ValueError, match=says):
        generate_kuairec(**possible | sizes)


def test_all_pairs_can_be_asked_for():
    whole = generate_kuairec(n_users=40, n_videos=30, n_pairs=1_120, n_small_users=10, n_small_videos=8)
    assert len(whole.big_matrix[PAIR].drop_duplicates()) == 1_120


# --- the official archive -------------------------------------------------------------------------------------------


@pytest.fixture
def files(tiny):
    """Text of every file of a small archive; tests may change it. One caption breaks its row, as some real ones do."""
    texts = {file: getattr(tiny, name).to_csv(index=False) for name, file in FILES.items()}
    texts["kuairec_caption_category.csv"] += "and, this, is\n"
    return texts


@pytest.fixture
def make_zip(files, tmp_path, monkeypatch):
    """Return a function that zips the files under a folder name and makes the archive's hash the expected one."""

    def make(folder=FOLDERS[0], extra=(), damage=lambda content: content):
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{folder.split('/')[0]}/LICENSE", "CC BY-SA 4.0")
            for file, text in files.items():
                archive.writestr(f"{folder}/{file}", text)
            for name in extra:
                archive.writestr(name, "climbed out")
        path = tmp_path / "KuaiRec.zip"
        path.write_bytes(damage(content.getvalue()))
        monkeypatch.setattr(kuairec, "ARCHIVE_MD5", hashlib.md5(path.read_bytes()).hexdigest())
        return path

    return make


@pytest.fixture
def folder(files, tmp_path):
    """A folder that holds the unpacked files."""
    inside = tmp_path / "unpacked" / FOLDERS[0]
    inside.mkdir(parents=True)
    for file, text in files.items():
        (inside / file).write_text(text, encoding="utf-8")
    return inside


def check_tiny(loaded, tiny):
    for name in COLUMNS:
        expected = getattr(tiny, name)
        if name.endswith("matrix"):
            assert dict(getattr(loaded, name).dtypes) == MATRIX, "matrices should come in small types"
        pd.testing.assert_frame_equal(getattr(loaded, name), expected, check_dtype=False)
    assert loaded.expected is None


@pytest.mark.parametrize("inside", ["KuaiRec 2.0/data", "KuaiRec/data"])
def test_archive_gives_the_same_tables_under_both_folder_names(inside, make_zip, tiny):
    path = make_zip(inside)
    check_tiny(load_kuairec(path), tiny)
    check_tiny(load_kuairec(str(path)), tiny)


def test_folder_can_be_named_at_any_level(folder, tiny):
    for path in (folder, folder.parent, folder.parent.parent):
        check_tiny(load_kuairec(path), tiny)


def test_matrices_are_read_in_chunks(make_zip, tiny, monkeypatch):
    monkeypatch.setattr(kuairec, "CHUNK", 7)
    check_tiny(load_kuairec(make_zip()), tiny)


def test_download_is_kept_only_if_its_hash_is_right(make_zip, tiny, serve, tmp_path, monkeypatch, capfd):
    site = serve()
    content = make_zip().read_bytes()
    monkeypatch.setattr(kuairec, "ZENODO", site.address)
    (site.folder / "KuaiRec.zip").write_bytes(content[:-1])
    with pytest.raises(ValueError, match=r"/KuaiRec.zip is not the expected file .*Pass path= with a copy"):
        load_kuairec(download=True)
    assert not list((tmp_path / "cache").rglob("*"))
    (site.folder / "KuaiRec.zip").write_bytes(content)
    check_tiny(load_kuairec(download=True), tiny)
    assert "100%" in capfd.readouterr().err
    asked = len(site.requested)
    check_tiny(load_kuairec(download=True), tiny)
    assert len(site.requested) == asked, "the kept copy should be used"


def test_site_that_does_not_answer(monkeypatch, serve):
    site = serve()
    monkeypatch.setattr(kuairec, "ZENODO", site.address)
    with pytest.raises(ConnectionError, match=r"/KuaiRec.zip cannot be downloaded \(404 .*Pass path= with a copy"):
        load_kuairec(download=True)


def test_path_and_download_together(tmp_path):
    with pytest.raises(ValueError, match=r"path is '.*' and download is True; expected one of them"):
        load_kuairec(tmp_path, download=True)


def test_path_that_does_not_exist(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"path is '.*nowhere.zip', which does not exist; expected KuaiRec.zip"):
        load_kuairec(tmp_path / "nowhere.zip")


def test_wrong_hash(make_zip):
    path = make_zip()
    size = path.stat().st_size
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(
        ValueError, match=rf"KuaiRec.zip \({size + 1} bytes\) has the MD5 .* was not opened; .* its folder"
    ):
        load_kuairec(path)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_truncated_archive_even_if_its_hash_were_right(share, make_zip):
    path = make_zip(damage=lambda content: content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"KuaiRec.zip is damaged .*; expected the complete KuaiRec.zip"):
        load_kuairec(path)


def test_damaged_file_in_the_archive(make_zip):
    def flip(content):
        content = bytearray(content)
        start = content.index(b"user_features.csv") + 200  # inside the compressed table
        content[start : start + 50] = bytes(50)
        return bytes(content)

    with pytest.raises(ValueError, match=r"user_features.csv that cannot be read|KuaiRec.zip is damaged"):
        load_kuairec(make_zip(damage=flip))


@pytest.mark.parametrize("name", ["../climbed", "KuaiRec 2.0/../../climbed", "/climbed", "C:\\climbed"])
def test_entry_that_climbs_out(name, make_zip):
    with pytest.raises(ValueError, match=r"which climbs out; expected KuaiRec 2.0/data/"):
        load_kuairec(make_zip(extra=[name]))


@pytest.mark.parametrize("file", list(FILES.values()))
def test_missing_file(file, files, make_zip, folder):
    del files[file]
    (folder / file).unlink()
    for path in (make_zip(), folder):
        with pytest.raises(FileNotFoundError, match=f"lacks the file {file}; expected big_matrix.csv, "):
            load_kuairec(path)


BROKEN = [
    ("big_matrix.csv", "watch_ratio", "ratio_watched", "watch_ratio"),
    ("small_matrix.csv", "user_id", "user", "user_id"),
    ("user_features.csv", "register_days_range", "register", "register_days_range"),
    ("item_daily_features.csv", "like_cnt,", "likes,", "like_cnt"),
    ("item_categories.csv", "feat", "tags", "feat"),
    ("kuairec_caption_category.csv", "caption,", "text,", "caption"),
]


@pytest.mark.parametrize(("file", "before", "after", "says"), BROKEN)
def test_missing_column(file, before, after, says, files, make_zip):
    assert before in files[file].split("\n")[0]
    files[file] = files[file].replace(before, after, 1)
    with pytest.raises(ValueError, match=rf"has a {file} that cannot be read as KuaiRec's: .*'{says}'"):
        load_kuairec(make_zip())


@pytest.mark.parametrize("value", ["", "long", "1.5"])
def test_broken_number(value, files, make_zip):
    lines = files["big_matrix.csv"].split("\n")
    cells = lines[5].split(",")
    cells[2] = value  # the play duration
    lines[5] = ",".join(cells)
    files["big_matrix.csv"] = "\n".join(lines)
    with pytest.raises(ValueError, match=r"has a big_matrix.csv that cannot be read as KuaiRec's"):
        load_kuairec(make_zip())


def test_empty_file(files, make_zip):
    files["item_daily_features.csv"] = ""
    with pytest.raises(ValueError, match=r"has a item_daily_features.csv that cannot be read as KuaiRec's"):
        load_kuairec(make_zip())


# --- the lesson -----------------------------------------------------------------------------------------------------


def test_lesson_09_runs_on_an_archive(tmp_path):
    """Ids that are no row numbers, and none of the claims that hold for the made data alone."""
    tables = generate_kuairec(n_users=60, n_videos=50, n_pairs=1_500, n_small_users=20, n_small_videos=15, seed=3)
    for name, file in FILES.items():
        table = getattr(tables, name).sample(frac=1, random_state=1)
        for key in {USER_ID, VIDEO_ID} & set(table):
            table[key] += 100
        table.to_csv(tmp_path / file, index=False)
    code = f"from recsys_utils.lessons import run_lesson; run_lesson('09', globals(), PATH={str(tmp_path)!r}, EPOCHS=1)"
    settings = os.environ | {"MPLBACKEND": "Agg", "PYTHONPATH": str(Path(kuairec.__file__).resolve().parents[2])}
    result = subprocess.run([sys.executable, "-c", code], env=settings, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "of lesson 09." in result.stdout


# --- data card ------------------------------------------------------------------------------------------------------


def test_data_card_names_every_table_the_hash_and_the_licence():
    card = (Path(kuairec.__file__).resolve().parents[2] / "data" / "README.md").read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in card for name in COLUMNS)
    assert f"`{kuairec.ARCHIVE_MD5}`" in card and "CC BY-SA 4.0" in card
    assert kuairec.ZENODO.removeprefix("https://").removesuffix("/files/") in card
