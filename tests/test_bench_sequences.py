"""The sequence protocol of `make bench`, on generated sequences."""

import gzip
import json

import keras
import numpy as np
import pandas as pd
import pytest
from bench import sequence_towers, sequences
from bench.sequence_plan import measure_sequences, sequence_markdown
from bench.sequence_towers import Settings, TwoTowers, batches, count_batches, train_towers
from bench.sequences import RIVALS, as_matrix, choose, cut, hold_out, measure_held, read_sequences, sequences_of

from recsys_utils.columns import ITEM_ID, TIMESTAMP, USER_ID

SMALL = Settings(attends=True, blocks=1, dim=16, window=8, negatives=10, positions=100, epochs=2)


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


def test_the_last_two_items_are_held_out(chains):
    for history, before, train in zip(
        chains.held["test"].histories, chains.held["validation"].histories, chains.train, strict=True
    ):
        assert len(history) == len(before) + 1 and np.array_equal(before, train)
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
    write(tmp_path, "test_input", [[1, 2, 3, 4], [2, 5]], packed)
    write(tmp_path, "test_output", [[6], [1]], False)
    data = read_sequences(tmp_path)
    assert data.n_items == 6 and data.held["test"].histories[1].tolist() == [1, 4]
    write(tmp_path, "test_output", [[6, 2], [1]], False)
    with pytest.raises(ValueError, match="one item a line"):
        read_sequences(tmp_path)
    write(tmp_path, "train", [[0, 2, 3]], packed)
    with pytest.raises(ValueError, match="expected items from 1"):
        read_sequences(tmp_path)


def test_histories_fade():
    matrix = as_matrix([np.array([4, 2]), np.array([0])], 5, 1.0).toarray()
    np.testing.assert_allclose(matrix, [[0, 0, 1, 0, 0.5], [1, 0, 0, 0, 0]])


def quick(name):
    """Return a rival with few settings."""
    if name == "iALS":
        return RIVALS[name]._replace(grid={"factors": (8,), "regularization": (1.0, 100.0), "alpha": (5.0,)})
    return RIVALS[name]._replace(grid={key: values[:1] for key, values in RIVALS[name].grid.items()})


@pytest.mark.parametrize("name", RIVALS)
def test_rivals_choose_their_settings_and_rank(name, chains):
    rival = quick(name)
    settings, power, ndcg = choose(rival, chains.train, chains.n_items)
    assert power in rival.powers and 0 <= ndcg <= 1 and set(settings) == set(rival.grid)
    scores = rival.fit(chains.train, chains.n_items, **settings)
    parts = measure_held(lambda rows: scores(as_matrix(rows, chains.n_items, power)), chains)
    assert list(parts) == ["validation", "test"] and parts["test"]["users"] == 300
    if name == "item to next item":
        assert parts["test"]["ndcg"] > 0.9
    if name == "most popular":
        assert parts["test"]["ndcg"] < 0.3


def test_ease_has_the_weights_of_the_package(chains):
    from recsys_utils.baselines import fit_ease

    x = as_matrix(chains.train, chains.n_items)
    expected = fit_ease(x.toarray(), 50.0).scores(x)
    np.testing.assert_allclose(sequences.fit_ease(chains.train, chains.n_items, 50.0)(x), expected, atol=1e-3)


