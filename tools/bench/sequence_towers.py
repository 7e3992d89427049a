"""Two towers for sequences, in Keras 3: one vector for the user, one for the item, a dot product.

The query tower reads a whole sequence at once and gives a query for each of its positions, so that every item of a
sequence is a training example. Its heads weigh what came before by how long ago it was: with these weights alone the
tower pools, and with scores from the items themselves added it attends.
"""

import os
import sys
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from basics import BUILD
from lessons import MemoryPeak

from bench.sequences import Sequences, load_sequences, measure_held

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
import tensorflow as tf
from keras import ops

CHECKPOINTS = BUILD / "sequences"
NEVER = -1e9  # a score whose weight is 0 after the softmax


class Settings(NamedTuple):
    """Of a tower and its training; chosen on the items that `hold_out` holds out of the training part."""

    attends: bool  # or pools by recency alone
    dim: int = 128
    blocks: int = 2
    heads: int = 2
    window: int = 200  # the latest items that are read
    dropout: float = 0.3
    negatives: int = 512  # drawn for a batch, 0 for all items
    positions: int = 3_456  # in a batch, about
    epochs: int = 40
    learning_rate: float = 1.5e-3  # the highest; it warms up and falls as a cosine
    seed: int = 1


TOWERS = {
    "pooled history tower": Settings(attends=False, blocks=1, heads=8, learning_rate=2e-3, epochs=16),
    "self-attention history tower": Settings(attends=True),
}


class Block(keras.layers.Layer):
    """Mix what came before into each position, then transform each position by itself."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.settings = settings
        width = settings.dim
        self.before, self.between = (keras.layers.LayerNormalization(epsilon=1e-6) for _ in range(2))
        self.value, self.mix = keras.layers.Dense(width), keras.layers.Dense(width)
        if settings.attends:
            self.query, self.key = keras.layers.Dense(width), keras.layers.Dense(width)
        self.inner, self.outer = keras.layers.Dense(width, activation="gelu"), keras.layers.Dense(width)
        self.dropout = keras.layers.Dropout(settings.dropout)
        powers = np.linspace(0.3, 2.0, settings.heads) if settings.heads > 1 else np.array([0.7])
        faded = -powers[:, None] * np.log1p(np.arange(settings.window))  # (heads, window)
        start = keras.initializers.Constant(faded.astype(np.float32))
        self.recency = self.add_weight(shape=faded.shape, initializer=start, name="recency")

    def weights_of(self, items: tf.Tensor) -> tf.Tensor:
        """Say how much each position takes from those up to it: rows sum to 1 over the last axis."""
        length = ops.shape(items)[1]
        ago = ops.arange(length)[:, None] - ops.arange(length)[None]  # (length, length)
        scores = ops.where(ago >= 0, ops.take(self.recency, ops.maximum(ago, 0), axis=1), NEVER)
        if not self.settings.attends:
            return ops.softmax(scores)  # (heads, length, length)
        query, key = (ops.transpose(self.split(layer(items)), (0, 2, 1, 3)) for layer in (self.query, self.key))
        width = self.settings.dim // self.settings.heads
        return ops.softmax(ops.matmul(query * width**-0.5, ops.transpose(key, (0, 1, 3, 2))) + scores)

    def split(self, vectors: tf.Tensor) -> tf.Tensor:
        heads = self.settings.heads
        shape = ops.shape(vectors)
        return ops.reshape(vectors, (shape[0], shape[1], heads, self.settings.dim // heads))

    def call(self, items: tf.Tensor, training: bool = False) -> tf.Tensor:
        inside = self.before(items)  # (batch, length, dim)
        values, weights = self.split(self.value(inside)), self.weights_of(inside)
        if self.settings.attends:
            mixed = ops.transpose(ops.matmul(weights, ops.transpose(values, (0, 2, 1, 3))), (0, 2, 1, 3))
        else:
            mixed = ops.einsum("hqk,bkhd->bqhd", weights, values)
        mixed = self.mix(ops.reshape(mixed, ops.shape(items)))
        items = items + self.dropout(mixed, training=training)
        return items + self.dropout(self.outer(self.inner(self.between(items))), training=training)


class TwoTowers(keras.Model):
    """The query tower reads a sequence; the candidate tower is a table of item vectors and biases."""

    def __init__(self, n_items: int, settings: Settings) -> None:
        super().__init__()
        self.n_items, self.settings = n_items, settings
        normal = keras.initializers.RandomNormal(stddev=0.02)
        self.watched = keras.layers.Embedding(n_items, settings.dim, normal)
        self.scale = settings.dim**0.5
        self.dropout = keras.layers.Dropout(settings.dropout)
        self.blocks = [Block(settings) for _ in range(settings.blocks)]
        self.last = keras.layers.LayerNormalization(epsilon=1e-6)
        normal = keras.initializers.RandomNormal(stddev=0.02)  # another draw: an initializer repeats its own
        self.offered = self.add_weight(shape=(n_items, settings.dim), initializer=normal, name="offered")
        self.bias = self.add_weight(shape=(n_items,), initializer="zeros", name="bias")
        self.draws = keras.random.SeedGenerator(settings.seed)

    def call(self, batch: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Give the queries at the positions `at` of the sequences laid end to end, (n_positions, dim)."""
        vectors = self.dropout(self.scale * self.watched(batch["items"]), training=training)  # (batch, length, dim)
        for block in self.blocks:
            vectors = block(vectors, training=training)
        return ops.take(ops.reshape(self.last(vectors), (-1, self.settings.dim)), batch["at"], axis=0)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True) -> tf.Tensor:
        """Softmax over all items, or over the next one and some that are drawn; `y` is (n_positions,)."""
        if not self.settings.negatives:
            logits = ops.matmul(y_pred, ops.transpose(self.offered)) + self.bias  # (n_positions, n_items)
            return ops.mean(keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True))
        drawn = keras.random.shuffle(ops.arange(self.n_items), seed=self.draws)[: self.settings.negatives]
        positive = ops.sum(y_pred * ops.take(self.offered, y, axis=0), axis=1) + ops.take(self.bias, y)
        negative = ops.matmul(y_pred, ops.transpose(ops.take(self.offered, drawn, axis=0))) + ops.take(self.bias, drawn)
        negative -= np.log(min(1, self.settings.negatives / self.n_items))  # log q of an even draw
        negative = ops.where(
            y[:, None] == drawn[None], NEVER, negative
        )  # (n_positions, negatives), without the next item
        return ops.mean(ops.softplus(ops.logsumexp(negative, axis=1) - positive))

    def scores(self, histories: list[np.ndarray]) -> np.ndarray:
        """Score the catalogue for histories, (n_histories, n_items)."""
        items, ends = lay_out([history[-self.settings.window :] for history in histories])
        last = np.arange(len(items)) * items.shape[1] + ends - 1
        queries = ops.convert_to_numpy(self({"items": items, "at": last}))  # (n_histories, dim)
        return queries @ ops.convert_to_numpy(self.offered).T + ops.convert_to_numpy(self.bias)


