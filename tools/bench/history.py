"""Quality of the history tower's encoders, and of its parts: lesson 14's models on the validation part, one seed."""

from bench.editions import load_edition
from bench.taught import history_lesson
from recsys_utils.comparison import bootstrap_interval
from recsys_utils.metrics import evaluate_ranking


def encoders(edition: str, users: int | None) -> dict:
    """Train lesson 14's small model with each encoder of the history."""
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
    """Take lesson 14's model apart, at the size that it is kept."""
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