def test_ials_folds_in_what_it_was_fitted_to(chains):
    from recsys_utils.baselines import rank_with_ials
    from recsys_utils.metrics import RankingTask

    x = as_matrix(chains.train, chains.n_items)
    nothing = as_matrix([np.array([0])] * len(chains.train), chains.n_items).astype(bool)
    task = RankingTask(np.arange(len(chains.train)), np.arange(chains.n_items), x.astype(bool), nothing)
    expected = rank_with_ials(task, 8, 1.0, 5.0)
    found = sequences.fit_ials(chains.train, chains.n_items, 8, 1.0, 5.0)(x)
    assert np.corrcoef(expected.ravel(), found.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("attends", [True, False])
def test_no_position_reads_what_follows_it_or_what_is_padded(attends):
    towers = TwoTowers(40, SMALL._replace(attends=attends, heads=4))
    items = np.array([[1, 2, 3, 4]], np.int32)
    other = np.array([[1, 2, 9, 8], [5, 6, 7, 8]], np.int32)
    first = towers({"items": items, "at": np.array([0, 1, 2])}).numpy()
    second = towers({"items": other, "at": np.array([0, 1, 2])}).numpy()
    np.testing.assert_allclose(first[:2], second[:2], atol=1e-5)
    assert np.abs(first[2] - second[2]).max() > 1e-3
    short, both = towers.scores([np.array([3, 4])]), towers.scores([np.array([3, 4]), np.arange(8)])
    np.testing.assert_allclose(short[0], both[0], atol=1e-4)


def test_batches_hold_every_position_once(chains):
    settings = SMALL._replace(window=200)
    seen = []
    for batch, following in batches(chains.train, settings, np.random.default_rng(1)):
        read = batch["items"].ravel()[batch["at"]]
        assert ((read + 1) % 40 == following).all()
        seen.append(len(following))
    assert sum(seen) == sum(len(s) - 1 for s in chains.train)
    assert len(seen) == count_batches(chains.train, settings)


def test_all_negatives_are_the_full_softmax(chains):
    towers = TwoTowers(chains.n_items, SMALL._replace(negatives=chains.n_items))
    batch, following = next(batches(chains.train, SMALL, np.random.default_rng(1)))
    queries = towers(batch)
    sampled = towers.compute_loss(y=following, y_pred=queries)
    towers.settings = towers.settings._replace(negatives=0)
    np.testing.assert_allclose(sampled, towers.compute_loss(y=following, y_pred=queries), rtol=1e-4)


@pytest.mark.parametrize("attends", [True, False])
def test_a_tower_learns_the_order(attends, chains, tmp_path):
    settings = SMALL._replace(attends=attends, dropout=0.0, epochs=20, learning_rate=2e-2, positions=400)
    towers = train_towers(chains, settings, tmp_path)
    assert measure_held(towers.scores, chains)["test"]["ndcg"] > 0.6


class Stop(keras.callbacks.Callback):
    """Stop in the second epoch, as whoever kills a run does."""

    def on_batch_end(self, batch, logs=None):
        if self.model.optimizer.iterations > 6:
            raise KeyboardInterrupt


def test_a_run_that_was_stopped_goes_on(chains, tmp_path):
    settings = SMALL._replace(positions=400)
    whole = train_towers(chains, settings, tmp_path / "whole")
    again = train_towers(chains, settings, tmp_path / "whole")  # finds the end, and trains no further
    with pytest.raises(KeyboardInterrupt):
        train_towers(chains, settings, tmp_path / "stopped", [Stop()])
    assert any((tmp_path / "stopped").rglob("*.h5"))
    resumed = train_towers(chains, settings, tmp_path / "stopped")
    for towers in (again, resumed):
        assert int(towers.optimizer.iterations) == int(whole.optimizer.iterations)
        for one, other in zip(whole.trainable_variables, towers.trainable_variables, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-4)


def test_the_report_of_a_folder(tmp_path, chains, monkeypatch):
    validation = chains.held["validation"]
    assert measure_sequences(str(tmp_path))["missing"]
    assert "lacks train" in sequence_markdown(measure_sequences(str(tmp_path)))
    write(tmp_path, "train", [s + 1 for s in chains.train], True)
    write(tmp_path, "val_input", [s + 1 for s in validation.histories], True)
    write(tmp_path, "val_output", [[target + 1] for target in validation.targets], False)
    for name in RIVALS:
        monkeypatch.setitem(RIVALS, name, quick(name))
    monkeypatch.setattr(sequence_towers, "train_towers", lambda data, settings: TwoTowers(data.n_items, SMALL))

    def call(part, *arguments):
        return json.loads(json.dumps(part(*arguments)))

    report = measure_sequences(str(tmp_path), 1, call)
    text = sequence_markdown(report)
    assert [row["model"] for row in report["rows"]] == [*RIVALS, *sequence_towers.TOWERS]
    assert "**validation**, 300 users" in text and "**test**" not in text and "published" in text
    assert all(row["against"] in RIVALS and row["against"] != "most popular" for row in report["differences"])
    assert [row["model"] for row in report["differences"]] == [*sequence_towers.TOWERS]
    for row in report["rows"]:
        found = row["parts"]["validation"]
        assert found["low"] <= found["ndcg"] <= found["high"] and row["peak_mb"] > 100
        assert f"| {row['model']} " in text
    assert "worse" in text  # the towers were not trained


def test_published_rows_stand_beside_the_official_edition():
    row = {"model": "most popular", "settings": {}, "seconds": 1.0, "peak_mb": 200}
    row["parts"] = {"test": {"users": 6040, "hr": 0.1, "ndcg": 0.05, "low": 0.04, "high": 0.06}}
    report = {"data": "ml-1m", "missing": None, "rows": [row], "differences": []}
    text = sequence_markdown(report)
    for published in sequences.PUBLISHED:
        assert f"| {published['model']}" in text and published["source"] in text
