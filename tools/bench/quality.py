"""Quality of every model: each function returns rows of the leaderboard, and each user's metrics by model."""

import json
import time

import numpy as np
import pandas as pd
from run import tuned_name

from bench.editions import load_edition
from bench.taught import history_lesson, rating_lesson, retrieval_lesson
from recsys_utils.baselines import load_tuned, predict_with_surprise, rank, rating_model
from recsys_utils.columns import RATING
from recsys_utils.datasets.files import course_file
from recsys_utils.leaderboard import Leaderboard, query_milliseconds
from recsys_utils.metrics import RankingMetrics, evaluate_ranking, rmse
from recsys_utils.splits import split_random

SLOW = 200_000  # ratings; the slow rating models run on editions up to this size
ALL_PAIRS = {"SVD++", "user CF", "item CF"}  # the slow ones


def _answer(board: Leaderboard, rankings: dict[str, RankingMetrics]) -> dict:
    by_user = {
        model: {"recall": metrics.recall.tolist(), "ndcg": metrics.ndcg.tolist()} for model, metrics in rankings.items()
    }
    return {"rows": board.rows, "by_user": by_user}


def rating_baselines(edition: str, users: int | None) -> dict:
    """Measure the mean and every tuned rating rival on both splits; the seconds include predicting the test by time."""
    data = load_edition(edition, users)
    splits = {"random": split_random(data.ratings), "by time": data.test}
    tuned = {split: load_tuned(split) for split in splits}
    board = Leaderboard("bench")
    means = [rmse(test[RATING], np.full(len(test), train[RATING].mean())) for train, test in splits.values()]
    board.add("mean", "baseline", rmse_random=means[0], rmse_by_time=means[1])
    slow = ALL_PAIRS if len(data.ratings) > SLOW else set()
    for model in [model for model in tuned["random"] if model in tuned["by time"] and model not in slow]:
        errors = []
        for split, (train, test) in splits.items():
            start = time.perf_counter()
            predicted = predict_with_surprise(rating_model(model, **tuned[split][model].settings), train, test)
            errors.append(rmse(test[RATING], predicted))
            seconds = time.perf_counter() - start
        figures = {"rmse_random": errors[0], "rmse_by_time": errors[1], "train_seconds": seconds}
        board.add(tuned_name("by time", model), "baseline", **figures)
    return _answer(board, {})


def ranking_baselines(edition: str, users: int | None) -> dict:
    """Measure every ranking rival with the settings that `make tune` chose, on validation, for the 2016-10 edition."""
    data = load_edition(edition, users)
    board, rankings = Leaderboard("bench"), {}
    for name, rival in load_tuned().items():
        model = tuned_name("ranking", name) if rival.settings else name
        start = time.perf_counter()
        scores = rank(name, data.test.train, data.test_task, **rival.settings)
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
        prepared = names["prepare"](train, look_ahead=name == "rmse_random")
        towers = names["make_towers"](prepared)
        names["fit"](towers, prepared)
        seconds = time.perf_counter() - start
        errors[name] = rmse(test[RATING], names["predict"](towers, prepared.describe(test)))
    board = Leaderboard("07")
    board.add("biases + content + time + history towers", "two-tower", **errors, train_seconds=seconds)
    return _answer(board, {})


def lesson_11(edition: str, users: int | None, seeds: int) -> dict:
    """Measure lesson 11's ways to train, with the rates and epochs chosen on the 2016-10 edition."""
    data = load_edition(edition, users)
    names = retrieval_lesson(data)
    grid = json.loads(course_file("in_batch_grid.json").read_text(encoding="utf-8"))
    best = pd.DataFrame(grid["chosen"], columns=grid["columns"]).set_index("way")
    share = data.test_task.popularity / data.test_task.popularity.sum()
    log_share = np.log(np.maximum(share, 1e-6)).astype(np.float32)  # (n_items,)
    board, rankings = Leaderboard("11"), {}
    for way, (name, kind, added) in names["WAYS"].items():
        model, of_seeds = f"in-batch softmax, {name}" if added else name, []
        for seed in range(seeds, 0, -1):
            start = time.perf_counter()
            settings = {"epochs": int(best["epoch"][way]), "rate": float(best["rate"][way]), "seed": seed}
            towers, _ = names["train_model"](kind, data.test.train, **settings)
            seconds = time.perf_counter() - start
            of_seeds.append(evaluate_ranking(names["score"](towers) + added * log_share, data.test_task))
        rankings[model] = over_seeds(of_seeds)
        query_ms = names["time_query"](towers, added * log_share)
        board.add(model, "two-tower", ranking=rankings[model], train_seconds=seconds, query_ms=query_ms)
        board.rows[-1]["ndcg_at_10_of_seeds"] = [float(each.ndcg.mean()) for each in of_seeds[::-1]]
    return _answer(board, rankings)


def over_seeds(of_seeds: list[RankingMetrics]) -> RankingMetrics:
    """Average each user's NDCG and recall over the seeds; the rest is that of the last, seed 1."""
    ndcg, recall = (np.mean([getattr(each, name) for each in of_seeds], axis=0) for name in ("ndcg", "recall"))
    return of_seeds[-1]._replace(ndcg=ndcg, recall=recall)  # (n_users,) each


def lesson_14(edition: str, users: int | None, seeds: int) -> dict:
    """Measure the history tower of lesson 14, trained with several seeds."""
    data = load_edition(edition, users)
    names = history_lesson(data)
    log = names["make_log"](data.test.train)
    settings = {"dim": names["DIM"], "epochs": names["EPOCHS"], "start": names["count_vectors"](log, names["DIM"])}
    of_seeds = []
    for seed in range(seeds, 0, -1):
        model, curve = names["train_model"](log, names["RecencyTower"], seed=seed, **settings)
        of_seeds.append(evaluate_ranking(names["score"](model, log), data.test_task))
    names.update(log=log, model=model, offered=model.candidates(np.arange(names["n_movies"])).numpy())
    ends = names["ends_of"](log)
    board, seconds = Leaderboard("14"), float(curve["seconds"].sum())
    query_ms = query_milliseconds(lambda row: names["score_at"](ends[row]), data.test_task)
    metrics = over_seeds(of_seeds)
    board.add("history tower", "two-tower", ranking=metrics, train_seconds=seconds, query_ms=query_ms)
    board.rows[-1]["ndcg_at_10_of_seeds"] = [float(each.ndcg.mean()) for each in of_seeds[::-1]]
    return _answer(board, {"history tower": metrics})
