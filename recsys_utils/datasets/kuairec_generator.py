"""A data set made like KuaiRec: its tables and columns, a planted signal, and some of the real one's mess."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from recsys_utils.columns import TIMESTAMP, USER_ID
from recsys_utils.datasets.kuairec import COLUMNS, MATRIX, ONE_HOT, VIDEO_ID, WATCH_RATIO, KuaiRec

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
    for name, size in (("n_users", n_users), ("n_videos", n_videos)):
        if size < 1:
            raise ValueError(f"{name} is {size}; expected 1 or more")
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
    left = (FIRST_DAY + np.timedelta64(N_DAYS, "D") - start).astype(int) * 86_400_000  # milliseconds
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
