"""The sequence protocol of `make bench`, on generated sequences."""

import gzip
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from bench import sequence_towers, sequences
from bench.sequence_plan import measure_sequences, sequence_markdown, write_sequences
from bench.sequence_towers import PADDED, Adam, Settings, TwoTowers, batches, count_batches, train_towers, windows
from bench.sequences import (
    RIVALS,
    Rival,
    as_matrix,
    at_edge,
    choose,
    cut,
    describe,
    hold_out,
    measure_held,
    read_sequences,
    sequences_of,
)

from recsys_utils.baselines import rank_with_ials
from recsys_utils.columns import ITEM_ID, TIMESTAMP, USER_ID
from recsys_utils.metrics import RankingTask

SMALL = Settings(attends=True, blocks=1, dim=16, window=8, dropout=0.0, negatives=10, positions=400, epochs=4)


@pytest.fixture(scope="module")
def chains():
    """Sequences in which the next item is the one before plus one: order tells everything, popularity nothing."""
    rng = np.random.default_rng(1)
    starts, lengths = rng.integers(0, 40, 300), rng.integers(5, 20, 300)
    return cut(
        [np.arange(start, start + length, dtype=np.int32) % 40 for start, length in zip(starts, lengths, strict=True)]
    )


def write(folder, name, lines, packed):
    text = "".join(" ".join(map(str, line)) + "\n" for line in lines)
    if packed:
        (folder / f"{name}.txt.gz").write_bytes(gzip.compress(text.encode()))
    else:
        (folder / f"{name}.txt").write_text(text)


def test_rare_items_are_dropped_and_equal_times_keep_their_order():
    users = np.repeat(np.arange(6), 3)
    ratings = pd.DataFrame({USER_ID: users, ITEM_ID: [30, 20, 10] * 5 + [30, 99, 10], TIMESTAMP: [5, 5, 1] * 6})
    found = sequences_of(ratings, {"users": 6, "items": 3, "interactions": 17})
    assert [s.tolist() for s in found] == [[0, 2, 1]] * 5 + [[0, 2]]
    with pytest.raises(ValueError, match=r"ratings hold .*'items': 3.*expected .*'items': 4"):
        sequences_of(ratings, {"users": 6, "items": 4, "interactions": 17})


def test_the_last_items_are_held_out_and_one_more_of_the_users_of_the_validation(chains):
    for history, before, train in zip(
        chains.held["test"].histories, chains.held["validation"].histories, chains.train, strict=True
    ):
        assert len(history) == len(before) + 1 and np.array_equal(before[:-1], train)
    many = cut([np.array([0, 1, 2, 3, user], np.int32) for user in range(6_040)])
    assert many.held["validation"].targets.tolist() == [3] * 512 and len(many.held["test"].targets) == 6_040
    shorter = [user for user, sequence in enumerate(many.train) if len(sequence) == 2]
    assert shorter[:6] == [13, 16, 22, 30, 36, 49] and len(shorter) == 512  # the published ones
    assert sum(len(sequence) == 3 for sequence in many.train) == 6_040 - 512
    assert "6,040 users" in describe(many) and "validation 512, test 6,040" in describe(many)


def test_the_last_training_item_is_held_out_for_choosing(chains):
    train, held = hold_out([*chains.train, np.array([3])])
    assert len(held.targets) == len(chains.train) and train[-1].tolist() == [3]
    assert [len(s) + 1 for s in train[:-1]] == [len(s) for s in chains.train]
    assert all(s[-1] == target for s, target in zip(chains.train, held.targets, strict=True))


