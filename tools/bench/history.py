"""Quality of the history tower's encoders, and of its parts: lesson 14's models on the validation part, one seed."""

from bench.editions import load_edition
from bench.taught import history_lesson
from recsys_utils.comparison import bootstrap_interval
from recsys_utils.metrics import evaluate_ranking

REMOVALS = {
    "genres": {"genres": False},
    "logQ correction": {"logq": False},
    "own movies left out of the negatives": {"own_movies_out": False},
    "two tables of movie vectors": {"one_table": True},
}


def encoders(edition: str, users: int | None) -> dict:
    """Train lesson 14's small model with each encoder of the history."""
    data = load_edition(edition, users)
    names = history_lesson(data)
    log = names["make_log"](data.validation.train)
    towers = {"recency": names["RecencyTower"], **sequence_towers(names)}
    start = names["count_vectors"](log, names["SMALL_DIM"])
    rows, ndcg = [], {}
    for encoder, tower in towers.items():
        model, curve = names["train_model"](log, tower, start=start)
        ndcg[encoder] = evaluate_ranking(names["score"](model, log), data.validation_task).ndcg
        low, high = bootstrap_interval(ndcg[encoder] - ndcg["recency"])
        row = {"encoder": encoder, "ndcg_at_10": float(ndcg[encoder].mean()), "low": low, "high": high}
        rows.append(row | {"train_seconds": float(curve["seconds"].sum())})
    return {"encoders": rows}


def sequence_towers(names: dict) -> dict[str, type]:
    """Define the encoders that lesson 14 leaves out, richer and slower; its solutions have attention."""
    tf, length = names["tf"], names["LENGTH"]

    class Convolution(tf.keras.layers.Layer):
        """A movie's vector, and one made of it and the two before it, added."""

        def __init__(self, movies, dim):
            super().__init__()
            self.movies = movies
            self.convolution = tf.keras.layers.Conv1D(dim, 3, padding="causal", activation="relu")

        def pool(self, a, movie):
            h = self.movies(movie)  # (n_windows, n_read, dim)
            return a @ (h + self.convolution(h))

    class ConvolutionTower(names["RecencyTower"]):
        """The recency tower over a convolution."""

        def __init__(self, movies, dim):
            super().__init__(Convolution(movies, dim), dim)

    class GruTower(names["BagTower"]):
        """The last state of a GRU that reads the movies in order."""

        def __init__(self, movies, dim):
            super().__init__(movies, dim)
            self.gru = tf.keras.layers.GRU(dim)

        def call(self, window):
            h, shape = self.movies(window["movie"]), tf.shape(window["target"])  # h: (n_windows, n_read, dim)
            at = tf.range(shape[1])[:, None] + tf.range(length)  # (width, length) what each question reads
            sequence = tf.reshape(tf.gather(h, at, axis=1), (-1, length, h.shape[2]))  # the latest movie last
            at = tf.broadcast_to(at, (shape[0], shape[1], length))
            present = tf.reshape(tf.gather(window["keep"], at, batch_dims=2), (-1, length))
            return tf.reshape(self.gru(sequence, mask=present), (shape[0], shape[1], h.shape[2]))

    class RecencyAndGruTower(names["RecencyTower"]):
        """The recency-weighted query and the GRU's last state, added."""

        def __init__(self, movies, dim):
            super().__init__(movies, dim)
            self.gru = GruTower(movies, dim)

        def call(self, window):
            return super().call(window) + self.gru(window)

    return {"recency + convolution": ConvolutionTower, "GRU": GruTower, "recency + GRU": RecencyAndGruTower}


def ablation(edition: str, users: int | None) -> dict:
    """Take lesson 14's model apart, at the size that it is kept."""
    data = load_edition(edition, users)
    names = history_lesson(data)
    log = names["make_log"](data.validation.train)
    variants = {"nothing": (names["RecencyTower"], {}), "recency": (names["BagTower"], {})}
    variants |= {name: (names["RecencyTower"], parts) for name, parts in REMOVALS.items()}
    settings = {"dim": names["DIM"], "epochs": names["EPOCHS"], "start": names["count_vectors"](log, names["DIM"])}
    rows, ndcg = [], {}
    for removed, (tower, parts) in variants.items():
        model, _ = names["train_model"](log, tower, **settings, **parts)
        ndcg[removed] = evaluate_ranking(names["score"](model, log), data.validation_task).ndcg
        lost = ndcg["nothing"] - ndcg[removed]  # (n_users,)
        low, high = bootstrap_interval(lost)
        row = {"removed": removed, "ndcg_at_10": float(ndcg[removed].mean()), "lost": float(lost.mean())}
        rows.append(row | {"low": low, "high": high})
    return {"ablation": rows}
