"""A protocol that nobody here chose: each user's last item is left out, and the whole catalogue ranked for it.

MovieLens-1M without items of fewer than five ratings, by time, ties in the order of the file; seen items are filtered.
The training part holds neither the last item of a user, the test, nor the one before it, which 512 users are asked for
in validation, and of those users not the item before that. Settings are chosen inside the training part, on each user's
last item there.
"""

import gzip
import os
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from lessons import MemoryPeak
from scipy.sparse import csr_array

from bench.editions import what_is_missing
from recsys_utils.baselines import fit_directed, fold_in, ials_factors
from recsys_utils.columns import ITEM_ID, TIMESTAMP, USER_ID
from recsys_utils.comparison import bootstrap_interval, compare
from recsys_utils.datasets.movielens import load_movielens
from recsys_utils.metrics import RankingMetrics, RankingTask, evaluate_ranking

EDITION = "ml-1m"
PARTS = "validation", "test"
SIZE = {"users": 6_040, "items": 3_416, "interactions": 999_611}
LEAST = 5  # ratings of an item that is kept
VALIDATED = 512  # users, drawn as asash/gSASRec-pytorch draws them
K = 10

PUBLISHED = [  # test, NDCG@10 and HR@10 as their authors' pages have them
    {"model": "SASRec, one negative", "hr": 0.239, "ndcg": 0.126, "source": "asash/gSASRec-pytorch"},
    {"model": "SASRec, one negative", "hr": 0.250, "ndcg": 0.134, "source": "antklen/sasrec-bert4rec-recsys23"},
    {"model": "BERT4Rec", "hr": 0.282, "ndcg": 0.152, "source": "asash/bert4rec_repro"},
    {"model": "gSASRec, 256 negatives", "hr": 0.300, "ndcg": 0.173, "source": "asash/gSASRec-pytorch"},
    {"model": "SASRec+, full softmax", "hr": 0.315, "ndcg": 0.182, "source": "antklen/sasrec-bert4rec-recsys23"},
    {"model": "SASRec+, 3,000 negatives", "hr": 0.316, "ndcg": 0.186, "source": "antklen/sasrec-bert4rec-recsys23"},
]


class Held(NamedTuple):
    """Users and the one item that is to be predicted for each."""

    histories: list[np.ndarray]  # each (length,) of items, the latest last
    targets: np.ndarray  # (n_users,)


class Sequences(NamedTuple):
    """Who took which items, in order; items are numbered from 0."""

    n_items: int
    train: list[np.ndarray]  # a user each, (length,) of items, the latest last
    held: dict[str, Held]  # 'validation', and 'test' where its targets are at hand


# --- reading ----------------------------------------------------------------------------------------------------------


def load_sequences(folder: str | None = None) -> Sequences:
    """Read a folder of sequences, or without one the official edition, whose size is checked."""
    if folder:
        return read_sequences(Path(folder))
    ratings = load_movielens(EDITION, ties="file").ratings
    return cut(sequences_of(ratings, SIZE))


def sequences_missing(folder: str | None = None) -> str | None:
    """Say how to get what is not there; return None for what is. Without test targets, validation alone is measured."""
    if folder is None:
        return what_is_missing(EDITION)
    wanted = ["train", "val_input", "val_output"]
    if _find(Path(folder), "test_output"):
        wanted.append("test_input")
    missing = [name for name in wanted if _find(Path(folder), name) is None]
    return f"{folder} lacks {', '.join(missing)}; expected each as .txt or .txt.gz" if missing else None


def describe(data: Sequences) -> str:
    """Say how large the parts are, and which targets are not there."""
    trained = sum(len(sequence) for sequence in data.train)
    said = f"{len(data.train):,} users and {data.n_items:,} items, {trained:,} interactions to train on; targets: "
    parts = [f"{part} {len(data.held[part].targets):,}" if part in data.held else f"no {part}" for part in PARTS]
    return said + ", ".join(parts)


def sequences_of(ratings: pd.DataFrame, size: dict[str, int] | None = None) -> list[np.ndarray]:
    """Drop rare items and put each user's others in the order of time; equal times stay in the order of the rows.

    Parameters
    ----------
    ratings : DataFrame with user_id, item_id, timestamp
    size : users, items and interactions that have to remain

    Returns
    -------
    list of ndarray
        A user each, by user id; items by number, from 0, in the order of their ids.

    Raises
    ------
    ValueError
        Another size.
    """
    counts = ratings[ITEM_ID].map(ratings[ITEM_ID].value_counts())
    kept = ratings[counts >= LEAST].sort_values([USER_ID, TIMESTAMP], kind="stable")
    found = {"users": kept[USER_ID].nunique(), "items": kept[ITEM_ID].nunique(), "interactions": len(kept)}
    if size and found != size:
        raise ValueError(f"ratings hold {found} after items with fewer than {LEAST} are dropped; expected {size}")
    items = np.unique(kept[ITEM_ID], return_inverse=True)[1].astype(np.int32)  # (n_interactions,)
    return np.split(items, np.flatnonzero(np.diff(kept[USER_ID])) + 1)


