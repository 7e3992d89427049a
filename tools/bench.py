"""Measure the course into build/bench.json and build/bench.md: quality, speed, neighbours, cost against size.

Every part runs in a process of its own, so that none finds the memory or the settings of another. The two-tower models
are those of the lessons: what a lesson's script imports, sets and defines is executed, and given the data.
"""

import ast
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np
import pandas as pd
from lessons import BUILD, SCRIPTS, MemoryPeak
from run import leaderboard_table, machine
from tabulate import tabulate

from recsys_utils.baselines import bpr_factors, fit_ease, predict_with_surprise, rank_with_ials
from recsys_utils.columns import GENRES, ITEM_ID, RATING, USER_ID, YEAR
from recsys_utils.comparison import bootstrap_interval
from recsys_utils.datasets.item_vectors import load_item_vectors
from recsys_utils.datasets.movielens import EDITIONS, GROUPLENS, load_movielens
from recsys_utils.leaderboard import Leaderboard, query_milliseconds
from recsys_utils.metrics import RankingMetrics, RankingTask, evaluate_ranking, make_ranking_task, rmse
from recsys_utils.similarity import nearest_neighbours
from recsys_utils.splits import Split, split_by_time, split_random

EMBEDDED = "2016-10"
PUBLISHED, METRICS_OFF = "TFRS tutorial, FactorizedTopK on", "TFRS tutorial, FactorizedTopK off"
WIDTHS = (64, 256)  # of the vectors when speeds are compared: those of lessons 11 and 14
SLOW = 200_000  # ratings; the slow rating models run on editions up to this size
RETRIEVAL = ("11", "14")  # lessons whose two-towers rank
COSTS = ("seconds", "cpu_seconds", "peak_mb")  # of an epoch
TARGETS = ("EASE", "EASE, recent first", "iALS")  # baselines that the best two-tower is compared with


class Plan(NamedTuple):
    """How much is measured."""

    runs: int  # of everything that is timed; tables show the median
    seeds: int  # trainings of each two-tower that ranks
    users: int | None  # the first so many of each edition; None for all
    loop_rows: int  # of the double loop
    sizes: tuple[int, ...]  # interactions
    thorough: bool  # also other encoders, the parts of the history tower, and the recipe at that tower's width


FULL = Plan(runs=3, seeds=3, users=None, loop_rows=200, sizes=(100_000, 1_000_000, 10_000_000), thorough=True)
QUICK = Plan(runs=1, seeds=1, users=60, loop_rows=50, sizes=(20_000, 200_000), thorough=False)


# --- processes --------------------------------------------------------------------------------------------------------


def measure(function: str, *arguments: object) -> dict:
    """Call a function of this file in a new process; return what it returns."""
    call = " ".join([function, *map(str, arguments)])
    print(call, end=" ", file=sys.stderr, flush=True)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder, "result.json")
        command = [sys.executable, __file__, function, json.dumps(arguments), str(result)]
        if subprocess.run(command, env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "MPLBACKEND": "Agg"}).returncode:
            raise SystemExit(f"{call} failed; the error stands above")
        print(f"({time.perf_counter() - start:.0f} s)", file=sys.stderr)
        return json.loads(result.read_text(encoding="utf-8"))


def median_seconds(call: Callable[[], object], runs: int) -> float:
    """Time a call so many times and return the median."""
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds))


def taught(lesson: str) -> dict:
    """Execute a lesson's imports, settings, parameters, functions and classes, and nothing else of it.

    Parameters
    ----------
    lesson : two digits

    Returns
    -------
    dict
        The lesson's names. Its functions look up their data here, so put it in.
    """
    (script,) = SCRIPTS.glob(f"{lesson}_*.py")
    kept = [node for node in ast.parse(script.read_text(encoding="utf-8")).body if _is_definition(node)]
    module = sys.modules[script.stem] = ModuleType(script.stem)  # where TensorFlow looks for their source
    exec(compile(ast.Module(kept, type_ignores=[]), str(script), "exec"), vars(module))
    return vars(module)


def _is_definition(node: ast.stmt) -> bool:
    if isinstance(node, ast.Assign):
        target = ast.unparse(node.targets[0])
        return target.isupper() or target.startswith("os.environ")
    if isinstance(node, ast.Expr):
        return ast.unparse(node).startswith("set_up(")
    return isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef)


# --- data -------------------------------------------------------------------------------------------------------------


