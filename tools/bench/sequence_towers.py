"""Two towers for sequences, in Keras 3: one vector for the user, one for the item, a dot product.

The query tower reads a whole sequence at once and gives a query for each of its positions, so that every item of a
sequence is a training example. Its heads weigh what came before by how long ago it was: with these weights alone the
tower pools, and with scores from the items themselves added it attends.
"""

import os
import sys
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from basics import BUILD

from bench.sequences import Sequences

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
import tensorflow as tf
from keras import ops

CHECKPOINTS = BUILD / "sequences"
NEVER = -1e9  # a score whose weight is 0 after the softmax
PADDED = -1  # in place of a next item
LENGTHS = 8  # positions; batches are as long as multiples of it


class Settings(NamedTuple):
    """Of a tower and its training; chosen on the items that `hold_out` holds out of the training part."""

    attends: bool  # or pools by recency alone
    dim: int = 128
    blocks: int = 2
    heads: int = 2
    window: int = 200  # the latest items that are read
    older: bool = True  # read a window of what came before the latest items, too, drawn for each epoch
    dropout: float = 0.4
    negatives: int = 1_024  # drawn for a batch, 0 for all items
    positions: int = 3_456  # in a batch, about
    epochs: int = 48
    learning_rate: float = 2e-3  # the highest; it warms up and falls as a cosine
    seed: int = 1


# Chosen with such as `.venv/bin/python tools/bench develop "pooled history tower" FOLDER epochs=20 dropout=0.3`.
TOWERS = {
    "pooled history tower": Settings(attends=False, blocks=1, heads=8, dropout=0.3, epochs=20),
    "self-attention history tower": Settings(attends=True),
}
# Both query vectors, one beside the other and each times its share, meet both item vectors: one dot product again.
SIDE_BY_SIDE = {"pooled history tower": 0.3, "self-attention history tower": 0.7}


class Adam(keras.optimizers.Adam):
    """Adam that sums the gradients of a row that was read several times; Keras would square each by itself."""

    def apply(self, grads: list, trainable_variables: list | None = None) -> None:
        super().apply([tf.convert_to_tensor(grad) for grad in grads], trainable_variables)


