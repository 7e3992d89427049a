"""Quality of every model: each function returns rows of the leaderboard, and each user's metrics by model."""

import itertools
import time
from functools import partial

import numpy as np

from bench.editions import load_edition
from bench.taught import history_lesson, rating_lesson, retrieval_lesson
from recsys_utils.baselines import bpr_factors, fit_ease, predict_with_surprise, rank_with_ials
from recsys_utils.columns import RATING
from recsys_utils.leaderboard import Leaderboard, query_milliseconds
from recsys_utils.metrics import RankingMetrics, evaluate_ranking, rmse
from recsys_utils.splits import split_random

SLOW = 200_000  # ratings; the slow rating models run on editions up to this size


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
    names = history_lesson(data)

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
    names = rating_lesson(data)
    errors = {}
    for name, (train, test) in {"rmse_random": split_random(data.ratings), "rmse_by_time": data.test}.items():
        start = time.perf_counter()
        towers, _ = names["fit"](train)
        seconds = time.perf_counter() - start
        errors[name] = rmse(test[RATING], towers.predict(test))
    board = Leaderboard("07")
    board.add("content towers + ids + biases", "two-tower", **errors, train_seconds=seconds)
    return _answer(board, {})


def lesson_11(edition: str, users: int | None, seeds: int) -> dict:
    """Measure the towers of lesson 11, trained with several seeds."""
    data = load_edition(edition, users)
    names = retrieval_lesson(data)
    board, rankings = Leaderboard("11"), {}
    for model, kind in (("in-batch softmax", "InBatchSoftmax"), ("in-batch softmax + logQ", "InBatchSoftmaxLogQ")):
        _, curve = names["train_model"](names[kind], data.validation.train, names["EPOCHS"], data.validation_task)
        of_seeds = []
        for seed in range(seeds, 0, -1):  # the row is that of the last, seed 1
            names["SEED"] = seed
            towers, seconds = names["train_at_best"](names[kind], curve)
            rankings[model] = evaluate_ranking(names["score"](towers), data.test_task)
            of_seeds.append(float(rankings[model].ndcg.mean()))
        query_ms = names["time_query"](towers)
        board.add(model, "two-tower", ranking=rankings[model], train_seconds=seconds, query_ms=query_ms)
        board.rows[-1]["ndcg_at_10_of_seeds"] = of_seeds[::-1]
    return _answer(board, rankings)


def lesson_14(edition: str, users: int | None, seeds: int) -> dict:
    """Measure the history tower of lesson 14, trained with several seeds."""
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
    return _answer(board, {"history tower": metrics})