class Edition(NamedTuple):
    """An edition of MovieLens, or its first users, laid out for the course's protocol."""

    ratings: pd.DataFrame
    items: pd.DataFrame  # those that somebody rated
    validation: Split
    test: Split
    validation_task: RankingTask
    test_task: RankingTask


def load_edition(name: str, users: int | None) -> Edition:
    ratings, items, _ = load_movielens(name)
    if users:
        ratings = ratings[ratings[USER_ID].isin(np.unique(ratings[USER_ID])[:users])]
    items = items[items[ITEM_ID].isin(ratings[ITEM_ID])].reset_index(drop=True)
    test = split_by_time(ratings)
    splits = split_by_time(test.train), test
    return Edition(ratings, items, *splits, *(make_ranking_task(*split, items=items[ITEM_ID]) for split in splits))


def what_is_missing(name: str) -> str | None:
    """Say how to get an edition that is not there; return None for one that is."""
    if name != EMBEDDED and not (os.environ.get("MOVIELENS_PATH") or os.environ.get("MOVIELENS_MIRROR")):
        return (
            f"Set MOVIELENS_PATH to a folder that holds {name}.zip, or MOVIELENS_MIRROR to the address of one on the "
            f"web, such as {GROUPLENS}"
        )
    try:
        load_movielens(name)
    except (OSError, ValueError, ImportError) as error:
        return str(error)
    return None


# --- quality: each function returns rows of the leaderboard, and each user's metrics by model -------------------------


def _answer(board: Leaderboard, rankings: dict[str, RankingMetrics]) -> dict:
    by_user = {
        model: {"recall": metrics.recall.tolist(), "ndcg": metrics.ndcg.tolist()} for model, metrics in rankings.items()
    }
    return {"rows": board.rows, "by_user": by_user}


def rating_baselines(edition: str, users: int | None) -> dict:
    """Measure every rating baseline on both splits; the seconds include predicting the test by time."""
    from surprise import SVD, BaselineOnly, KNNBaseline, KNNBasic, SVDpp

    data = load_edition(edition, users)
    splits = {"rmse_random": split_random(data.ratings), "rmse_by_time": data.test}
    models = {"bias": BaselineOnly, "SVD": partial(SVD, random_state=1)}
    if len(data.ratings) <= SLOW:
        models["SVD++"] = partial(SVDpp, n_epochs=10, cache_ratings=True, random_state=1)
        for side, user_based in (("user", True), ("item", False)):
            cosine, deviations = ({"name": name, "user_based": user_based} for name in ("cosine", "pearson_baseline"))
            models[f"{side} CF, cosine"] = partial(KNNBasic, sim_options=cosine)
            models[f"{side} CF, deviations"] = partial(KNNBaseline, sim_options=deviations)
    board = Leaderboard("bench")
    errors = {
        name: rmse(test[RATING], np.full(len(test), train[RATING].mean())) for name, (train, test) in splits.items()
    }
    board.add("mean", "baseline", **errors)
    for model, make in models.items():
        for name, (train, test) in splits.items():
            start = time.perf_counter()
            errors[name] = rmse(test[RATING], predict_with_surprise(make(), train, test))
            seconds = time.perf_counter() - start
        board.add(model, "baseline", **errors, train_seconds=seconds)
    return _answer(board, {})


def ranking_baselines(edition: str, users: int | None) -> dict:
    """Measure every ranking baseline; what there is to choose is chosen on the validation part."""
    data = load_edition(edition, users)
    names = taught("14")
    names["film_ids"] = data.items[ITEM_ID].to_numpy()

    def most_popular(train, task):
        return np.tile(task.popularity, (len(task.users), 1))

    def item_cf(train, task):
        seen = task.seen.toarray().astype(np.float32)  # (n_users, n_items)
        unit = seen / np.maximum(np.linalg.norm(seen, axis=0), 1)
        return (seen @ unit.T) @ unit

    def ials(train, task, factors, regularization):
        return rank_with_ials(task, factors, regularization)

    def bpr(train, task, factors, iterations):
        user_vectors, item_vectors = bpr_factors(task, factors, iterations)
        return user_vectors @ item_vectors.T

    def ease(train, task, strength):
        seen = task.seen.toarray().astype(np.float32)
        return fit_ease(seen, strength).scores(seen)

    def ease_recent(train, task, strength):
        fades = names["fade"](task, names["make_log"](train))
        return fit_ease(task.seen.toarray().astype(np.float32), strength).scores(fades)

    strengths = [(100,), (200,), (500,), (1000,), (2000,)]
    models = {
        "most popular": (most_popular, [()]),
        "item CF, watched": (item_cf, [()]),
        "iALS": (ials, list(itertools.product((16, 32, 64), (1, 10, 30)))),
        "BPR": (bpr, list(itertools.product((16, 32, 64), (25, 50, 100)))),
        "EASE": (ease, strengths),
        "EASE, recent first": (ease_recent, strengths),
    }
    board, rankings = Leaderboard("bench"), {}
    for model, (score, choices) in models.items():

        def validate(settings, score=score):
            scores = score(data.validation.train, data.validation_task, *settings)
            return evaluate_ranking(scores, data.validation_task).ndcg.mean()

        best = max(choices, key=validate)
        start = time.perf_counter()
        scores = score(data.test.train, data.test_task, *best)
        seconds = time.perf_counter() - start
        rankings[model] = evaluate_ranking(scores, data.test_task)
        board.add(model, "baseline", ranking=rankings[model], train_seconds=seconds)
    return _answer(board, rankings)


