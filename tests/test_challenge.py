"""The challenge: entries are measured alike, and the board shows the best first."""

import json

import pytest
import yaml

from lab_kit import program
from lab_kit.errors import UserError
from lab_kit.plain_console import PlainConsole
from training import challenge
from training.challenge import TASKS, Task, measure, show_board

RESULT = {
    **{"score": 3.0, "of": "seconds", "scores": [3.0], "valid": True, "worst_test_acc": 0.991},
    **{"source": "MNIST", "machine": "a CPU"},
}


@pytest.fixture
def entry(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump({"model_class": "MLP", "fc1": 16, "fc2": 16, "max_epochs": 1}), encoding="utf-8")
    return path


def test_an_entry_is_trained_with_each_seed(entry, small_mnist):
    result = measure(Task({"data_class": "MNIST"}, 2, "seconds"), entry)
    assert len(result["scores"]) == 2
    assert result["of"] == "seconds"
    assert result["valid"] == (result["worst_test_acc"] >= challenge.ENOUGH)
    assert "small mnist" in result["source"]
    assert "CPU (" in result["machine"]


@pytest.mark.parametrize("flag", ["seed: 3", "limit_test_batches: 1", "data_class: EMNIST", "fast_dev_run: true"])
def test_an_entry_cannot_change_what_is_the_same_for_everyone(entry, flag):
    entry.write_text(entry.read_text(encoding="utf-8") + flag + "\n", encoding="utf-8")
    with pytest.raises(UserError, match=flag.partition(":")[0]):
        measure(TASKS["digits"], entry)


def test_an_entry_that_fails_is_said(entry, small_mnist):
    entry.write_text("model_class: MLP\nfc1: 0\n", encoding="utf-8")
    with pytest.raises(UserError, match="exit code 2"):
        measure(Task({"data_class": "MNIST"}, 1, "seconds"), entry)


def test_the_board_has_the_best_first_and_says_what_does_not_count(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(challenge, "BOARD", tmp_path)
    rows = [("slow", 9.0, True, 0.992), ("fast", 2.0, True, 0.991), ("wrong", 1.0, False, 0.95)]
    for name, score, valid, worst in rows:
        result = RESULT | {"task": "digits", "entry": name, "score": score, "valid": valid, "worst_test_acc": worst}
        (tmp_path / f"digits-{name}.json").write_text(json.dumps(result), encoding="utf-8")
    show_board(PlainConsole(width=160))
    (tmp_path / "broken.json").write_text("{", encoding="utf-8")
    (tmp_path / "other.json").write_text('{"task": "digits"}', encoding="utf-8")
    show_board(PlainConsole(width=160))
    printed = capsys.readouterr().out
    assert printed.index("fast") < printed.index("slow") < printed.index("wrong")
    assert "not valid: 95.00%" in printed


def test_ones_own_lines_are_read_by_a_shipped_model(tmp_path, monkeypatch):
    class Reader:
        def predict(self, path):
            return type("Reading", (), {"text": "hello" if path.name == "a.png" else "wor"})()

    monkeypatch.setattr("text_recognizer.recognizer.Recognizer.load", lambda folder: Reader())
    entries = [{"file": "a.png", "text": "hello"}, {"file": "b.png", "text": "world"}]
    (tmp_path / "labels.json").write_text(json.dumps(entries), encoding="utf-8")
    assert challenge.measure_own(tmp_path, tmp_path)["score"] == pytest.approx(2 / 10)
    (tmp_path / "labels.json").write_text('{"file": 1}', encoding="utf-8")
    with pytest.raises(UserError, match="not a list"):
        challenge.measure_own(tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("what", "says"),
    [
        (["digit", "x.yaml"], "Did you mean 'digits'"),
        (["digits"], "After digits comes a file of flags"),
        (["board", "x"], "After board comes nothing"),
        (["own", "a", "b"], "After own comes the folder"),
        ([], "must be one of"),
    ],
)
def test_what_is_wrong_with_the_command_is_said(what, says):
    with pytest.raises(UserError, match=says):
        challenge.challenge(what)


def test_the_command_is_as_documented(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(challenge, "BOARD", tmp_path)
    monkeypatch.setattr(challenge, "measure", lambda task, entry: RESULT | {"source": entry.name})
    program.run(challenge.challenge, ["digits", "training/entries/one_epoch.yaml"])
    program.run(challenge.challenge, ["board"])
    assert capsys.readouterr().out.count("one_epoch.yaml") == 2
    assert [path.name for path in tmp_path.glob("*.json")] == ["digits-one_epoch.json"]
