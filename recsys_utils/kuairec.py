"""KuaiRec, watch ratios on a short-video platform: made with its tables and columns, or the official archive."""

import hashlib
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import pandas as pd

from recsys_utils.archives import check_entries, fetch
from recsys_utils.columns import TIMESTAMP, USER_ID

VIDEO_ID = "video_id"
WATCH_RATIO = "watch_ratio"

# --- the tables -----------------------------------------------------------------------------------------------------

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


# --- a data set made like it ----------------------------------------------------------------------------------------

FIRST_DAY, N_DAYS = np.datetime64("2020-07-05"), 63
CHINA = 8 * 3600  # seconds ahead of UTC
ACTIVE = {"full_active": 0.12, "high_active": 0.04, "middle_active": -0.08, "UNKNOWN": -0.16}
UPLOAD = {"ShortImport": 0.12, "LongImport": -0.12, "Kmovie": 0.06, "ShortCamera": 0.0, "LongCamera": -0.06, "Web": 0.0}
ONE_HOT_SIZES = [2, 7, 50, 1471, 15, 34, 3, 118, 454, 7, 5, 5, 2, 2, 2, 2, 2, 2]
INCOMPLETE = ["onehot_feat4", *ONE_HOT[12:]]
RANGES = {  # upper bound of each range but the last, and the names
    "follow_user_num": (
        [0, 10, 50, 100, 150, 250, 500],
        "0 (0,10] (10,50] (50,100] (100,150] (150,250] (250,500] 500+",
    ),
    "fans_user_num": ([0, 9, 99, 999, 4_999, 9_999], "0 [1,10) [10,100) [100,1k) [1k,5k) [5k,1w) [1w,10w)"),
    "friend_user_num": ([0, 4, 29, 59, 119, 249], "0 [1,5) [5,30) [30,60) [60,120) [120,250) 250+"),
    "register_days": ([30, 60, 90, 180, 365, 730], "15-30 31-60 61-90 91-180 181-365 366-730 730+"),
}
TOPICS = (
    "news comedy cooking pets dance football basketball fishing farming cars travel fashion make-up fitness gaming "
    "music film history science crafts gardening family school street-food painting magic hiking cycling chess "
    "weather city-life"
).split()  # 31, as many as KuaiRec has tags
STYLES = "quick calm funny useful surprising honest daily classic".split()
PER_PLAY = {"comment_stay_duration": 900, "complete_play": 0.4, "valid_play": 0.6, "like": 0.03}  # other counts: 0.005
LIKED = ("like", "click_like", "double_click", "share", "collect")  # these tell of a video's quality
LOG_MEDIAN, LOG_NOISE = np.log(0.69), 0.45
REPLAYED, REPLAYS = 0.03, 2.0  # share of the views that are replayed, mean number of further plays
SKIPPED = 0.1  # mean ratio of a skipped view