def lesson_07(edition: str, users: int | None) -> dict:
    """Measure the content towers of lesson 07 on both splits; the seconds are those of the split by time."""
    data = load_edition(edition, users)
    names = taught("07")
    names.update(items=data.items, users=data.test_task.users)
    errors = {}
    for name, (train, test) in {"rmse_random": split_random(data.ratings), "rmse_by_time": data.test}.items():
        start = time.perf_counter()
        towers, _ = names["fit"](train)
        seconds = time.perf_counter() - start
        errors[name] = rmse(test[RATING], towers.predict(test))
    board = Leaderboard("07")
    board.add("content towers + ids + biases", "two-tower", **errors, train_seconds=seconds)
    return _answer(board, {})


def lesson_11(edition: str, users: int | None, seeds: int, runs: int) -> dict:
    """Measure the towers of lesson 11, trained with several seeds; then, if runs > 0, their speed."""
    data = load_edition(edition, users)
    names = taught("11")
    catalogue = describe_films(data.items)
    names.update(items=data.items, users=data.test_task.users, catalogue=catalogue, test_split=data.test)
    board, rankings = Leaderboard("11"), {}
    for model, kind in (("in-batch softmax", "InBatchSoftmax"), ("in-batch softmax + logQ", "InBatchSoftmaxLogQ")):
        _, curve = names["train_model"](names[kind], data.validation.train, names["EPOCHS"], data.validation_task)
        of_seeds = []
        for seed in range(seeds, 0, -1):  # the row is that of the last, seed 1
            names["SEED"] = seed
            towers, seconds = names["train_at_best"](names[kind], curve)
            rankings[model] = evaluate_ranking(names["score"](towers), data.test_task)
            of_seeds.append(float(rankings[model].ndcg.mean()))
        items = towers.candidate_tower(catalogue).numpy()  # (n_items, dim)
        query = query_milliseconds(
            lambda row, towers=towers, items=items: items @ towers.query_tower(data.test_task.users[[row]]).numpy()[0],
            data.test_task,
        )
        board.add(model, "two-tower", ranking=rankings[model], train_seconds=seconds, query_ms=query)
        board.rows[-1]["ndcg_at_10_of_seeds"] = of_seeds[::-1]
    result = _answer(board, rankings)
    if runs:
        batches = names["read_batches"](data.test.train)
        towers = new_model(names, data.test.train[ITEM_ID])
        towers.fit(batches, verbose=0)  # traces
        examples = len(data.test.train) // names["BATCH"] * names["BATCH"]
        speed = {
            "pipeline": "lesson 11",
            "width": names["DIM"],
            "examples_per_second": examples / median_seconds(lambda: towers.fit(batches, verbose=0), runs),
            "evaluate_seconds": median_seconds(lambda: evaluate_ranking(names["score"](towers), data.test_task), runs),
        }
        result["speeds"] = [speed]
    return result