def cut(sequences: list[np.ndarray]) -> Sequences:
    """Leave the last item of everybody out for the test, and two more of the users of the validation."""
    n = len(sequences)
    # RandomState, and less 1: the published split compares these numbers with user ids, which begin at 1
    drawn = np.random.RandomState(42).choice(n, min(VALIDATED, n), replace=False) - 1
    validated = np.sort(drawn % n)  # (n_validated,)
    train = [sequence[:-2] for sequence in sequences]
    for user in validated:
        train[user] = train[user][:-1]
    asked = [sequences[user] for user in validated]
    held = {
        "validation": Held([s[:-2] for s in asked], np.array([s[-2] for s in asked])),
        "test": Held([s[:-1] for s in sequences], np.array([s[-1] for s in sequences])),
    }
    return Sequences(1 + max(int(s.max()) for s in sequences), train, held)


def read_sequences(folder: Path) -> Sequences:
    """Read sequences, a user a line, items as numbers from 1, as others publish their splits.

    Parameters
    ----------
    folder : holds train, val_input, val_output, and perhaps test_input and test_output; each as .txt or .txt.gz

    Raises
    ------
    FileNotFoundError
        A file is missing; a test_output has to have its test_input.
    ValueError
        Items that are no numbers from 1, inputs and outputs of different length, an output of several items, or of one
        that is in its input: seen items are filtered, so nobody could be right.
    """
    train = _read_lines(folder, "train")
    held = {}
    for part, name in (("validation", "val"), ("test", "test")):
        if part == "test" and _find(folder, "test_output") is None:
            continue
        histories, outputs = _read_lines(folder, f"{name}_input"), _read_lines(folder, f"{name}_output")
        if len(histories) != len(outputs) or any(len(output) != 1 for output in outputs):
            raise ValueError(
                f"{folder} has {len(histories)} lines in {name}_input and {len(outputs)} in {name}_output; expected "
                "as many, with one item a line in the output"
            )
        for line, (history, output) in enumerate(zip(histories, outputs, strict=True), 1):
            if output[0] in history:
                raise ValueError(
                    f"{folder} has item {output[0] + 1} in line {line} of {name}_input and of {name}_output; expected "
                    "a target that the input does not hold"
                )
        held[part] = Held(histories, np.concatenate(outputs))
    largest = [sequence.max() for sequence in train] + [part.targets.max() for part in held.values()]
    largest += [history.max() for part in held.values() for history in part.histories]
    return Sequences(1 + int(max(largest)), train, held)


def _find(folder: Path, name: str) -> Path | None:
    return next((path for end in (".txt.gz", ".txt") if (path := folder / f"{name}{end}").exists()), None)


def _read_lines(folder: Path, name: str) -> list[np.ndarray]:
    path = _find(folder, name)
    if path is None:
        raise FileNotFoundError(f"{folder} lacks {name}.txt; expected it there, or as {name}.txt.gz")
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="ascii") as file:
        lines = [np.array(line.split(), dtype=np.int32) - 1 for line in file.read().rstrip().splitlines()]
    if not lines or min((line.min() if len(line) else -1) for line in lines) < 0:
        raise ValueError(f"{path} has an empty line or an item below 1; expected items from 1, a user a line")
    return lines


def hold_out(train: list[np.ndarray]) -> tuple[list[np.ndarray], Held]:
    """Hold each user's last training item out: settings are chosen on it. Users with one item stay as they are."""
    longer = [sequence for sequence in train if len(sequence) > 1]
    held = Held([sequence[:-1] for sequence in longer], np.array([sequence[-1] for sequence in longer]))
    return [sequence[:-1] if len(sequence) > 1 else sequence for sequence in train], held


# --- measuring --------------------------------------------------------------------------------------------------------


def as_matrix(histories: list[np.ndarray], n_items: int, power: float = 0.0) -> csr_array:
    """Lay histories out as a sparse matrix of (1 + rank)^-power, rank 0 being the latest item."""
    lengths = np.array([len(history) for history in histories])
    ends = np.cumsum(lengths)
    rank = np.repeat(ends, lengths) - 1 - np.arange(lengths.sum())  # (n_interactions,)
    weights = ((1.0 + rank) ** -power).astype(np.float32)
    return csr_array((weights, np.concatenate(histories), np.append(0, ends)), shape=(len(histories), n_items))


