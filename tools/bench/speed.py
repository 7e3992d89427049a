"""Speed of training and of evaluation: lessons 11 and 14 beside the recipe of TFRS's retrieval tutorial."""

from functools import partial

import numpy as np

from bench.editions import EMBEDDED, load_edition
from bench.processes import median_seconds
from bench.taught import history_lesson, retrieval_lesson
from recsys_utils.columns import ITEM_ID, USER_ID
from recsys_utils.metrics import evaluate_ranking
from recsys_utils.setup import set_up

PUBLISHED, METRICS_OFF = "TFRS tutorial, FactorizedTopK on", "TFRS tutorial, FactorizedTopK off"
WIDTHS = (64, 512)  # of the vectors: those of lessons 11 and 14


def lesson_11(users: int | None, runs: int) -> dict:
    """Time lesson 11's in-batch softmax with logQ."""
    data = load_edition(EMBEDDED, users)
    names = retrieval_lesson(data)
    batches = names["read_batches"](data.test.train, seed=1)
    towers, _ = names["train_model"](names["InBatchSoftmaxLogQ"], data.test.train, epochs=1)  # traces
    examples = len(data.test.train) // names["BATCH"] * names["BATCH"]
    row = {
        "pipeline": "lesson 11",
        "width": names["DIM"],
        "examples_per_second": examples / median_seconds(lambda: towers.fit(batches, verbose=0), runs),
        "evaluate_seconds": median_seconds(lambda: evaluate_ranking(names["score"](towers), data.test_task), runs),
    }
    return {"speeds": [row]}


def lesson_14(width: int, users: int | None, runs: int) -> dict:
    """Time lesson 14's history tower."""
    data = load_edition(EMBEDDED, users)
    names = history_lesson(data)
    log = names["make_log"](data.test.train)
    model, curve = names["train_model"](log, names["RecencyTower"], width, runs + 1)
    row = {
        "pipeline": "lesson 14",
        "width": width,
        "examples_per_second": float((curve["questions"] / curve["seconds"])[1:].median()),  # the first epoch traces
        "evaluate_seconds": median_seconds(lambda: evaluate_ranking(names["score"](model, log), data.test_task), runs),
    }
    return {"speeds": [row]}


def tutorial(width: int, users: int | None, runs: int) -> dict:
    """Time TFRS's first recipe: ids alone, rows shuffled one by one, batches of 8192, top-k metrics while it trains."""
    set_up(keras=2)
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