def lay_out(sequences: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Lay sequences out from the left, (n, longest), and return their lengths; no position reads what follows it."""
    lengths = np.array([len(sequence) for sequence in sequences])
    items = np.zeros((len(sequences), lengths.max()), np.int32)
    for row, sequence in zip(items, sequences, strict=True):
        row[: len(sequence)] = sequence
    return items, lengths


def count_batches(train: list[np.ndarray], settings: Settings) -> int:
    """Say how many batches an epoch has; no sequence fills one by itself."""
    positions = sum(min(len(sequence) - 1, settings.window) for sequence in train)
    return max(1, positions // max(settings.positions, settings.window))


def batches(
    train: list[np.ndarray], settings: Settings, rng: np.random.Generator
) -> Iterator[tuple[dict[str, np.ndarray], np.ndarray]]:
    """Batch sequences of similar length, so that little is padded; the order is drawn."""
    latest = [sequence[-settings.window - 1 :] for sequence in train if len(sequence) > 1]
    lengths = np.array([len(sequence) for sequence in latest])
    order = np.argsort(lengths + rng.uniform(0, 20, len(lengths)))
    done = np.cumsum(lengths[order] - 1)  # (n_sequences,) positions up to each
    group = (done - 1) * count_batches(train, settings) // done[-1]  # (n_sequences,) the batch of each
    groups = np.split(order, np.flatnonzero(np.diff(group)) + 1)
    for number in rng.permutation(len(groups)):
        items, ends = lay_out([latest[row] for row in groups[number]])
        real = np.arange(items.shape[1] - 1) < ends[:, None] - 1  # (batch, length)
        at = np.flatnonzero(real).astype(np.int32)
        yield {"items": items[:, :-1], "at": at}, items[:, 1:][real]


def train_towers(
    data: Sequences, settings: Settings, folder: Path = CHECKPOINTS, callbacks: Sequence = ()
) -> TwoTowers:
    """Train on every position of the training part; a run that was stopped goes on after its last whole epoch.

    The weights that are kept are the moving average over the last hundred steps or so.
    """
    keras.utils.set_random_seed(settings.seed)
    towers = TwoTowers(data.n_items, settings)
    steps = count_batches(data.train, settings)
    total = steps * settings.epochs
    warm_up = max(1, min(200, total // 10))
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, total - warm_up, warmup_target=settings.learning_rate, warmup_steps=warm_up
    )
    optimizer = keras.optimizers.Adam(rate, beta_2=0.98, global_clipnorm=1.0, use_ema=True)
    towers.compile(optimizer, jit_compile=False)

    def epoch() -> Iterator[tuple]:
        return batches(data.train, settings, np.random.default_rng([settings.seed, int(optimizer.iterations)]))

    vector = tf.TensorSpec([None], tf.int32)
    signature = ({"items": tf.TensorSpec([None, None], tf.int32), "at": vector}, vector)
    dataset = tf.data.Dataset.from_generator(epoch, output_signature=signature).prefetch(2)
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(steps))
    towers(next(epoch())[0])
    optimizer.build(towers.trainable_variables)
    name = zlib.crc32(repr((settings, data.n_items)).encode() + b"".join(s.tobytes() for s in data.train))
    backup = keras.callbacks.BackupAndRestore(folder / f"{name:08x}", delete_checkpoint=False)
    verbose = 1 if sys.stderr.isatty() else 2  # a bar, or a line an epoch
    towers.fit(dataset, epochs=settings.epochs, callbacks=[backup, *callbacks], verbose=verbose, shuffle=False)
    return towers


def measure_tower(name: str, folder: str | None = None, epochs: int | None = None) -> dict:
    """Train a tower and measure it: a row of the report."""
    peak = MemoryPeak(os.getpid())
    data = load_sequences(folder)
    settings = TOWERS[name] if epochs is None else TOWERS[name]._replace(epochs=epochs)
    start = time.perf_counter()
    towers = train_towers(data, settings)
    seconds = time.perf_counter() - start
    parts = measure_held(towers.scores, data)
    row = {"model": name, "settings": settings._asdict(), "seconds": seconds, "peak_mb": round(peak.megabytes)}
    return row | {"parts": parts}
