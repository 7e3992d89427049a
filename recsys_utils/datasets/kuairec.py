"""KuaiRec, watch ratios on a short-video platform: its tables, and the reader of the official archive."""

import hashlib
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import pandas as pd

from recsys_utils.columns import TIMESTAMP, USER_ID
from recsys_utils.datasets.files import check_entries, fetch

VIDEO_ID = "video_id"
WATCH_RATIO = "watch_ratio"

MATRIX = {
    USER_ID: "int32",
    VIDEO_ID: "int32",
    "play_duration": "int32",  # milliseconds
    "video_duration": "int32",  # milliseconds
    "time": "datetime64[ms]",  # the timestamp in China's time zone
    "date": "float64",  # its day: 20200705, for which 32 bits are too few
    TIMESTAMP: "float64",  # seconds
    WATCH_RATIO: "float32",
}
ONE_HOT = [f"onehot_feat{i}" for i in range(18)]
COLUMNS = {
    "big_matrix": [*MATRIX],
    "small_matrix": [*MATRIX],
    "user_features": (
        "user_id user_active_degree is_lowactive_period is_live_streamer is_video_author follow_user_num "
        "follow_user_num_range fans_user_num fans_user_num_range friend_user_num friend_user_num_range register_days "
        "register_days_range"
    ).split()
    + ONE_HOT,
    "item_daily_features": (
        "video_id date author_id video_type upload_dt upload_type visible_status video_duration video_width "
        "video_height music_id video_tag_id video_tag_name show_cnt show_user_num play_cnt play_user_num play_duration "
        "complete_play_cnt complete_play_user_num valid_play_cnt valid_play_user_num long_time_play_cnt "
        "long_time_play_user_num short_time_play_cnt short_time_play_user_num play_progress comment_stay_duration "
        "like_cnt like_user_num click_like_cnt double_click_cnt cancel_like_cnt cancel_like_user_num comment_cnt "
        "comment_user_num direct_comment_cnt reply_comment_cnt delete_comment_cnt delete_comment_user_num "
        "comment_like_cnt comment_like_user_num follow_cnt follow_user_num cancel_follow_cnt cancel_follow_user_num "
        "share_cnt share_user_num download_cnt download_user_num report_cnt report_user_num reduce_similar_cnt "
        "reduce_similar_user_num collect_cnt collect_user_num cancel_collect_cnt cancel_collect_user_num"
    ).split(),
    "item_categories": [VIDEO_ID, "feat"],
    "social_network": [USER_ID, "friend_list"],
    "captions": (
        "video_id manual_cover_text caption topic_tag first_level_category_id first_level_category_name "
        "second_level_category_id second_level_category_name third_level_category_id third_level_category_name"
    ).split(),
}


class KuaiRec(NamedTuple):
    """The tables of KuaiRec (Gao et al., 2022), or of a data set made like it; COLUMNS lists what each holds.

    No pair of a user and a video is in both matrices.
    """

    big_matrix: pd.DataFrame  # what the platform chose to show; a pair can return, a row can be there twice
    small_matrix: pd.DataFrame  # some users by some videos, nearly all pairs, once each; the time can be missing
    user_features: pd.DataFrame  # one row a user; values can be missing
    item_daily_features: pd.DataFrame  # one row a video and day, counted over the whole platform
    item_categories: pd.DataFrame  # one row a video: its tags as a string, '[27, 9]'
    social_network: pd.DataFrame  # one row for each user with friends: their ids as a string
    captions: pd.DataFrame  # one row a video: its text and three levels of categories
    expected: np.ndarray | None  # (n_small,) the mean watch ratio planted in small_matrix; None for the real data


ZENODO = "https://zenodo.org/records/18164998/files/"
ARCHIVE, ARCHIVE_MD5 = "KuaiRec.zip", "261550d472c48eff4990fb13c0e5bcf7"  # 432 MB, CC BY-SA 4.0
FOLDERS = ("KuaiRec 2.0/data", "KuaiRec/data")  # inside the archive, newer name first
FILES = {name: f"{name}.csv" for name in COLUMNS} | {"captions": "kuairec_caption_category.csv"}
CHUNK = 1_000_000  # rows


