"""A social video app with planted tastes: its users, its posts, and what users did with posts (lesson 10)."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from recsys_utils.metrics import RankingTask

COUNTRIES = {  # share of the users, and the share of each language among those who live there
    "IN": (0.36, {"hi": 0.36, "bn": 0.24, "ta": 0.24, "en": 0.16}),
    "NG": (0.18, {"en": 0.36, "ha": 0.34, "yo": 0.30}),
    "ID": (0.15, {"id": 0.65, "jv": 0.35}),
    "BR": (0.12, {"pt": 1.00}),
    "US": (0.11, {"en": 0.65, "es": 0.35}),
    "CH": (0.08, {"de": 0.65, "fr": 0.35}),
}
LANGUAGES = {
    **{"bn": "Bengali", "de": "German", "en": "English", "es": "Spanish", "fr": "French", "ha": "Hausa"},
    **{"hi": "Hindi", "id": "Indonesian", "jv": "Javanese", "pt": "Portuguese", "ta": "Tamil", "yo": "Yoruba"},
}
TOPICS = ("Comedy", "Cooking", "Football", "Music")
START = pd.Timestamp("2024-03-01", tz="UTC")
DAYS = 60
AWKWARD_CAPTION = "It's 100 % :real'); DROP TABLE posts; --"  # of the first post


class Plan(NamedTuple):
    """What decides who watches and likes what; no model may read it."""

    watch: np.ndarray  # (n_users, n_posts) logarithm of a weight: the posts of a user are drawn in proportion to it
    like: np.ndarray  # (n_users, n_posts) chance of a like, once watched
    amount: np.ndarray  # (n_users,) number of posts that are drawn
    joined: np.ndarray  # (n_users,) days after `START`; what is drawn before that is dropped
    created: np.ndarray  # (n_posts,) the same for posts


class SocialWorld(NamedTuple):
    """The tables of the app, as messy as it keeps them, and the tastes behind them."""

    users: pd.DataFrame  # user_id, country, languages (a list of codes)
    posts: pd.DataFrame  # post_id, owner_id, caption, country, language, created_at
    interactions: pd.DataFrame  # user_id, post_id, likes (1, 0 or missing), views, saved ('Y' or 'N'), created_at
    affinity: np.ndarray  # (n_users, n_posts) planted logarithm of the chance of a like, up to a constant
    plan: Plan


class Window(NamedTuple):
    """What is known of the app at a moment, the cut, and what follows until an end."""

    users: pd.DataFrame  # user_id, country (missing if unknown), languages; those who interacted before the end
    posts: pd.DataFrame  # post_id, caption, country (see `cut_world`), language, created_at; those made before the end
    known: pd.DataFrame  # user_id, post_id, likes, views, saves: pairs before the cut
    later: pd.DataFrame  # the same from the cut to the end, for pairs that were not known


class LikesTask(NamedTuple):
    """A window as matrices; rows and columns in the order of its users and posts."""

    liked: np.ndarray  # (n_users, n_posts) bool: liked before the cut
    passed: np.ndarray  # (n_users, n_posts) bool: viewed before the cut and not liked
    later_liked: np.ndarray  # (n_users, n_posts) bool: first viewed after the cut, and liked
    later_passed: np.ndarray  # (n_users, n_posts) bool: first viewed after the cut, and not liked
    user_features: np.ndarray  # (n_users, n_features) float32: `bag_of` the country beside that of the languages
    post_features: np.ndarray  # (n_posts, n_features) float32: the same columns
    asked: np.ndarray  # (n_users,) bool: likes something after the cut, and so is a row of the ranking
    ranking: RankingTask  # what was viewed before the cut, and what these users like after it


def generate_social(n_users: int = 700, n_posts: int = 300, views: float = 80.0, seed: int = 1) -> SocialWorld:
    """Draw a social video app in which country, language and a topic decide who watches and likes what.

    A user lives in one country, reads one to three of its languages and likes one of four topics a lot, another a
    bit. A post has its owner's country, one of its owner's languages, a topic (only its caption tells) and a fame of
    1 / (10 + rank)^0.6. With 1 or 0 for `same` country and `read` language, and `taste` 1, 0.3 or 0,

        chance to be watched  ∝ fame * exp(0.8 same + 2 read + 2.5 taste)
        chance of a like, once watched = 1 / (1 + exp(2.5 - 0.5 same - 1.5 read - 2.5 taste))

    over 60 days; about 15 % of users and posts arrive during them.

    The mess: 8 % of users have no country and 4 % an empty one, 4 % no languages; of the posts 20 % have no country,
    10 % an empty one, 15 % 'default', 6 % no language, 6 % an owner that is not in `users`; likes are 1, 0 or
    missing, and about every fifth pair comes back as repeated views. The first post's caption is full of SQL.

    Parameters
    ----------
    n_users, n_posts : rows of the two tables, at least 1 and 10
    views : median number of posts that a user watches, above 0; at least 5 and at most half of the posts are
    seed : of every draw

    Returns
    -------
    SocialWorld
        Ids count from 1; `interactions` by time.

    Raises
    ------
    ValueError
        A count below its least value.
    """
    for name, value, least in (("n_users", n_users, 1), ("n_posts", n_posts, 10), ("views", views, 1)):
        if not value >= least:
            raise ValueError(f"{name} is {value}; expected {least} or more")
    rng = np.random.default_rng(seed)
    codes, tongues = np.array(list(COUNTRIES)), np.array(list(LANGUAGES))
    share = np.array([COUNTRIES[code][0] for code in codes])
    spoken = np.array([[COUNTRIES[code][1].get(tongue, 0.0) for tongue in tongues] for code in codes])

    home = rng.choice(len(codes), size=n_users, p=share)  # (n_users,) row of `codes`
    keys = np.log(np.maximum(spoken[home], 1e-12)) + rng.gumbel(size=(n_users, len(tongues)))
    liking = np.argsort(-keys, axis=1)  # (n_users, n_languages) languages by the order in which they are drawn
    count = np.minimum(rng.choice([1, 2, 3], size=n_users, p=[0.5, 0.35, 0.15]), (spoken[home] > 0).sum(axis=1))
    reads = np.argsort(liking, axis=1) < count[:, None]  # (n_users, n_languages) bool
    taste = np.array([1.0, 0.3, 0.0, 0.0])[rng.permuted(np.tile(np.arange(4), (n_users, 1)), axis=1)]

    owner = rng.integers(n_users, size=n_posts)
    language = liking[owner, rng.integers(3, size=n_posts) % count[owner]]
    topic = rng.integers(len(TOPICS), size=n_posts)
    fame = -0.6 * np.log(rng.permutation(n_posts) + 10.0)
    same, read, fit = home[:, None] == home[owner], reads[:, language], taste[:, topic]  # (n_users, n_posts) each
    watch = fame + 0.8 * same + 2 * read + 2.5 * fit
    like = 1 / (1 + np.exp(2.5 - 0.5 * same - 1.5 * read - 2.5 * fit))

    amount = np.clip(rng.lognormal(np.log(views), 0.6, size=n_users), 5, n_posts // 2)
    place = np.argsort(np.argsort(-(watch + rng.gumbel(size=watch.shape)), axis=1), axis=1)
    user, post = np.nonzero(place < amount[:, None])  # (n_views,) drawn without repetition
    joined, created = (np.maximum(rng.uniform(-DAYS * 17 / 3, DAYS, size=n), 0) for n in (n_users, n_posts))  # days
    when = rng.uniform(0, DAYS, size=len(user))
    there = when >= np.maximum(joined[user], created[post])
    user, post, when = user[there], post[there], when[there]
    liked = rng.random(len(user)) < like[user, post]

    plan = Plan(watch, like, amount, joined, created)
    users = pd.DataFrame({"user_id": np.arange(1, n_users + 1)})
    users["country"] = _spoil(rng, codes[home].tolist(), {None: 0.08, "": 0.04})
    users["languages"] = _spoil(rng, [sorted(tongues[row].tolist()) for row in reads], {None: 0.04})
    posts = pd.DataFrame({"post_id": np.arange(1, n_posts + 1)})
    posts["owner_id"] = np.where(rng.random(n_posts) < 0.06, n_users + 1 + owner, owner + 1)
    posts["caption"] = [
        f"{TOPICS[t]} in {LANGUAGES[tongues[tongue]]}, no. {number}"
        for t, tongue, number in zip(topic, language, posts["post_id"], strict=True)
    ]
    posts.loc[0, "caption"] = AWKWARD_CAPTION
    posts["country"] = _spoil(rng, codes[home[owner]].tolist(), {None: 0.2, "": 0.1, "default": 0.15})
    posts["language"] = _spoil(rng, tongues[language].tolist(), {None: 0.06})
    posts["created_at"] = _moment(created)
    return SocialWorld(users, posts, _draw_events(rng, user + 1, post + 1, when, liked), watch + np.log(like), plan)


def chance_of_like(world: SocialWorld, cut: float, end: float) -> np.ndarray:
    """Compute the chance that a pair that is not viewed before a cut becomes a like before an end.

    A post is among a user's, drawn without repetition, with a probability of about 1 - exp(-c weight), where c makes
    these sum to the number of posts drawn. Its moment is uniform over the days, and counts once both are there.

    Parameters
    ----------
    world : the app
    cut, end : days after `START`, 0 < cut < end

    Returns
    -------
    ndarray of float, (n_users, n_posts)
        Rows and columns as the users and posts of `cut_world`, whether viewed before the cut or not.

    Raises
    ------
    ValueError
        A cut that is not between 0 and the end.
    """
    window, plan = cut_world(world, cut, end), world.plan
    wanted, low, high = np.ceil(plan.amount)[:, None], np.full((len(plan.amount), 1), -20.0), 40.0
    for _ in range(40):  # bisect the logarithm of c, (n_users, 1)
        high /= 2
        drawn = -np.expm1(-np.exp(plan.watch + low + high))  # (n_users, n_posts)
        low = low + high * (drawn.sum(axis=1, keepdims=True) < wanted)
    there = np.maximum(plan.joined[:, None], plan.created)  # (n_users, n_posts) days
    before = drawn * np.maximum(cut - there, 0) / DAYS  # chance of a view before the cut
    after = drawn * np.maximum(end - np.maximum(there, cut), 0) / DAYS
    return (after / (1 - before) * plan.like)[np.ix_(window.users["user_id"] - 1, window.posts["post_id"] - 1)]


def cut_world(world: SocialWorld, cut: float, end: float, fallback: str = "IN") -> Window:
    """Cut the app's tables at a moment, as users.sql, posts.sql and interactions.sql do.

    The country of a post is its own, else its owner's, else the fallback; empty and 'default' are no country.

    Parameters
    ----------
    world : the app
    cut, end : days after `START`, 0 < cut < end
    fallback : country of a post where neither it nor its owner has one

    Returns
    -------
    Window

    Raises
    ------
    ValueError
        A cut that is not between 0 and the end.
    """
    if not 0 < cut < end:
        raise ValueError(f"cut is {cut} and end is {end}; expected 0 < cut < end, in days")
    cut, end = (START + pd.Timedelta(days=days) for days in (cut, end))
    events = world.interactions[world.interactions["created_at"] < end]
    events = events.fillna({"likes": 0}).assign(saves=events["saved"] == "Y")
    is_known = events["created_at"] < cut
    known, later = (
        part.groupby(["user_id", "post_id"], as_index=False)[["likes", "views", "saves"]].sum()
        for part in (events[is_known], events[~is_known])
    )
    pairs = [pd.MultiIndex.from_frame(part[["user_id", "post_id"]]) for part in (known, later)]
    users = world.users[world.users["user_id"].isin(events["user_id"])].reset_index(drop=True)
    posts = world.posts[world.posts["created_at"] < end].reset_index(drop=True)
    owners = posts["owner_id"].map(_clean(world.users.set_index("user_id")["country"]))
    posts = posts.assign(country=_clean(posts["country"]).fillna(owners).fillna(fallback))
    return Window(
        users.assign(country=_clean(users["country"])),
        posts.drop(columns="owner_id"),
        known,
        later[~pairs[1].isin(pairs[0])].reset_index(drop=True),
    )


def _clean(country: pd.Series) -> pd.Series:
    return country.where(~country.isin([None, "", "default"]))  # NaN instead


def bag_of(vocabulary: list[str], values: pd.Series) -> np.ndarray:
    """Turn codes, or lists of codes, into shares of a vocabulary.

    Parameters
    ----------
    vocabulary : known codes
    values : a code, a list of codes or a missing value in each row

    Returns
    -------
    ndarray of float32, (n_rows, 1 + len(vocabulary))
        Each row sums to 1. Column 0 is for what is unknown: a missing value, an empty list, a code outside the
        vocabulary.
    """
    lists = [value if isinstance(value, list) and value else [value] for value in values]
    rows = np.repeat(np.arange(len(lists)), [len(codes) for codes in lists])
    codes = [code if isinstance(code, str) else None for codes in lists for code in codes]
    bags = np.zeros((len(lists), 1 + len(vocabulary)), dtype=np.float32)
    np.add.at(bags, (rows, pd.Index(vocabulary).get_indexer(codes) + 1), 1)
    return bags / bags.sum(axis=1, keepdims=True)


def lay_out(window: Window) -> LikesTask:
    """Lay a window out as matrices, and ask who will like what.

    The catalogue is every post made before the end, those after the cut among them; viewed posts are not recommended
    again. Every user who likes a post after the cut is asked, new users too.

    Parameters
    ----------
    window : of `cut_world`, or of the three queries

    Returns
    -------
    LikesTask

    Raises
    ------
    ValueError
        A pair whose user or post is not in the window, nobody who likes anything after the cut.
    """
    users, posts = window.users["user_id"].to_numpy(), window.posts["post_id"].to_numpy()
    liked, passed, later_liked, later_passed = (
        _as_matrix(name, pairs[(pairs["likes"] > 0) == like], users, posts)
        for name, pairs in (("known", window.known), ("later", window.later))
        for like in (True, False)
    )
    asked = later_liked.any(axis=1)  # (n_users,)
    if not asked.any():
        raise ValueError("later has no like; expected at least one after the cut")
    countries = sorted({*window.users["country"].dropna(), *window.posts["country"]})
    user_features, post_features = (
        np.hstack([bag_of(countries, country), bag_of(sorted(LANGUAGES), languages)])  # (n_rows, n_features)
        for country, languages in (
            (window.users["country"], window.users["languages"]),
            (window.posts["country"], window.posts["language"]),
        )
    )
    ranking = RankingTask(users[asked], posts, csr_array((liked | passed)[asked]), csr_array(later_liked[asked]))
    return LikesTask(liked, passed, later_liked, later_passed, user_features, post_features, asked, ranking)


def _as_matrix(name: str, pairs: pd.DataFrame, users: np.ndarray, posts: np.ndarray) -> np.ndarray:
    rows, columns = pd.Index(users).get_indexer(pairs["user_id"]), pd.Index(posts).get_indexer(pairs["post_id"])
    for column, places in (("user_id", rows), ("post_id", columns)):
        if (places < 0).any():
            unknown = pairs[column].to_numpy()[places < 0][0]
            raise ValueError(f"{name} has the {column} {unknown}; expected one of the window's")
    matrix = np.zeros((len(users), len(posts)), dtype=bool)
    matrix[rows, columns] = True
    return matrix


def _spoil(rng: np.random.Generator, values: list, mess: dict) -> list:
    """Replace a share of the values by each of the keys of `mess`."""
    at = np.searchsorted(np.cumsum(list(mess.values())), rng.random(len(values)), side="right")
    return [[*mess, value][i] for value, i in zip(values, at, strict=True)]


def _moment(days: np.ndarray) -> pd.Series:
    return (START + pd.to_timedelta(np.floor(days * 24 * 3600), unit="s")).to_series(index=range(len(days)))


def _draw_events(rng: np.random.Generator, user, post, when, liked) -> pd.DataFrame:
    # An event says whether a view was liked, or leaves it open; a pair that comes back leaves it open.
    again = np.flatnonzero(rng.random(len(user)) < 0.2)
    silent = ~liked & (rng.random(len(user)) < 0.5)
    saved = np.where(liked & (rng.random(len(user)) < 0.2), "Y", "N")
    later = np.minimum(when[again] + rng.exponential(1.0, size=len(again)), DAYS - 1e-3)
    events = pd.DataFrame(
        {
            "user_id": np.concatenate([user, user[again]]),
            "post_id": np.concatenate([post, post[again]]),
            "likes": pd.array(np.concatenate([liked.astype(int), np.zeros(len(again), int)]), dtype="Int64"),
            "views": 1,
            "saved": np.concatenate([saved, np.full(len(again), "N")]),
            "created_at": _moment(np.concatenate([when, later])),
        }
    )
    events.loc[np.concatenate([silent, np.ones(len(again), bool)]), "likes"] = pd.NA
    return events.sort_values(["created_at", "user_id", "post_id"], ignore_index=True)