def lesson_14(edition: str, users: int | None, seeds: int, runs: int) -> dict:
    """Measure the history tower of lesson 14, trained with several seeds; then, if runs > 0, its speed."""
    data = load_edition(edition, users)
    names = history_lesson(data)
    log = names["make_log"](data.test.train)
    of_seeds = []
    for seed in range(seeds, 0, -1):  # the row is that of the last, seed 1
        names["SEED"] = seed
        model, curve = names["train_model"](log, names["RecencyTower"], names["DIM"], names["EPOCHS"])
        metrics = evaluate_ranking(names["score"](model, log), data.test_task)
        of_seeds.append(float(metrics.ndcg.mean()))
    ends, watched, offered = names["ends_of"](log), model.query_tower.films.table(), model.candidates.table().numpy()
    names.update(log=log, model=model, ends=ends, watched=watched, offered=offered)
    board, seconds = Leaderboard("14"), float(curve["seconds"].sum())
    query_ms = query_milliseconds(names["score_for"], data.test_task)
    board.add("history tower", "two-tower", ranking=metrics, train_seconds=seconds, query_ms=query_ms)
    board.rows[-1]["ndcg_at_10_of_seeds"] = of_seeds[::-1]
    result = _answer(board, {"history tower": metrics})
    result["speeds"] = []
    examples = (len(log.film) - len(ends)) // names["BATCH"] * names["BATCH"]
    for width in WIDTHS if runs else ():
        model, curve = names["train_model"](log, names["RecencyTower"], width, runs + 1)
        speed = {
            "pipeline": "lesson 14",
            "width": width,
            "examples_per_second": examples / float(curve["seconds"][1:].median()),  # the first epoch traces
            "evaluate_seconds": median_seconds(
                lambda model=model: evaluate_ranking(names["score"](model, log), data.test_task), runs
            ),
        }
        result["speeds"].append(speed)
    return result


def history_lesson(data: Edition) -> dict:
    """Execute lesson 14's definitions and give them an edition's films."""
    names = taught("14")
    flags = data.items[GENRES].str.get_dummies("|").to_numpy(np.float32)
    genres = flags / np.sqrt(np.maximum(flags.sum(axis=1, keepdims=True), 1))
    names.update(film_ids=data.items[ITEM_ID].to_numpy(), genres=genres, n_films=len(data.items))
    return names


def encoders(edition: str, users: int | None) -> dict:
    """Train lesson 14's small model with each encoder of the history; all figures are on the validation part."""
    data = load_edition(edition, users)
    names = history_lesson(data)
    log = names["make_log"](data.validation.train)
    towers = {"recency": names["RecencyTower"], "attention": names["AttentionTower"], **sequence_towers(names)}
    rows, ndcg = [], {}
    for encoder, tower in towers.items():
        model, curve = names["train_model"](log, tower)
        ndcg[encoder] = evaluate_ranking(names["score"](model, log), data.validation_task).ndcg
        low, high = bootstrap_interval(ndcg[encoder] - ndcg["recency"])
        row = {"encoder": encoder, "ndcg_at_10": float(ndcg[encoder].mean()), "low": low, "high": high}
        rows.append(row | {"train_seconds": float(curve["seconds"].sum())})
    return {"encoders": rows}


def sequence_towers(names: dict) -> dict[str, type]:
    """Define the encoders that are too slow for lesson 14."""
    tf, length = names["tf"], names["LENGTH"]

    def lay_out(batch, values):  # (n_entries, ...) to (batch, length, ...), the latest film last
        where = tf.stack([batch["example"], length - 1 - batch["position"]], axis=1)
        shape = tf.concat([tf.shape(batch["person"])[:1], [length], tf.shape(values)[1:]], axis=0)
        return tf.scatter_nd(where, values, tf.cast(shape, tf.int64))

    class ConvolutionTower(names["RecencyTower"]):
        """Three films in a row make a vector, which is weighed like a film's own and added."""

        def __init__(self, films, n_people, dim):
            super().__init__(films, n_people, dim)
            self.convolution = tf.keras.layers.Conv1D(dim, 3, padding="same", activation="relu")

        def call(self, batch):
            vectors = self.films.table()  # (n_films, dim)
            sequence = lay_out(batch, tf.gather(vectors, batch["film"]))  # (batch, length, dim)
            weights = lay_out(batch, self.weigh(batch, vectors))  # (batch, length)
            total = tf.einsum("bl,bld->bd", weights, self.convolution(sequence))
            return super().call(batch) + total * tf.math.rsqrt(tf.reduce_sum(weights**2, axis=1, keepdims=True) + 1e-6)

    class GruTower(names["BagTower"]):
        """The last state of a GRU that reads the films in order."""

        def __init__(self, films, n_people, dim):
            super().__init__(films, n_people, dim)
            self.gru = tf.keras.layers.GRU(dim)

        def call(self, batch):
            sequence = lay_out(batch, tf.gather(self.films.table(), batch["film"]))  # (batch, length, dim)
            present = lay_out(batch, tf.ones_like(batch["film"])) > 0  # (batch, length)
            return self.gru(sequence, mask=present)

    class RecencyAndGruTower(names["RecencyTower"]):
        """The recency-weighted query and the GRU's last state, added."""

        def __init__(self, films, n_people, dim):
            super().__init__(films, n_people, dim)
            self.gru = GruTower(films, n_people, dim)

        def call(self, batch):
            return super().call(batch) + self.gru(batch)

    return {"recency + convolution": ConvolutionTower, "GRU": GruTower, "recency + GRU": RecencyAndGruTower}