def product(left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
    """Multiply (n, k) by (k, m) as a batch of one: TensorFlow leaves that to oneDNN, which may round the factors."""
    shape = ops.shape(left)[0], ops.shape(right)[1]
    return ops.reshape(ops.matmul(ops.expand_dims(left, 0), ops.expand_dims(right, 0)), shape)


class Linear(keras.layers.Layer):
    """A dense layer, of `product`."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def build(self, shape: tuple) -> None:
        self.kernel = self.add_weight(shape=(shape[-1], self.width), initializer="glorot_uniform", name="kernel")
        self.shift = self.add_weight(shape=(self.width,), initializer="zeros", name="shift")

    def call(self, vectors: tf.Tensor) -> tf.Tensor:
        shape = ops.shape(vectors)
        flat = product(ops.reshape(vectors, (-1, shape[-1])), self.kernel) + self.shift
        return ops.reshape(flat, (*shape[:-1], self.width))


class Dropout(keras.layers.Layer):
    """Dropout that draws a byte a number, a quarter of what Keras draws."""

    def __init__(self, rate: float, draws: keras.random.SeedGenerator) -> None:
        super().__init__()
        self.kept = 256 - round(256 * rate)  # of 256 bytes
        self.draws = draws

    def call(self, vectors: tf.Tensor, training: bool = False) -> tf.Tensor:
        if not training or self.kept == 256:
            return vectors
        shape = ops.shape(vectors)
        words = tf.random.stateless_uniform((*shape[:-1], shape[-1] // 4), self.draws.next(), None, None, tf.int32)
        drawn = tf.reshape(tf.bitcast(words, tf.uint8), tf.shape(vectors))
        return vectors * (ops.cast(drawn < self.kept, "float32") * (256 / self.kept))


class Block(keras.layers.Layer):
    """Mix what came before into each position, then transform each position by itself."""

    def __init__(self, settings: Settings, draws: keras.random.SeedGenerator) -> None:
        super().__init__()
        self.settings = settings
        width = settings.dim
        self.before, self.between = (keras.layers.RMSNormalization(epsilon=1e-6) for _ in range(2))
        self.value, self.mix, self.inner, self.outer = (Linear(width) for _ in range(4))
        if settings.attends:
            self.query, self.key = Linear(width), Linear(width)
        self.dropout = Dropout(settings.dropout, draws)
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
        inner = self.outer(ops.silu(self.inner(self.between(items))))
        return items + self.dropout(inner, training=training)


class TwoTowers(keras.Model):
    """The query tower reads a sequence; the candidate tower is a table of item vectors and biases."""

    def __init__(self, n_items: int, settings: Settings) -> None:
        super().__init__()
        self.n_items, self.settings = n_items, settings
        normal = keras.initializers.RandomNormal(stddev=0.02)
        self.watched = keras.layers.Embedding(n_items, settings.dim, normal)
        self.scale = settings.dim**0.5
        self.draws = keras.random.SeedGenerator(settings.seed)
        self.dropout = Dropout(settings.dropout, self.draws)
        self.blocks = [Block(settings, self.draws) for _ in range(settings.blocks)]
        self.last = keras.layers.RMSNormalization(epsilon=1e-6)
        normal = keras.initializers.RandomNormal(stddev=0.02)  # another draw: an initializer repeats its own
        self.offered = self.add_weight(shape=(n_items, settings.dim), initializer=normal, name="offered")
        self.bias = self.add_weight(shape=(n_items,), initializer="zeros", name="bias")
        self.seconds = self.add_weight(shape=(), initializer="zeros", trainable=False, name="seconds")  # of training

    def call(self, items: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Give the query at each position of sequences, (batch, length, dim)."""
        vectors = self.dropout(self.scale * self.watched(items), training=training)  # (batch, length, dim)
        for block in self.blocks:
            vectors = block(vectors, training=training)
        return self.last(vectors)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True) -> tf.Tensor:
        """Softmax over all items, or over the next one and some that are drawn.

        `y` is (batch, length): the next item at each position, or PADDED.
        """
        queries, following = ops.reshape(y_pred, (-1, self.settings.dim)), ops.reshape(y, (-1,))
        real = ops.cast(following != PADDED, "float32")  # (n_positions,), a padded one counts nothing
        following = ops.maximum(following, 0)
        count = min(self.settings.negatives or self.n_items, self.n_items)
        drawn = keras.random.shuffle(ops.arange(self.n_items), seed=self.draws)[:count]
        log_q = np.log(count / self.n_items)  # of an even draw
        negative = product(queries, ops.transpose(ops.take(self.offered, drawn, axis=0)))  # (n_positions, negatives)
        negative += ops.take(self.bias, drawn) - log_q
        negative = ops.where(following[:, None] == drawn[None], NEVER, negative)  # without the next item
        positive = ops.sum(queries * ops.take(self.offered, following, axis=0), axis=1) + ops.take(self.bias, following)
        losses = ops.softplus(ops.logsumexp(negative, axis=1) - positive)  # (n_positions,)
        return ops.sum(real * losses) / ops.sum(real)

    def scores(self, histories: list[np.ndarray]) -> np.ndarray:
        """Score the catalogue for histories, (n_histories, n_items)."""
        items, ends = lay_out([history[-self.settings.window :] for history in histories])
        queries = ops.convert_to_numpy(self(items))[np.arange(len(items)), ends - 1]  # (n_histories, dim)
        return queries @ ops.convert_to_numpy(self.offered).T + ops.convert_to_numpy(self.bias)