@pytest.mark.parametrize("packed", [True, False])
def test_a_folder_is_read_with_and_without_test_targets(tmp_path, packed):
    write(tmp_path, "train", [[1, 2, 3], [2, 5]], packed)
    assert "lacks val_input, val_output" in sequences.sequences_missing(str(tmp_path))
    with pytest.raises(FileNotFoundError, match="lacks val_input"):
        read_sequences(tmp_path)
    write(tmp_path, "val_input", [[1, 2, 3]], packed)
    write(tmp_path, "val_output", [[4]], False)
    assert sequences.sequences_missing(str(tmp_path)) is None
    data = read_sequences(tmp_path)
    assert data.n_items == 5 and list(data.held) == ["validation"] and data.held["validation"].targets.tolist() == [3]
    assert "no test" in describe(data)
    write(tmp_path, "test_output", [[6], [1], []], False)  # an empty line at the end is none
    assert "lacks test_input" in sequences.sequences_missing(str(tmp_path))
    with pytest.raises(FileNotFoundError, match="lacks test_input"):
        read_sequences(tmp_path)
    write(tmp_path, "test_input", [[1, 2, 3, 4], [2, 5]], packed)
    assert sequences.sequences_missing(str(tmp_path)) is None
    data = read_sequences(tmp_path)
    assert data.n_items == 6 and data.held["test"].histories[1].tolist() == [1, 4]
    write(tmp_path, "test_output", [[6, 2], [1]], False)
    with pytest.raises(ValueError, match="one item a line"):
        read_sequences(tmp_path)
    write(tmp_path, "test_output", [[6], [5]], False)
    with pytest.raises(ValueError, match="item 5 in line 2 of test_input and of test_output"):
        read_sequences(tmp_path)
    write(tmp_path, "train", [[0, 2, 3]], packed)
    with pytest.raises(ValueError, match="expected items from 1"):
        read_sequences(tmp_path)


def test_histories_fade():
    matrix = as_matrix([np.array([4, 2]), np.array([0])], 5, 1.0).toarray()
    np.testing.assert_allclose(matrix, [[0, 0, 1, 0, 0.5], [1, 0, 0, 0, 0]])


def quick(name):
    """Return a rival with few settings."""
    grid = {key: values[2:3] for key, values in RIVALS[name].grid.items()}
    if name == "iALS":
        grid = {"factors": (8,), "regularization": (1.0, 100.0), "alpha": (5.0,)}
    return RIVALS[name]._replace(grid=grid)


@pytest.mark.parametrize("name", RIVALS)
def test_rivals_choose_their_settings_and_rank(name, chains):
    rival = quick(name)
    settings, ndcg = choose(rival, chains.train, chains.n_items)
    assert 0 <= ndcg <= 1 and set(settings) == set(rival.grid)
    power = settings.pop("power", 0.0)
    scores = rival.fit(chains.train, chains.n_items, **settings)
    parts = measure_held(lambda rows: scores(as_matrix(rows, chains.n_items, power)), chains)
    assert list(parts) == ["validation", "test"] and parts["test"]["users"] == 300
    if name == "item to next item":
        assert parts["test"]["ndcg"] > 0.9
    if name == "most popular":
        assert parts["test"]["ndcg"] < 0.3


def test_settings_are_changed_until_none_is_better(chains, monkeypatch):
    fitted = []

    def fit(train, n_items, near, far):
        fitted.append((near, far))
        quality = -((near - 1) ** 2) - (far - near - 3) ** 2 / 2
        return lambda histories: np.array([quality])

    def rank_held(scores, held, n_items):
        return SimpleNamespace(ndcg=scores(held.histories))

    monkeypatch.setattr(sequences, "rank_held", rank_held)
    rival = Rival(fit, {"near": (0, 1, 2, 3), "far": (0, 1, 2, 3, 4), "power": (1.0, 2.0, 3.0)})
    settings, best = choose(rival, chains.train, chains.n_items)
    assert (settings["near"], settings["far"], best) == (1, 4, 0.0) and len(set(fitted)) < 20
    assert at_edge(rival, settings | {"power": 2.0}) == ["far"]
    assert at_edge(rival, {"near": 0, "far": 0, "power": 3.0}) == ["power"]  # nothing lies below 0