def generate_kuairec(
    n_users: int = 800,
    n_videos: int = 1_200,
    n_pairs: int = 110_000,
    n_small_users: int = 150,
    n_small_videos: int = 400,
    seed: int = 1,
) -> KuaiRec:
    """Make a data set with KuaiRec's tables and columns, a planted signal, and some of the real one's mess.

    With `length` the logarithm of the video's duration, standardised, and `mean over tags` over the video's tags,

        signal = user + video + fit
        user = active[user_active_degree] - 0.06 activity + own
                                                        activity ~ Normal(0, 0.7), own ~ Normal(0, 0.12)
        video = -0.2 length + upload[upload_type] + quality
                                                        quality ~ Normal(0, 0.15); it also raises likes and shares
        fit = mean over tags of taste[onehot_feat1, tag] + own[user, tag]
                                                        taste ~ Normal(0, 0.4), own ~ Normal(0, 0.2)
            + patience[follow_user_num_range] length    patience evenly from -0.2 to 0.2
        skip with the probability 1 / (1 + exp(2.8 + 2 signal)): watch ratio ~ Uniform(0, 0.2)
        otherwise: watch ratio = 0.69 exp(signal + noise) (1 + replays)
                                                        noise ~ Normal(0, 0.45)
                                                        replays ~ Exponential(mean 2) for 3 % of the views, else 0

    No other column has an effect. Pairs of the big matrix are drawn without repetition with a weight of
    exp(activity) / popularity rank^0.8. Of them 4 % are seen again, and 5 % of the rows are there twice. Of the small
    matrix 0.4 % of the pairs are missing, as whole authors whom a user blocked, and 4 % of the times. Some one-hot
    columns miss 1 % of their values. In the daily table 4 % of the videos have no duration, and the first ten days no
    `collect` counts.

    Parameters
    ----------
    n_users, n_videos : rows of the feature tables; ids run from 0
    n_pairs : distinct pairs of the big matrix
    n_small_users, n_small_videos : size of the small matrix, 1 to n_users and 1 to n_videos
    seed : of every draw

    Returns
    -------
    KuaiRec
        Columns in KuaiRec's order. Rows of the matrices by user and time.

    Raises
    ------
    ValueError
        A size below 1, a small matrix larger than the whole, more pairs than there are outside the small matrix.
    """
    for name, size, most in (
        ("n_small_users", n_small_users, n_users),
        ("n_small_videos", n_small_videos, n_videos),
        ("n_pairs", n_pairs, n_users * n_videos - n_small_users * n_small_videos),
    ):
        if not 1 <= size <= most:
            raise ValueError(f"{name} is {size}; expected 1 to {most} with {n_users} users and {n_videos} videos")
    rng = np.random.default_rng(seed)
    activity = rng.normal(0, 0.7, size=n_users)  # logarithm
    users = _draw_users(rng, n_users)
    videos, quality, tags = _draw_videos(rng, n_videos)  # quality (n_videos,), tags (n_videos, 31) bool

    duration = videos["video_duration"].to_numpy()  # (n_videos,) milliseconds
    length = (np.log(duration) - np.log(9_000)) / 0.5
    taste = rng.normal(0, 0.4, size=(7, len(TOPICS)))[users["onehot_feat1"]]  # (n_users, 31)
    taste += rng.normal(0, 0.2, size=taste.shape)
    patience = np.linspace(-0.2, 0.2, 8)[_range_of("follow_user_num", users)]  # (n_users,)
    user = users["user_active_degree"].map(ACTIVE).to_numpy() + rng.normal(0, 0.12, size=n_users) - 0.06 * activity
    video = -0.2 * length + videos["upload_type"].map(UPLOAD).to_numpy() + quality
    fit = taste @ (tags / tags.sum(axis=1, keepdims=True)).T + patience[:, None] * length  # (n_users, n_videos)
    signal = user[:, None] + video + fit  # (n_users, n_videos)

    block = np.zeros(signal.shape, dtype=bool)
    small_users = rng.choice(n_users, size=n_small_users, replace=False)
    small_videos = rng.choice(n_videos, size=n_small_videos, replace=False)
    block[np.ix_(small_users, small_videos)] = True
    popularity = -0.8 * np.log(rng.permutation(n_videos) + 1.0)  # (n_videos,) logarithm
    keys = activity[:, None] + popularity + rng.gumbel(size=signal.shape)
    keys[block] = -np.inf
    big = np.divmod(np.sort(np.argpartition(-keys, n_pairs - 1, axis=None)[:n_pairs]), n_videos)
    again = np.sort(rng.choice(n_pairs, size=n_pairs // 25, replace=False))
    big = tuple(np.concatenate([rows, rows[again]]) for rows in big)  # each (n_views,)
    blocked = rng.random((n_users, videos["author_id"].max() + 1)) < 0.004
    small = np.nonzero(block & ~blocked[:, videos["author_id"]])  # each (n_small,)

    big_matrix = _watch(rng, big, signal, videos)
    repeated = rng.choice(len(big_matrix), size=len(big_matrix) // 20, replace=False)
    big_matrix = pd.concat([big_matrix, big_matrix.iloc[repeated]])
    small_matrix = _watch(rng, small, signal, videos)
    expected = _expect(signal[small])
    small_matrix.loc[rng.random(len(small_matrix)) < 0.04, ["time", "date", TIMESTAMP]] = None
    order = np.lexsort([small_matrix[TIMESTAMP], small_matrix[USER_ID]])  # a missing time comes last

    users[INCOMPLETE] = users[INCOMPLETE].mask(rng.random((n_users, len(INCOMPLETE))) < 0.01)
    return KuaiRec(
        big_matrix.sort_values([USER_ID, TIMESTAMP, VIDEO_ID], ignore_index=True),
        small_matrix.iloc[order].reset_index(drop=True),
        users,
        _count_by_day(rng, videos, quality, popularity),
        pd.DataFrame({VIDEO_ID: videos[VIDEO_ID], "feat": [str(np.flatnonzero(row).tolist()) for row in tags]}),
        _draw_friends(rng, n_users),
        _caption(rng, tags),
        expected[order],
    )


def _draw_users(rng: np.random.Generator, n_users: int) -> pd.DataFrame:
    columns = {
        USER_ID: np.arange(n_users),
        "user_active_degree": rng.choice(list(ACTIVE), p=[0.6, 0.25, 0.1, 0.05], size=n_users),
        "is_lowactive_period": rng.binomial(1, 0.02, size=n_users),
        "is_live_streamer": rng.binomial(1, 0.03, size=n_users),
        "is_video_author": rng.binomial(1, 0.6, size=n_users),
        "follow_user_num": np.floor(rng.lognormal(3.5, 1.8, size=n_users)).astype(int),
        "fans_user_num": np.floor(rng.lognormal(3.0, 2.5, size=n_users)).clip(0, 99_999).astype(int),
        "friend_user_num": np.floor(rng.lognormal(1.0, 1.5, size=n_users)).astype(int),
        "register_days": np.floor(rng.lognormal(5.5, 1.0, size=n_users)).clip(15, 3_650).astype(int),
    }
    for name, (_, names) in RANGES.items():
        columns[f"{name}_range"] = np.array(names.split())[_range_of(name, columns)]
    for name, size in zip(ONE_HOT, ONE_HOT_SIZES, strict=True):
        columns[name] = rng.integers(0, size, size=n_users)
    return pd.DataFrame(columns)[COLUMNS["user_features"]]


def _range_of(name: str, users: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.searchsorted(RANGES[name][0], users[name])


def _draw_videos(rng: np.random.Generator, n_videos: int) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    uploaded = FIRST_DAY + rng.integers(-60, N_DAYS - 10, size=n_videos)
    tag = rng.integers(0, 40, size=n_videos)
    videos = pd.DataFrame(
        {
            VIDEO_ID: np.arange(n_videos),
            "author_id": rng.integers(0, max(n_videos // 2, 1), size=n_videos),
            "video_type": rng.choice(["NORMAL", "AD"], p=[0.95, 0.05], size=n_videos),
            "upload_dt": uploaded.astype(str),
            "upload_type": rng.choice(list(UPLOAD), p=[0.4, 0.2, 0.1, 0.1, 0.1, 0.1], size=n_videos),
            "visible_status": rng.choice(["public", "private", "only friends"], p=[0.94, 0.05, 0.01], size=n_videos),
            "video_duration": np.exp(rng.normal(np.log(9_000), 0.5, size=n_videos)).clip(3_000, 120_000).round(),
            "video_width": 720,
            "video_height": rng.choice([1_280, 960, 720], size=n_videos),
            "music_id": rng.integers(1, 10**9, size=n_videos),
            "video_tag_id": tag,
            "video_tag_name": pd.Series(tag).map(lambda t: f"tag {t}" if t % 5 else None),
        }
    )
    tags = rng.random((n_videos, len(TOPICS))).argsort(axis=1).argsort(axis=1)  # (n_videos, 31) ranks
    tags = tags < rng.choice([1, 2, 3, 4], p=[0.6, 0.3, 0.07, 0.03], size=(n_videos, 1))
    return videos, rng.normal(0, 0.15, size=n_videos), tags


def _watch(
    rng: np.random.Generator, pairs: tuple[np.ndarray, np.ndarray], signal: np.ndarray, videos: pd.DataFrame
) -> pd.DataFrame:
    user, video = pairs
    ratio = np.exp(LOG_MEDIAN + signal[pairs] + rng.normal(0, LOG_NOISE, size=len(user)))
    ratio *= 1 + rng.exponential(REPLAYS, size=len(user)) * (rng.random(len(user)) < REPLAYED)
    skips = rng.random(len(user)) < _skip_share(signal[pairs])
    ratio = np.where(skips, rng.uniform(0, 2 * SKIPPED, size=len(user)), ratio)
    duration = videos["video_duration"].to_numpy(int)[video]
    played = np.round(ratio * duration).astype(int)
    start = np.maximum(videos["upload_dt"].to_numpy("datetime64[D]")[video], FIRST_DAY)
    left = (FIRST_DAY + N_DAYS - start).astype(int) * 86_400_000  # milliseconds
    local = start.astype("datetime64[ms]") + np.floor(rng.random(len(user)) * left).astype("timedelta64[ms]")
    return pd.DataFrame(
        {
            USER_ID: user,
            VIDEO_ID: video,
            "play_duration": played,
            "video_duration": duration,
            "time": local,
            "date": _as_number(local.astype("datetime64[D]")),
            TIMESTAMP: local.astype(np.int64) / 1000 - CHINA,
            WATCH_RATIO: played / duration,
        }
    ).astype(MATRIX)


def _as_number(day: np.ndarray) -> np.ndarray:
    return np.char.replace(day.astype(str), "-", "").astype(int)  # 20200705


def _skip_share(signal: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(2.8 + 2 * signal))


def _expect(signal: np.ndarray) -> np.ndarray:
    watched = np.exp(LOG_MEDIAN + signal + LOG_NOISE**2 / 2) * (1 + REPLAYED * REPLAYS)
    skips = _skip_share(signal)
    return skips * SKIPPED + (1 - skips) * watched


def _count_by_day(
    rng: np.random.Generator, videos: pd.DataFrame, quality: np.ndarray, popularity: np.ndarray
) -> pd.DataFrame:
    shown = np.maximum((videos["upload_dt"].to_numpy("datetime64[D]") - FIRST_DAY).astype(int), 0)  # (n_videos,)
    video, day = np.nonzero((np.arange(N_DAYS) >= shown[:, None]) & (rng.random((len(videos), N_DAYS)) < 0.6))
    counts = {"play": rng.poisson(np.exp(9 + popularity + rng.normal(0, 0.4, size=len(videos)))[video])}
    counts["show"] = counts["play"] + rng.poisson(0.6 * counts["play"])
    daily = videos.iloc[video].reset_index(drop=True)
    daily["date"] = _as_number(FIRST_DAY + day)
    daily["play_progress"] = rng.beta(8, 8, size=len(daily)).round(4)
    daily["play_duration"] = np.round(counts["play"] * daily["play_progress"] * daily["video_duration"]).astype(int)
    columns = {}
    for name in COLUMNS["item_daily_features"]:
        if name in daily:
            continue
        stem = name.removesuffix("_cnt").removesuffix("_user_num")
        if stem not in counts:
            liked = np.exp(3 * quality[video]) if stem in LIKED else 1
            counts[stem] = rng.poisson(PER_PLAY.get(stem, 0.005) * liked * counts["play"])
        columns[name] = rng.binomial(counts[stem], 0.9) if name.endswith("_user_num") else counts[stem]
    daily = pd.concat([daily, pd.DataFrame(columns)], axis=1)[COLUMNS["item_daily_features"]]
    daily["video_duration"] = daily["video_duration"].where(rng.random(len(videos))[video] >= 0.04)
    collected = [name for name in daily.columns if "collect" in name]
    daily = daily.astype(dict.fromkeys(collected, float))
    daily.loc[day < 10, collected] = np.nan
    return daily


def _draw_friends(rng: np.random.Generator, n_users: int) -> pd.DataFrame:
    some = np.sort(rng.choice(n_users, size=max(n_users // 15, 1), replace=False))
    friends = [str(rng.choice(n_users, size=rng.integers(1, 4)).tolist()) for _ in some]
    return pd.DataFrame({USER_ID: some, "friend_list": friends})


def _caption(rng: np.random.Generator, tags: np.ndarray) -> pd.DataFrame:
    first = tags.argmax(axis=1)  # (n_videos,) the first tag names the video
    topic = np.array(TOPICS)[first]
    part = pd.Series(first).groupby(first).cumcount() + 1
    style = rng.choice(STYLES, size=len(tags))
    frame = {VIDEO_ID: np.arange(len(tags)), "manual_cover_text": "UNKNOWN"}
    frame["caption"] = [f"{s.capitalize()} {t}, part {p}" for s, t, p in zip(style, topic, part, strict=True)]
    frame["topic_tag"] = ["[" + ",".join(np.array(TOPICS)[row]) + "]" for row in tags]
    frame |= {"first_level_category_id": first, "first_level_category_name": topic}
    for level in ("second", "third"):
        frame |= {f"{level}_level_category_id": -124, f"{level}_level_category_name": "UNKNOWN"}
    return pd.DataFrame(frame)[COLUMNS["captions"]]


# --- the official archive -------------------------------------------------------------------------------------------

ZENODO = "https://zenodo.org/records/18164998/files/"
ARCHIVE, ARCHIVE_MD5 = "KuaiRec.zip", "261550d472c48eff4990fb13c0e5bcf7"  # 432 MB, CC BY-SA 4.0
FOLDERS = ("KuaiRec 2.0/data", "KuaiRec/data")  # inside the archive, newer name first
FILES = {name: f"{name}.csv" for name in COLUMNS} | {"captions": "kuairec_caption_category.csv"}
CHUNK = 1_000_000  # rows


def load_kuairec(path: str | Path | None = None, download: bool = False) -> KuaiRec:
    """Load KuaiRec: by default a data set made like it, with a path or a download the official archive.

    Parameters
    ----------
    path : a copy of the official data: KuaiRec.zip, or a folder that holds the unpacked one. An unpacked folder has no
        hash to check
    download : fetch the archive from Zenodo, 432 MB; it is kept in the operating system's cache folder, or in
        TWO_TOWERS_CACHE, only if its MD5 is right

    Returns
    -------
    KuaiRec
        By default what `generate_kuairec` makes with its default arguments.

    Raises
    ------
    ValueError
        Path and download together, a wrong hash, an unsafe or damaged archive, a file of another layout.
    FileNotFoundError
        No such path, a file missing in it.
    ConnectionError
        The site cannot be reached or its certificate is not trusted.

    Notes
    -----
    The archive is read without unpacking it; the matrices in chunks, column by column and in small types, 44 bytes a
    row, so that all 17 million rows fit into 2 GB. Rows of the captions that are no CSV are left out.
    """
    if path is not None and download:
        raise ValueError(f"path is {str(path)!r} and download is True; expected one of them")
    if download:
        path = fetch(ARCHIVE, ZENODO, f"md5:{ARCHIVE_MD5}", f"Pass path= with a copy of {ARCHIVE}")
    if path is None:
        return generate_kuairec()
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