def load_kuairec(path: str | Path | None = None, download: bool = False) -> KuaiRec:
    """Load KuaiRec from its official archive; `generate_kuairec` makes a data set like it.

    Parameters
    ----------
    path : a copy of the official data: KuaiRec.zip, or a folder that holds the unpacked one. An unpacked folder has no
        hash to check
    download : fetch the archive from Zenodo, 432 MB; it is kept in the operating system's cache folder, or in
        TWO_TOWERS_CACHE, only if its MD5 is right

    Returns
    -------
    KuaiRec
        `expected` is None.

    Raises
    ------
    ValueError
        Path and download together, or neither; a wrong hash, an unsafe or damaged archive, a file of another layout.
    FileNotFoundError
        No such path, a file missing in it.
    ConnectionError
        The site cannot be reached or its certificate is not trusted.

    Notes
    -----
    The archive is read without unpacking it; the matrices in chunks, column by column and in small types, 44 bytes a
    row, so that all 17 million rows fit into 2 GB. Rows of the captions that are no CSV are left out.
    """
    if (path is None) != download:
        raise ValueError(
            f"path is {path if path is None else str(path)!r} and download is {download}; expected one of them, or "
            "generate_kuairec() for data made like it"
        )
    if download:
        path = fetch(ARCHIVE, ZENODO, f"md5:{ARCHIVE_MD5}", f"Pass path= with a copy of {ARCHIVE}")
    source = Path(path)
    if source.is_dir():
        folder = next((source / name for name in (*FOLDERS, "data") if (source / name).is_dir()), source)
        return _read_tables(source, lambda file: (folder / file).open("rb"))
    if not source.exists():
        raise FileNotFoundError(f"path is {str(path)!r}, which does not exist; expected {ARCHIVE} or its folder")
    with source.open("rb") as content:
        digest = hashlib.file_digest(content, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        if digest != ARCHIVE_MD5:
            raise ValueError(
                f"{source} ({content.tell()} bytes) has the MD5 {digest}; expected {ARCHIVE_MD5}. It is incomplete, "
                "altered or another archive, and was not opened; for an unpacked copy, pass its folder"
            )
        try:
            with zipfile.ZipFile(content) as archive:
                check_entries(source, archive, FOLDERS[0])
                inside = next((f for f in FOLDERS if any(n.startswith(f) for n in archive.namelist())), FOLDERS[0])
                return _read_tables(source, lambda file: archive.open(f"{inside}/{file}"))
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise ValueError(f"{source} is damaged ({error}); expected the complete {ARCHIVE}") from error


def _read_tables(source: Path, open_file: Callable[[str], BinaryIO]) -> KuaiRec:
    readers = {"big_matrix": _read_matrix, "small_matrix": _read_matrix, "captions": _read_captions}
    tables = {}
    for name, file in FILES.items():
        try:
            with open_file(file) as content:
                tables[name] = readers.get(name, pd.read_csv)(content, usecols=COLUMNS[name])[COLUMNS[name]]
        except (FileNotFoundError, KeyError) as error:
            raise FileNotFoundError(f"{source} lacks the file {file}; expected {', '.join(FILES.values())}") from error
        except ValueError as error:
            raise ValueError(f"{source} has a {file} that cannot be read as KuaiRec's: {error}") from error
    return KuaiRec(**tables, expected=None)


def _read_matrix(content: BinaryIO, usecols: list[str]) -> pd.DataFrame:
    parts: dict[str, list[np.ndarray]] = {column: [] for column in usecols}
    for chunk in pd.read_csv(content, usecols=usecols, dtype=MATRIX | {"time": "str"}, chunksize=CHUNK):
        chunk["time"] = pd.to_datetime(chunk["time"], format="ISO8601")
        for column in usecols:
            parts[column].append(chunk[column].to_numpy(MATRIX[column]))
    return pd.DataFrame({column: np.concatenate(parts.pop(column)) for column in usecols}, copy=False)


def _read_captions(content: BinaryIO, usecols: list[str]) -> pd.DataFrame:
    """Leave out the rows that are broken by what people wrote."""
    frame = pd.read_csv(content, usecols=usecols, engine="python", on_bad_lines="skip", encoding_errors="replace")
    frame[VIDEO_ID] = pd.to_numeric(frame[VIDEO_ID], errors="coerce")
    return frame.dropna(subset=VIDEO_ID).astype({VIDEO_ID: "int32"}).reset_index(drop=True)