def test_ease_has_the_weights_of_the_package(chains):
    from recsys_utils.baselines import fit_ease

    x = as_matrix(chains.train, chains.n_items)
    expected = fit_ease(x.toarray(), 50.0).scores(x)
    np.testing.assert_allclose(sequences.fit_ease(chains.train, chains.n_items, 50.0)(x), expected, atol=1e-3)


def test_ials_folds_in_what_it_was_fitted_to(chains):
    x = as_matrix(chains.train, chains.n_items)
    nothing = as_matrix([np.array([0])] * len(chains.train), chains.n_items).astype(bool)
    task = RankingTask(np.arange(len(chains.train)), np.arange(chains.n_items), x.astype(bool), nothing)
    expected = rank_with_ials(task, 8, 1.0, 5.0)
    found = sequences.fit_ials(chains.train, chains.n_items, 8, 1.0, 5.0)(x)
    assert np.corrcoef(expected.ravel(), found.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("attends", [True, False])
def test_no_position_reads_what_follows_it_or_what_is_padded(attends):
    towers = TwoTowers(40, SMALL._replace(attends=attends, heads=4))
    first, second = towers(np.array([[1, 2, 3, 4]])).numpy(), towers(np.array([[1, 2, 9, 8], [5, 6, 7, 8]])).numpy()
    np.testing.assert_allclose(first[0, :2], second[0, :2], atol=1e-5)
    assert np.abs(first[0, 2] - second[0, 2]).max() > 1e-3
    short, both = towers.scores([np.array([3, 4])]), towers.scores([np.array([3, 4]), np.arange(8)])
    np.testing.assert_allclose(short[0], both[0], atol=1e-4)


@pytest.mark.parametrize("older", [True, False])
def test_an_epoch_reads_every_latest_item_and_drawn_older_ones_once(older, chains):
    settings = SMALL._replace(window=6, older=older)
    drawn, counted, shapes = set(), set(), set()
    for epoch in range(5):
        seen = np.zeros((300, 40), int)
        cut_out = windows(chains.train, settings, np.random.default_rng(epoch))
        longer = [row for row, sequence in enumerate(chains.train) if len(sequence) > 7]
        users = [*range(300), *(longer if older else [])]
        assert len(cut_out) == len(users)
        for user, window in zip(users, cut_out, strict=True):
            assert 2 <= len(window) <= 7 and ((window[1:] - window[:-1]) % 40 == 1).all()
            seen[user, window[1:]] += 1
        assert seen.max() == 1
        assert all(seen[user, sequence[-6:][len(sequence) < 7 :]].all() for user, sequence in enumerate(chains.train))
        drawn.add(seen.tobytes())
        batched = list(batches(chains.train, settings, np.random.default_rng(epoch)))
        assert sum((following != PADDED).sum() for _, following in batched) == seen.sum()
        for items, following in batched:
            real = following != PADDED
            assert ((items[real] + 1) % 40 == following[real]).all()
            shapes.add(items.shape)
        counted.add(len(batched))
    assert counted == {count_batches(chains.train, settings)} and len(shapes) < 4
    assert (len(drawn) > 1) == older


def test_gradients_of_a_repeated_row_are_summed():
    table = keras.Variable(np.zeros((3, 2), np.float32))
    rows, slopes = np.array([1, 1, 2]), np.array([[1.0, 2], [1, -2], [3, 4]], np.float32)
    optimizer = Adam(0.1, epsilon=1.0)
    optimizer.build([table])
    optimizer.apply([tf.IndexedSlices(slopes, rows, (3, 2))], [table])
    dense = keras.Variable(np.zeros((3, 2), np.float32))
    expected = keras.optimizers.Adam(0.1, epsilon=1.0)
    expected.build([dense])
    expected.apply([np.array([[0, 0], [2, 0], [3, 4]], np.float32)], [dense])
    np.testing.assert_allclose(table.numpy(), dense.numpy(), rtol=1e-6)


def test_dropout_keeps_the_mean_and_draws_anew():
    drop = sequence_towers.Dropout(0.25, keras.random.SeedGenerator(1))
    ones = np.ones((40, 50, 16), np.float32)
    first, second = drop(ones, training=True).numpy(), drop(ones, training=True).numpy()
    assert set(np.unique(first)) == {0.0, np.float32(256 / 192)} and abs(first.mean() - 1) < 0.03
    assert 0.55 < ((first > 0) == (second > 0)).mean() < 0.7  # 0.75² + 0.25²
    np.testing.assert_array_equal(drop(ones), ones)


def test_all_negatives_are_the_full_softmax(chains):
    towers = TwoTowers(chains.n_items, SMALL._replace(negatives=0))
    items, following = next(batches(chains.train, SMALL, np.random.default_rng(1)))
    queries = towers(items)
    logits = queries.numpy() @ towers.offered.numpy().T + towers.bias.numpy()  # (batch, length, n_items)
    real = following != PADDED
    losses = keras.losses.sparse_categorical_crossentropy(following[real], logits[real], from_logits=True)
    np.testing.assert_allclose(towers.compute_loss(y=following, y_pred=queries), losses.numpy().mean(), rtol=1e-4)
    towers.settings = towers.settings._replace(negatives=5)
    sampled = [towers.compute_loss(y=following, y_pred=queries) for _ in range(20)]
    np.testing.assert_allclose(np.mean(sampled), losses.numpy().mean(), rtol=0.1)


def test_a_pooling_tower_learns_the_order(chains, tmp_path):
    settings = SMALL._replace(attends=False, learning_rate=2e-2, epochs=8)
    towers = train_towers(chains, settings, tmp_path)
    assert measure_held(towers.scores, chains)["test"]["ndcg"] > 0.6


class Stop(keras.callbacks.Callback):
    """Stop in the third epoch, as whoever kills a run does."""

    def on_batch_end(self, batch, logs=None):
        if self.model.optimizer.iterations > 2 * self.params["steps"]:
            raise KeyboardInterrupt


def test_an_attending_tower_learns_the_order_and_a_run_that_was_stopped_goes_on(chains, tmp_path, capsys):
    settings = SMALL._replace(learning_rate=2e-2, dropout=0.1)
    whole = train_towers(chains, settings, tmp_path / "whole")
    assert measure_held(whole.scores, chains)["test"]["ndcg"] > 0.5
    with pytest.raises(KeyboardInterrupt):
        train_towers(chains, settings, tmp_path / "stopped", [Stop()])
    (latest,) = (tmp_path / "stopped").rglob("latest.weights.h5")
    latest.write_bytes(latest.read_bytes()[:1000])  # stopped while this was written; the epoch before is kept
    resumed = train_towers(chains, settings, tmp_path / "stopped")
    again = train_towers(chains, settings, tmp_path / "whole")  # finds the end, and trains no further
    assert float(again.seconds) == float(whole.seconds) > 0 and float(resumed.seconds) > 0
    for towers in (again, resumed):
        assert int(towers.optimizer.iterations) == int(whole.optimizer.iterations)
        for one, other in zip(whole.trainable_variables, towers.trainable_variables, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-4)
    said = capsys.readouterr()
    assert "Epoch" in said.err and "Epoch" not in said.out


def test_a_checkpoint_is_named_by_data_settings_and_code(chains, monkeypatch, tmp_path):
    names = {sequence_towers.checkpoint(chains, SMALL), sequence_towers.checkpoint(chains, SMALL._replace(seed=2))}
    moved = [*chains.train[:-2], np.append(chains.train[-2], chains.train[-1][0]), chains.train[-1][1:]]
    names.add(sequence_towers.checkpoint(chains._replace(train=moved), SMALL))
    (tmp_path / "code.py").write_text("another")
    monkeypatch.setattr(sequence_towers, "__file__", str(tmp_path / "code.py"))
    names.add(sequence_towers.checkpoint(chains, SMALL))
    assert len(names) == 4


@pytest.fixture
def untrained(monkeypatch):
    """Towers and rivals that cost nothing."""
    for name in RIVALS:
        monkeypatch.setitem(RIVALS, name, quick(name))
    trained = []

    def train(data, settings):
        trained.append((len(data.train[0]), settings))
        return TwoTowers(data.n_items, SMALL)

    monkeypatch.setattr(sequence_towers, "train_towers", train)
    monkeypatch.setenv("ONEDNN_DEFAULT_FPMATH_MODE", "STRICT")
    return trained


def test_the_report_of_a_folder(tmp_path, chains, untrained):
    validation = chains.held["validation"]
    assert measure_sequences(str(tmp_path))["missing"]
    assert "lacks train" in sequence_markdown(measure_sequences(str(tmp_path)))
    with pytest.raises(SystemExit, match=r"FOLDER is .* lacks train"):
        write_sequences(str(tmp_path))
    write(tmp_path, "train", [s + 1 for s in chains.train], True)
    write(tmp_path, "val_input", [s + 1 for s in validation.histories], True)
    write(tmp_path, "val_output", [[target + 1] for target in validation.targets], False)

    def call(part, *arguments):
        return json.loads(json.dumps(part(*arguments)))

    kept = []
    report = measure_sequences(str(tmp_path), 1, call, lambda report: kept.append(sequence_markdown(report)))
    assert len(kept) == len(report["rows"]) and "| iALS " in kept[1] and "EASE" not in kept[1]
    text = sequence_markdown(report)
    assert [row["model"] for row in report["rows"]] == [*RIVALS, *sequence_towers.TOWERS, "both towers side by side"]
    assert "**validation**, 300 users" in text and "**test**: its targets are not there" in text
    assert f"{tmp_path}: 300 users and 40 items" in text and "no test" in text
    assert all(row["against"] in RIVALS and row["against"] != "most popular" for row in report["differences"])
    assert [row["model"] for row in report["differences"]] == [row["model"] for row in report["rows"][len(RIVALS) :]]
    for row in report["rows"]:
        found = row["parts"]["validation"]
        assert found["low"] <= found["ndcg"] <= found["high"] and row["peak_mb"] > 100
        assert f"| {row['model']} " in text
    assert "worse" in text  # the towers were not trained
    assert "item to next item: {" in text and "distance_power and" in text  # one value is an end
    for published in sequences.PUBLISHED:
        assert f"| {published['model']} " in text
    assert "as published, on the test of all 6,040" in text
    assert [settings.epochs for _, settings in untrained] == [1] * 4


def test_settings_of_towers_are_chosen_on_items_held_out_of_training(tmp_path, chains, untrained, capsys):
    write(tmp_path, "train", [s + 1 for s in chains.train], True)
    write(tmp_path, "val_input", [[1]], False)
    write(tmp_path, "val_output", [[2]], False)
    from bench.sequence_plan import print_development

    print_development("self-attention history tower", str(tmp_path), "dropout=0.5", "older=false")
    said = json.loads(capsys.readouterr().out)
    assert said["changes"] == {"dropout": 0.5, "older": False} and said["users"] == sum(
        len(s) > 1 for s in chains.train
    )
    ((length, settings),) = untrained
    assert length == len(chains.train[0]) - 1 and settings.dropout == 0.5 and not settings.older


def test_the_process_that_calls_the_parts_imports_no_tensorflow():
    tools = Path(sequences.__file__).parent.parent
    code = "import sys; import bench.sequence_plan; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=tools).returncode == 0


def test_published_rows_stand_beside_the_measured_ones_of_the_test():
    row = {"model": "most popular", "settings": {}, "seconds": 1.0, "peak_mb": 200}
    row["parts"] = {"test": {"users": 6040, "hr": 0.1, "ndcg": 0.05, "low": 0.04, "high": 0.06}}
    report = {"data": "ml-1m", "missing": None, "size": "", "rows": [row], "differences": []}
    text = sequence_markdown(report)
    assert text.index("**test**, 6,040 users") < text.index("| SASRec") < text.index("| most popular")
    for published in sequences.PUBLISHED:
        assert f"| {published['model']}" in text and published["source"] in text