def rank_held(scores: Callable[[list[np.ndarray]], np.ndarray], held: Held, n_items: int) -> RankingMetrics:
    """Rank the catalogue for every history, seen items filtered; recall is the hit rate, as each has one target.

    `scores` takes some histories and returns (n_histories, n_items).
    """
    task = RankingTask(
        np.arange(len(held.targets)),
        np.arange(n_items),
        as_matrix(held.histories, n_items).astype(bool),
        as_matrix(list(held.targets[:, None]), n_items).astype(bool),
    )
    return evaluate_ranking(lambda rows: scores([held.histories[row] for row in rows]), task, K)


def measure_held(scores: Callable[[list[np.ndarray]], np.ndarray], data: Sequences) -> dict[str, Any]:
    """Measure a model on every part that is at hand: means, the interval over users, and each user's NDCG."""
    parts = {}
    for part, held in data.held.items():
        metrics = rank_held(scores, held, data.n_items)
        low, high = bootstrap_interval(metrics.ndcg)
        parts[part] = {"users": len(held.targets), "hr": float(metrics.recall.mean())}
        parts[part] |= {"ndcg": float(metrics.ndcg.mean()), "low": low, "high": high, "by_user": metrics.ndcg.tolist()}
    return parts


# --- rivals -----------------------------------------------------------------------------------------------------------


Scorer = Callable[[csr_array], np.ndarray]  # from histories, (n_rows, n_items), to scores of the same shape


def fit_popular(train: list[np.ndarray], n_items: int) -> Scorer:
    counts = np.bincount(np.concatenate(train), minlength=n_items)
    return lambda histories: np.tile(counts, (histories.shape[0], 1))


def fit_ials(train: list[np.ndarray], n_items: int, factors: int, regularization: float, alpha: float) -> Scorer:
    """Fit iALS; a history is folded in, so that its user need not have been there, or had not seen as much."""
    seen = as_matrix(train, n_items).astype(bool)
    nothing = csr_array(seen.shape, dtype=bool)
    task = RankingTask(np.arange(len(train)), np.arange(n_items), seen, nothing)
    items = ials_factors(task, factors, regularization, alpha).items  # (n_items, factors)
    return lambda histories: fold_in(histories, items, regularization, alpha) @ items.T


def fit_ease(train: list[np.ndarray], n_items: int, strength: float) -> Scorer:
    """Fit EASE by inverting a matrix of items by items: here there are fewer of them than users."""
    x = as_matrix(train, n_items)
    gram = (x.T @ x).toarray().astype(np.float64)  # (n_items, n_items)
    gram[np.diag_indices(n_items)] += strength
    inverse = np.linalg.inv(gram)
    weights = (-inverse / np.diag(inverse)).astype(np.float32)
    np.fill_diagonal(weights, 0)
    return lambda histories: histories @ weights


def fit_next_item(train: list[np.ndarray], n_items: int, **settings: float) -> Scorer:
    """Count which item follows which, `fit_directed` of lesson 03; the time is the place in the sequence."""
    lengths = [len(sequence) for sequence in train]
    place = np.concatenate([np.arange(length) for length in lengths])
    user = np.repeat(np.arange(len(train)), lengths)
    frame = pd.DataFrame({USER_ID: user, ITEM_ID: np.concatenate(train), TIMESTAMP: place})
    nothing = csr_array((len(train), n_items), dtype=bool)
    task = RankingTask(np.arange(len(train)), np.arange(n_items), nothing, nothing)
    weights = fit_directed(frame, task, **settings).weights
    return lambda histories: (histories @ weights).toarray()


class Rival(NamedTuple):
    """A rival, and the values of each setting that are tried; `power`, if it has one, is that of a fading history."""

    fit: Callable[..., Scorer]
    grid: Mapping[str, tuple] = MappingProxyType({})


RIVALS = {
    "most popular": Rival(fit_popular),
    "iALS": Rival(
        fit_ials,
        {"factors": (16, 32, 64, 128), "regularization": (3.0, 10.0, 30.0, 100.0), "alpha": (0.5, 1.0, 2.0, 5.0)},
    ),
    "EASE that fades": Rival(
        fit_ease,
        {"strength": (30.0, 100.0, 300.0, 1000.0, 3000.0), "power": (0.0, 0.25, 0.5, 0.75, 1.0, 1.25)},
    ),
    "item to next item": Rival(
        fit_next_item,
        {
            "distance_power": (0.5, 0.75, 1.0, 1.25, 1.5),
            "window": (5, 10, 20, 50, 100),
            "history_power": (0.25, 0.5, 0.7, 0.85, 1.0),
            "item_power": (0.0, 0.15, 0.3, 0.45, 0.6),
            "power": (0.5, 0.75, 1.0, 1.25, 1.5),
        },
    ),
}