def lay_out(sequences: list[np.ndarray], length: int | None = None, fill: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Lay sequences out from the left, (n, length), and return their lengths; no position reads what follows it."""
    lengths = np.array([len(sequence) for sequence in sequences])
    items = np.full((len(sequences), length or lengths.max()), fill, np.int32)
    for row, sequence in zip(items, sequences, strict=True):
        row[: len(sequence)] = sequence
    return items, lengths


def windows(train: list[np.ndarray], settings: Settings, rng: np.random.Generator) -> list[np.ndarray]:
    """Cut what an epoch reads out of the sequences; an item is the next one of its position at most once."""
    width = settings.window
    found = [sequence[-width - 1 :] for sequence in train if len(sequence) > 1]
    for sequence in train if settings.older else []:
        before = sequence[:-width]
        if len(before) > 1:
            end = rng.integers(min(len(before), width + 1), len(before) + 1)
            found.append(before[max(0, end - width - 1) : end])
    return found


def batches(
    train: list[np.ndarray], settings: Settings, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Batch windows of similar length; items and the next item at each position, both (batch, length).

    Lengths are multiples of LENGTHS, with one number of windows for each: oneDNN prepares a product anew for every
    shape. What does not fill a batch is padded to the next length. There are as many batches in each epoch.
    """
    cut = windows(train, settings, rng)
    cut = [cut[row] for row in rng.permutation(len(cut))]
    steps = np.array([-(-(len(window) - 1) // LENGTHS) for window in cut])  # (n_windows,)
    found, waiting = [], []
    for step in np.unique(steps):
        length = int(step) * LENGTHS
        waiting += [cut[row] for row in np.flatnonzero(steps == step)]
        size = max(1, settings.positions // length)
        while len(waiting) >= size or (waiting and step == steps.max()):
            found.append((waiting[:size], length))
            waiting = waiting[size:]
    for number in rng.permutation(len(found)):
        group, length = found[number]
        items, _ = lay_out([window[:-1] for window in group], length)
        yield items, lay_out([window[1:] for window in group], length, PADDED)[0]


def count_batches(train: list[np.ndarray], settings: Settings) -> int:
    """Say how many batches an epoch has."""
    return sum(1 for _ in batches(train, settings, np.random.default_rng(1)))


class Epochs(keras.callbacks.Callback):
    """See to what Keras's checkpoint lacks: the seconds of earlier runs, and draws that differ from epoch to epoch."""

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.model.draws.state.assign([self.model.settings.seed, epoch << 20])
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.model.seconds.assign_add(time.perf_counter() - self.start)


def checkpoint(data: Sequences, settings: Settings) -> str:
    """Name a training by all that it depends on: this code and Keras, settings and data."""
    lengths = [len(sequence) for sequence in data.train]
    parts = [Path(__file__).read_bytes(), repr((keras.__version__, settings, data.n_items, lengths)).encode()]
    return f"{zlib.crc32(b''.join(parts + [sequence.tobytes() for sequence in data.train])):08x}"


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
    optimizer = Adam(rate, beta_2=0.98, global_clipnorm=1.0, use_ema=True)
    towers.compile(optimizer, jit_compile=False)

    def epoch() -> Iterator[tuple]:
        return batches(data.train, settings, np.random.default_rng([settings.seed, int(optimizer.iterations)]))

    matrix = tf.TensorSpec([None, None], tf.int32)
    dataset = tf.data.Dataset.from_generator(epoch, output_signature=(matrix, matrix)).prefetch(2)
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(steps))
    towers(next(epoch())[0])
    optimizer.build(towers.trainable_variables)
    backup = keras.callbacks.BackupAndRestore(
        folder / checkpoint(data, settings), double_checkpoint=True, delete_checkpoint=False
    )
    verbose = 1 if sys.stderr.isatty() else 2  # a bar, or a line an epoch
    with redirect_stdout(sys.stderr):
        towers.fit(
            dataset, epochs=settings.epochs, callbacks=[Epochs(), backup, *callbacks], verbose=verbose, shuffle=False
        )
    return towers


def train(name: str, data: Sequences, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Train a tower by its name, with some settings changed, or the two of `SIDE_BY_SIDE`.

    Returns
    -------
    dict
        scores: a function from histories to (n_histories, n_items); settings; seconds of training, in all runs.
    """
    if name in TOWERS:
        settings = TOWERS[name]._replace(**changes)
        towers = train_towers(data, settings)
        return {"scores": towers.scores, "settings": settings._asdict(), "seconds": float(towers.seconds)}
    parts = {part: train(part, data, changes) for part in SIDE_BY_SIDE}

    def scores(histories: list[np.ndarray]) -> np.ndarray:
        return sum(share * parts[part]["scores"](histories) for part, share in SIDE_BY_SIDE.items())

    seconds = sum(part["seconds"] for part in parts.values())
    return {"scores": scores, "settings": {"shares": SIDE_BY_SIDE}, "seconds": seconds}