def ablation(edition: str, users: int | None) -> dict:
    """Take lesson 14's model apart, at the size that it is kept; all figures are on the validation part."""
    data = load_edition(edition, users)
    names = history_lesson(data)
    log = names["make_log"](data.validation.train)
    variants = {"nothing": (names["RecencyTower"], {}), "recency": (names["BagTower"], {})}
    variants |= {name: (names["RecencyTower"], parts) for name, parts in names["REMOVALS"].items()}
    rows, ndcg = [], {}
    for removed, (tower, parts) in variants.items():
        model, _ = names["train_model"](log, tower, names["DIM"], names["EPOCHS"], **parts)
        ndcg[removed] = evaluate_ranking(names["score"](model, log), data.validation_task).ndcg
        lost = ndcg["nothing"] - ndcg[removed]  # (n_users,)
        low, high = bootstrap_interval(lost)
        row = {"removed": removed, "ndcg_at_10": float(ndcg[removed].mean()), "lost": float(lost.mean())}
        rows.append(row | {"low": low, "high": high})
    return {"ablation": rows}


def describe_films(items: pd.DataFrame) -> dict[str, np.ndarray]:
    """Lay the features of films out as the towers of part III read them."""
    return {
        "item_id": items[ITEM_ID].to_numpy(),
        "year": items[YEAR].to_numpy(),
        "genres": items[GENRES].str.get_dummies("|").to_numpy(np.float32),
    }


def new_model(names: dict, item_ids: pd.Series) -> object:
    """Make lesson 11's model with logQ, compiled and not yet trained."""
    model = names["InBatchSoftmaxLogQ"](np.unique(item_ids))
    model.compile(optimizer=names["tf"].keras.optimizers.Adagrad(names["LEARNING_RATE"]))
    return model


# --- the recipe of TFRS's retrieval tutorial --------------------------------------------------------------------------


def tutorial(width: int, users: int | None, runs: int) -> dict:
    """Time TFRS's first recipe: ids alone, rows shuffled one by one, batches of 8192, top-k metrics while it trains."""
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    import tensorflow as tf
    import tensorflow_recommenders as tfrs

    data = load_edition(EMBEDDED, users)
    train, test = (
        tf.data.Dataset.from_tensor_slices(
            {name: part[name].astype(str).to_numpy(object) for name in (USER_ID, ITEM_ID)}
        )
        for part in data.test
    )
    cached_train = train.shuffle(100_000).batch(8192).cache()
    cached_test = test.batch(4096).cache()

    def make_tower(ids):
        vocabulary = np.unique(ids).astype(str)
        index = tf.keras.layers.StringLookup(vocabulary=vocabulary, mask_token=None)
        return tf.keras.Sequential([index, tf.keras.layers.Embedding(len(vocabulary) + 1, width)])

    class Recipe(tfrs.Model):
        def __init__(self, metrics_while_training):
            super().__init__()
            self.metrics_while_training = metrics_while_training
            self.user_tower, self.item_tower = make_tower(data.ratings[USER_ID]), make_tower(data.ratings[ITEM_ID])
            films = tf.data.Dataset.from_tensor_slices(data.items[ITEM_ID].astype(str).to_numpy(object))
            top_k = tfrs.metrics.FactorizedTopK(candidates=films.batch(128).map(self.item_tower))
            self.task = tfrs.tasks.Retrieval(metrics=top_k)

        def compute_loss(self, batch, training=False):
            wanted = self.metrics_while_training or not training
            return self.task(self.user_tower(batch[USER_ID]), self.item_tower(batch[ITEM_ID]), compute_metrics=wanted)

    speeds = []
    pipelines = [(METRICS_OFF, False)]
    if width == min(WIDTHS):  # an epoch with the metric on takes the better part of a minute
        pipelines.insert(0, (PUBLISHED, True))
    for name, metrics_while_training in pipelines:
        model = Recipe(metrics_while_training)
        model.compile(optimizer=tf.keras.optimizers.Adagrad(0.1))
        model.fit(train.take(64).batch(64), verbose=0)  # traces
        seconds = median_seconds(partial(model.fit, cached_train, verbose=0), runs)
        speed = {"pipeline": name, "width": width, "examples_per_second": len(data.test.train) / seconds}
        speeds.append(speed | {"evaluate_seconds": None})
    model.evaluate(test.take(64).batch(64), verbose=0)  # traces
    speeds[-1]["evaluate_seconds"] = median_seconds(partial(model.evaluate, cached_test, verbose=0), runs)
    return {"speeds": speeds}