def choose(rival: Rival, train: list[np.ndarray], n_items: int) -> tuple[dict[str, Any], float]:
    """Choose settings on the items that `hold_out` holds out; return them and the NDCG@10 there.

    From the middle of the grid, one setting after the other gets the best of its values, until none is to be changed.
    """
    train, held = hold_out(train)
    tried: dict[tuple, float] = {}

    @lru_cache(maxsize=1)
    def fit(settings: tuple) -> Scorer:
        return rival.fit(train, n_items, **dict(settings))

    def measure(settings: dict[str, Any]) -> float:
        key = tuple(settings.values())
        if key not in tried:
            of_fit = {name: value for name, value in settings.items() if name != "power"}
            scores, power = fit(tuple(of_fit.items())), settings.get("power", 0.0)
            metrics = rank_held(lambda rows: scores(as_matrix(rows, n_items, power)), held, n_items)
            tried[key] = float(metrics.ndcg.mean())
        return tried[key]

    best = {name: values[len(values) // 2] for name, values in rival.grid.items()}
    before = None
    while best != before:
        before = best
        for name, values in reversed(rival.grid.items()):
            best = max((best | {name: value} for value in values), key=measure)
    return best, measure(best)


def at_edge(rival: Rival, settings: dict[str, Any]) -> list[str]:
    """Name the settings that lie at an end of their grid, where 0 is none: there is nothing beyond it."""
    ends = {name: {values[0], values[-1]} - {0.0} for name, values in rival.grid.items()}
    return [name for name, value in settings.items() if value in ends[name]]


def measure_rival(name: str, folder: str | None = None) -> dict:
    """Choose a rival's settings, fit it, measure it: a row of the report; the seconds are those of the fit alone."""
    peak = MemoryPeak(os.getpid())
    data, rival = load_sequences(folder), RIVALS[name]
    settings, chosen_at = choose(rival, data.train, data.n_items)
    start = time.perf_counter()
    scores = rival.fit(data.train, data.n_items, **{key: value for key, value in settings.items() if key != "power"})
    seconds = time.perf_counter() - start
    parts = measure_held(lambda rows: scores(as_matrix(rows, data.n_items, settings.get("power", 0.0))), data)
    row = {"model": name, "settings": settings, "at_edge": at_edge(rival, settings), "chosen_at": chosen_at}
    return row | {"seconds": seconds, "peak_mb": round(peak.megabytes), "parts": parts}


# --- towers: TensorFlow is imported where they are trained ------------------------------------------------------------


def use_bfloat16() -> None:
    """Let oneDNN round the factors of products to bfloat16, where the processor has instructions for it."""
    os.environ.setdefault("ONEDNN_DEFAULT_FPMATH_MODE", "BF16")


def measure_tower(name: str, folder: str | None = None, epochs: int | None = None) -> dict:
    """Train a tower, or two side by side, and measure it: a row of the report."""
    use_bfloat16()
    from bench import sequence_towers

    peak = MemoryPeak(os.getpid())
    data = load_sequences(folder)
    row = sequence_towers.train(name, data, {} if epochs is None else {"epochs": epochs})
    scores = row.pop("scores")
    parts = measure_held(scores, data)
    return {"model": name} | row | {"peak_mb": round(peak.megabytes), "parts": parts}


def develop(
    name: str, folder: str | None = None, changes: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, float]:
    """Train a tower without each user's last training item and measure it there: what its settings are chosen on."""
    use_bfloat16()
    from bench import sequence_towers

    data = load_sequences(folder)
    train, held = hold_out(data.train)
    data = Sequences(data.n_items, train, {"development": held})
    row = sequence_towers.train(name, data, changes)
    found = measure_held(row["scores"], data)["development"]
    return {key: found[key] for key in ("users", "hr", "ndcg", "low", "high")} | {"seconds": row["seconds"]}


# --- the report -------------------------------------------------------------------------------------------------------


def differences(rows: list[dict], part: str) -> list[dict]:
    """Compare the towers with the strongest rival of a part, user by user, and with Holm's correction."""
    ndcg = {row["model"]: np.array(row["parts"][part]["by_user"]) for row in rows if part in row["parts"]}
    rivals = [model for model in ndcg if model in RIVALS]
    if not rivals or len(ndcg) == len(rivals):
        return []
    strongest = max(rivals, key=lambda model: ndcg[model].mean())
    towers = [model for model in ndcg if model not in RIVALS]
    table = compare({model: ndcg[model] for model in [strongest, *towers]}, strongest)
    return table[table["model"] != strongest].assign(against=strongest, part=part).to_dict("records")