# --- neighbours -------------------------------------------------------------------------------------------------------


def similarity(rows: int, runs: int) -> dict:
    """Time the nearest neighbour of every film, in blocks and by lesson 16's double loop over some rows."""
    vectors = load_item_vectors("11").vectors
    double_loop = taught("16")["double_loop"]
    part = median_seconds(lambda: double_loop(vectors[:rows]), runs)
    return {
        "rows": len(vectors),
        "width": vectors.shape[1],
        "blocks_seconds": median_seconds(lambda: nearest_neighbours(vectors, k=1), runs),
        "loop_rows": rows,
        "loop_seconds_extrapolated": part * (len(vectors) / rows) ** 2,
    }


# --- cost against size ------------------------------------------------------------------------------------------------


def size(interactions: int, runs: int) -> dict:
    """Train lesson 11's model on generated interactions: seconds and peak memory of an epoch."""
    rng = np.random.default_rng(1)
    n_items, n_users = 10_000, interactions // 100
    catalogue = {
        "item_id": np.arange(n_items),
        "year": rng.integers(1920, 2020, n_items),
        "genres": (rng.random((n_items, 20)) < 0.1).astype(np.float32),
    }
    share = 1 / np.arange(1, n_items + 1)
    item = rng.choice(n_items, interactions, p=share / share.sum())
    train = pd.DataFrame({USER_ID: rng.integers(n_users, size=interactions), ITEM_ID: item})
    names = taught("11")
    names.update(items=catalogue["item_id"], users=np.arange(n_users), catalogue=catalogue)
    model = new_model(names, train[ITEM_ID])
    model.fit(names["read_batches"](train.head(2 * names["BATCH"])), verbose=0)  # traces
    peak = MemoryPeak(os.getpid())
    batches = names["read_batches"](train)
    runs = max(1, min(runs, 3_000_000 // interactions))
    cpu_before = time.process_time()
    seconds = median_seconds(lambda: model.fit(batches, verbose=0), runs)
    return {
        "interactions": interactions,
        "epochs_timed": runs,
        "seconds": seconds,
        "cpu_seconds": (time.process_time() - cpu_before) / runs,
        "peak_mb": round(peak.megabytes),
    }


# --- all of it --------------------------------------------------------------------------------------------------------


def benchmark(plan: Plan, measure: Callable[..., dict] = measure) -> dict:
    """Measure everything, one process after the other."""
    start = time.perf_counter()
    editions, by_user = [], {}
    for name in (EMBEDDED, *EDITIONS):
        missing = what_is_missing(name)
        editions.append({"edition": name, "missing": missing, "ratings": None, "rows": []})
        if missing:
            continue
        here = name == EMBEDDED
        editions[-1]["ratings"] = len(load_edition(name, plan.users).ratings)
        parts = [measure("rating_baselines", name, plan.users), measure("ranking_baselines", name, plan.users)]
        parts.append(measure("lesson_07", name, plan.users))
        seeds, runs = (plan.seeds, plan.runs) if here else (1, 0)
        parts += [measure(f"lesson_{number}", name, plan.users, seeds, runs) for number in RETRIEVAL]
        editions[-1]["rows"] = [row for part in parts for row in part["rows"]]
        if here:
            by_user = {model: metrics for part in parts for model, metrics in part["by_user"].items()}
            speeds = [speed for part in parts for speed in part.get("speeds", [])]
    apart = {}
    if plan.thorough:
        apart = measure("encoders", EMBEDDED, plan.users) | measure("ablation", EMBEDDED, plan.users)
    for width in WIDTHS if plan.thorough else WIDTHS[:1]:
        speeds += measure("tutorial", width, plan.users, plan.runs)["speeds"]
    neighbours = measure("similarity", plan.loop_rows, plan.runs)
    sizes = [measure("size", interactions, plan.runs) for interactions in plan.sizes]
    report = {
        "machine": machine(),
        "quick": plan != FULL,
        "plan": plan._asdict(),
        "editions": editions,
        **apart,
        "speeds": speeds,
    }
    report |= {"similarity": neighbours, "sizes": sizes, "slopes": {name: slope(sizes, name) for name in COSTS}}
    report["ratios"] = ratios(report, by_user)
    report["minutes"] = (time.perf_counter() - start) / 60
    return report


def slope(sizes: list[dict], cost: str) -> float:
    """Fit the exponent of cost ~ interactions^slope; 1 is linear."""
    logs = np.log([[row["interactions"], row[cost]] for row in sizes])  # (n_sizes, 2)
    return float(np.polyfit(*logs.T, deg=1)[0])


def ratios(report: dict, by_user: dict[str, dict]) -> list[dict]:
    """Compare the best two-tower with the baselines, the lessons' speed with the tutorial's, blocks with the loop."""

    def ratio(what, value, low=None, high=None):
        return {"what": what, "ratio": value, "low": low, "high": high}

    rows = [
        row for row in report["editions"][0]["rows"] if row["kind"] == "two-tower" and row["ndcg_at_10"] is not None
    ]
    best = max(rows, key=lambda row: row["ndcg_at_10"])["model"]
    compared = []
    for metric, other in itertools.product(("ndcg", "recall"), TARGETS):
        ours, theirs = (np.array(by_user[model][metric]) for model in (best, other))
        name = {"ndcg": "NDCG@10", "recall": "Recall@10"}[metric]
        bounds = (1 + bound / theirs.mean() for bound in bootstrap_interval(ours - theirs))
        compared.append(ratio(f"{name}: {best} / {other}", ours.mean() / theirs.mean(), *bounds))
    speed = {(row["pipeline"], row["width"]): row for row in report["speeds"]}
    for lesson, width in (key for key in speed if key[0].startswith("lesson") and (METRICS_OFF, key[1]) in speed):
        ours, at = speed[lesson, width], f"vectors of {width}"
        for other in (name for name in (PUBLISHED, METRICS_OFF) if (name, width) in speed):
            value = ours["examples_per_second"] / speed[other, width]["examples_per_second"]
            compared.append(ratio(f"training examples a second, {at}: {lesson} / {other}", value))
        value = speed[METRICS_OFF, width]["evaluate_seconds"] / ours["evaluate_seconds"]
        compared.append(ratio(f"speed of evaluation, {at}: {lesson} / TFRS tutorial", value))
    near = report["similarity"]
    value = near["loop_seconds_extrapolated"] / near["blocks_seconds"]
    compared.append(ratio("speed of all-pairs similarity: blocks / double loop (extrapolated)", value))
    return compared


def markdown(report: dict) -> str:
    """Write the report for people, ratios first."""
    at = report["machine"]
    plan = report["plan"]
    runs = "one run" if plan["runs"] == 1 else f"medians of {plan['runs']} runs"
    command = "make bench QUICK=1" if report["quick"] else "make bench"
    lines = [
        "# Benchmark",
        f"`{command}` on {at['date']}: {at['cores']} cores, {at['memory_gb']} GB, {at['system']} {at['processor']}, "
        f"Python {at['python']}; {report['minutes']:.1f} minutes. Times are {runs}.",
    ]
    if report["quick"]:
        lines.append(
            f"**A quick look**: the first {plan['users']} users of each edition, {runs}, smaller sizes. Its figures "
            "are not those of the full run."
        )
    lines += ["## Ratios", ratio_table(report["ratios"]), "## Quality"]
    for edition in report["editions"]:
        if edition["missing"]:
            lines.append(f"**{edition['edition']}**: not measured. {edition['missing']}")
            continue
        lines += [
            f"**{edition['edition']}**, {edition['ratings']:,} ratings",
            leaderboard_table(edition["rows"], "github"),
        ]
        for row in edition["rows"]:
            if len(row.get("ndcg_at_10_of_seeds", [])) > 1:
                of_seeds = ", ".join(f"{ndcg:.3f}" for ndcg in row["ndcg_at_10_of_seeds"])
                lines.append(f"{row['model']}, NDCG@10 by seed: {of_seeds}.")
        if edition["ratings"] > SLOW:
            lines.append(f"SVD++ and the neighbours of stars run on editions up to {SLOW:,} ratings.")
    if plan["thorough"]:
        lines += [
            "## Encoders of the watch history",
            f"Lesson 14's small model on the validation part of {EMBEDDED}; the interval is that of the difference "
            "from recency, person by person.",
            _encoder_table(report["encoders"]),
            "## Parts of the history tower",
            f"The model that lesson 14 keeps, trained again with one thing removed; {EMBEDDED}, validation part, one "
            "seed.",
            _ablation_table(report["ablation"]),
        ]
    lines += [
        "## Training and evaluation",
        f"{EMBEDDED}, split by time: lesson 11's in-batch softmax with logQ, lesson 14's history tower, and the recipe "
        f"of TFRS's retrieval tutorial with its metric on while it trains, as published (at {min(WIDTHS)} alone), and "
        "off.",
        _speed_table(report["speeds"]),
    ]
    near = report["similarity"]
    lines += [
        "## All-pairs similarity",
        f"{near['rows']:,} vectors of {near['width']}: {near['blocks_seconds']:.2f} s in blocks; the double loop would "
        f"take {near['loop_seconds_extrapolated']:.0f} s, extrapolated from {near['loop_rows']} rows.",
        "## Cost against size",
        "Lesson 11's model on generated interactions, 10,000 items, one user for each 100 interactions.",
        _size_table(report["sizes"]),
        f"Seconds grow as interactions to the power of {report['slopes']['seconds']:.2f} (those of the processor "
        f"{report['slopes']['cpu_seconds']:.2f}), peak memory to the power of {report['slopes']['peak_mb']:.2f}; 1 is "
        "linear.",
    ]
    return "\n\n".join(lines) + "\n"


def ratio_table(rows: list[dict]) -> str:
    cells = []
    for row in rows:
        interval = "" if row["low"] is None else f"{row['low']:.2f} to {row['high']:.2f}"
        cells.append([row["what"], f"{row['ratio']:.2f}" if row["ratio"] < 10 else f"{row['ratio']:,.0f}", interval])
    heading = ["", "ratio", "95 % interval"]
    return tabulate(cells, heading, "github", disable_numparse=True, colalign=("left", "right", "left"))


def _encoder_table(rows: list[dict]) -> str:
    cells = []
    for row in rows:
        interval = "–" if row["encoder"] == "recency" else f"{row['low']:+.3f} to {row['high']:+.3f}"
        cells.append([row["encoder"], f"{row['ndcg_at_10']:.3f}", interval, f"{row['train_seconds']:.1f}"])
    heading = ["encoder", "NDCG@10", "difference", "seconds to train"]
    return tabulate(cells, heading, "github", disable_numparse=True, colalign=("left", "right", "left", "right"))


def _ablation_table(rows: list[dict]) -> str:
    cells = []
    for row in rows:
        lost = (
            ["–", "–"]
            if row["removed"] == "nothing"
            else [f"{row['lost']:.3f}", f"{row['low']:.3f} to {row['high']:.3f}"]
        )
        cells.append([row["removed"], f"{row['ndcg_at_10']:.3f}", *lost])
    heading = ["removed", "NDCG@10", "lost", "95 % interval"]
    return tabulate(cells, heading, "github", disable_numparse=True, colalign=("left", "right", "right", "left"))


def _speed_table(rows: list[dict]) -> str:
    cells = []
    for row in sorted(rows, key=lambda row: row["width"]):
        evaluation = "–" if row["evaluate_seconds"] is None else f"{row['evaluate_seconds']:.2f}"
        cells.append([row["pipeline"], row["width"], f"{row['examples_per_second']:,.0f}", evaluation])
    heading = ["pipeline", "vectors of", "training examples a second", "seconds to evaluate"]
    return tabulate(cells, heading, "github", disable_numparse=True, colalign=("left", "right", "right", "right"))


def _size_table(rows: list[dict]) -> str:
    cells = []
    for row in rows:
        times = [f"{row[name]:.1f}" for name in ("seconds", "cpu_seconds")]
        cells.append([f"{row['interactions']:,}", *times, f"{row['peak_mb']:,}", row["epochs_timed"]])
    heading = ["interactions", "seconds an epoch", "processor seconds", "peak MB", "epochs timed"]
    return tabulate(cells, heading, "github", disable_numparse=True, colalign=("right",) * 5)


def main() -> None:
    if len(sys.argv) > 2:  # a process that `measure` started
        function, arguments, path = sys.argv[1:]
        Path(path).write_text(json.dumps(globals()[function](*json.loads(arguments))), encoding="utf-8")
        return
    report = benchmark(QUICK if sys.argv[1:] == ["1"] else FULL)
    BUILD.mkdir(exist_ok=True)
    (BUILD / "bench.json").write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    text = markdown(report)
    (BUILD / "bench.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
