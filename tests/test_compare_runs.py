"""Comparing runs: what differs in their settings, what in their figures, and is it more than luck?"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy import stats

from lab_kit.errors import UserError
from lab_kit.plain_console import PlainConsole
from lab_kit.runs.comparison import compare, formatted, print_comparison, write_comparison
from lab_kit.runs.groups import CONFIDENCE, group_runs
from lab_kit.runs.read_runs import read_runs
from lab_kit.runs.verdict import LUCK

ROOT = Path(__file__).resolve().parents[1]


def write_run(folder: Path, seed: int, accuracy: float, **settings: object) -> Path:
    folder.mkdir(parents=True)
    settings = {"data_class": "MNIST", "model_class": "MLP", "lr": 0.001, "seed": seed, "num_workers": 0} | settings
    (folder / "config.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    figures = {"val_acc": accuracy, "val_loss": 1 - accuracy, "test_acc": accuracy - 0.01, "seconds": 3.0 + seed}
    facts = {"source": "MNIST (somewhere)", "hardware": "CPU", "versions": "torch 2", "commit": "abc"}
    (folder / "metrics.json").write_text(json.dumps(figures | facts), encoding="utf-8")
    (folder / "metrics.csv").write_text(f"epoch,step,val_acc\n0,10,{accuracy / 2}\n1,20,{accuracy}\n", encoding="utf-8")
    return folder


def write_runs(folder: Path, accuracies: dict[float, list[float]]) -> Path:
    for lr, values in accuracies.items():
        for seed, value in enumerate(values):
            write_run(folder / f"lr{lr}" / f"version_{seed}", seed, value, lr=lr)
    return folder


OLD, NEW = [0.950, 0.953, 0.947, 0.951, 0.949], [0.961, 0.962, 0.958, 0.960, 0.959]


def test_runs_with_the_same_settings_are_one_group_whatever_their_seeds(tmp_path):
    groups = group_runs(read_runs([write_runs(tmp_path, {0.001: OLD, 0.01: NEW})]))
    assert [(group.name, len(group.runs)) for group in groups] == [("lr=0.001", 5), ("lr=0.01", 5)]
    assert [run.seed for run in groups[0].runs] == [0, 1, 2, 3, 4]


def test_the_interval_of_a_mean_is_students(tmp_path):
    (group,) = group_runs(read_runs([write_runs(tmp_path, {0.001: OLD})]))
    low, high = stats.t.interval(CONFIDENCE, 4, np.mean(OLD), stats.sem(OLD))
    assert group.mean("val_acc") - group.margin("val_acc") == pytest.approx(low)
    assert group.mean("val_acc") + group.margin("val_acc") == pytest.approx(high)


def test_a_clear_difference_is_found_and_judged_as_a_paired_t_test_does(tmp_path):
    comparison = compare(read_runs([write_runs(tmp_path, {0.001: OLD, 0.01: NEW})]), against="lr=0.001")
    (verdict,) = comparison.verdicts
    assert verdict.answer == "better"
    wanted = stats.ttest_rel(NEW, OLD).confidence_interval(1 - LUCK)
    assert verdict.interval == pytest.approx((wanted.low, wanted.high))
    assert verdict.sentence.startswith("lr=0.01 is better than lr=0.001: val_acc is 1.00 points higher (99% interval")
    assert "5 pairs of runs with the same seed" in verdict.sentence
    (other,) = compare(read_runs([tmp_path]), against="lr=0.01").verdicts
    assert other.answer == "worse"


def test_a_lower_loss_is_better(tmp_path):
    runs = read_runs([write_runs(tmp_path, {0.001: OLD, 0.01: NEW})])
    comparison = compare(runs, against="lr=0.001", by="val_loss")
    assert comparison.groups[0].name == "lr=0.01"
    assert comparison.verdicts[0].answer == "better"
    assert "lower" in comparison.verdicts[0].sentence


def test_other_seeds_are_compared_as_welch_does(tmp_path):
    for seed, value in enumerate(OLD):
        write_run(tmp_path / "a" / str(seed), seed, value, lr=0.001)
    for seed, value in enumerate(NEW):
        write_run(tmp_path / "b" / str(seed), 10 + seed, value, lr=0.01)
    (verdict,) = compare(read_runs([tmp_path]), against="lr=0.001").verdicts
    wanted = stats.ttest_ind(NEW, OLD, equal_var=False).confidence_interval(1 - LUCK)
    assert verdict.interval == pytest.approx((wanted.low, wanted.high))
    assert "5 and 5 runs" in verdict.sentence


def test_the_same_setting_is_seldom_called_better(tmp_path):
    random, false, found = np.random.default_rng(0), 0, 0
    for repeat in range(200):
        old, same = random.normal(0.95, 0.003, (2, 5))
        runs = write_runs(tmp_path / str(repeat), {0.001: old.tolist(), 0.01: same.tolist()})
        false += compare(read_runs([runs]), against="lr=0.001").verdicts[0].answer != "cannot tell"
        better = write_runs(tmp_path / f"b{repeat}", {0.001: old.tolist(), 0.01: (same + 0.02).tolist()})
        found += compare(read_runs([better]), against="lr=0.001").verdicts[0].answer == "better"
    assert false <= 7  # 2 of 200 are expected; 8 have a probability of 1 in 1,000
    assert found >= 180


def test_many_comparisons_need_more_each(tmp_path):
    accuracies = {0.001: OLD, **{lr: NEW for lr in (0.01, 0.02, 0.03, 0.04)}}
    comparison = compare(read_runs([write_runs(tmp_path, accuracies)]), against="lr=0.001")
    assert len(comparison.verdicts) == 4
    wanted = stats.ttest_rel(NEW, OLD).confidence_interval(1 - LUCK / 4)
    assert comparison.verdicts[0].interval == pytest.approx((wanted.low, wanted.high))


@pytest.mark.parametrize(
    ("old", "new"), [([0.95], [0.97]), ([0.95, 0.95], [0.97, 0.97]), ([0.95] * 5, [0.95] * 5)], ids=str
)
def test_too_few_runs_say_nothing(tmp_path, old, new):
    (verdict,) = compare(read_runs([write_runs(tmp_path, {0.001: old, 0.01: new})]), against="lr=0.001").verdicts
    assert verdict.answer == "cannot tell"
    assert "more seeds" in verdict.sentence


def test_what_is_no_finished_run_is_left_out_and_said(tmp_path, caplog):
    write_runs(tmp_path, {0.001: OLD})
    (write_run(tmp_path / "x" / "version_7", 7, 0.9) / "metrics.json").unlink()
    (write_run(tmp_path / "x" / "version_8", 8, 0.9) / "metrics.json").write_text('{"val_acc": 0.9', encoding="utf-8")
    (write_run(tmp_path / "x" / "version_9", 9, 0.9) / "config.yaml").write_bytes(b"\xff\xfe\x00")
    (write_run(tmp_path / "x" / "version_10", 9, 0.9) / "metrics.json").write_text("[1]", encoding="utf-8")
    (write_run(tmp_path / "x" / "version_11", 9, 0.9) / "metrics.json").write_text('{"val_acc": NaN}')
    with caplog.at_level("INFO"):
        assert len(read_runs([tmp_path])) == 5
    for name in ("version_7", "version_8", "version_9", "version_10", "version_11"):
        assert name in caplog.text


def test_a_run_given_twice_counts_once(tmp_path):
    write_runs(tmp_path, {0.001: OLD})
    assert len(read_runs([tmp_path, tmp_path / "lr0.001" / "version_0"])) == 5


def test_runs_on_other_data_are_no_pairs(tmp_path):
    write_runs(tmp_path, {0.001: OLD})
    other = write_run(tmp_path / "pen", 0, 0.99)
    figures = json.loads((other / "metrics.json").read_text(encoding="utf-8"))
    (other / "metrics.json").write_text(json.dumps(figures | {"source": "a program"}), encoding="utf-8")
    assert [group.name for group in group_runs(read_runs([tmp_path]))] == [
        "source=MNIST (somewhere)",
        "source=a program",
    ]


def test_facts_that_differ_are_named(tmp_path):
    write_runs(tmp_path, {0.001: OLD})
    path = tmp_path / "lr0.001" / "version_0" / "metrics.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"CPU"', '"GPU"'), encoding="utf-8")
    (said,) = compare(read_runs([tmp_path])).warnings()
    assert "hardware" in said


@pytest.mark.parametrize(
    ("against", "by", "says"),
    [
        ("lr=0.5", None, "none of these groups"),
        ("data_class=MNIST", None, "any of 2 groups"),
        (None, "val_accuracy", "Did you mean 'val_acc'?"),
    ],
)
def test_what_is_not_there_is_said(tmp_path, against, by, says):
    runs = read_runs([write_runs(tmp_path, {0.001: OLD, 0.01: NEW})])
    with pytest.raises(UserError, match=says.replace("?", "[?]")):
        compare(runs, against, by)


def test_no_run_at_all_is_said(tmp_path):
    with pytest.raises(UserError, match="no finished run"):
        read_runs([tmp_path])
    with pytest.raises(UserError, match="not a folder"):
        read_runs([tmp_path / "nothing"])


def test_picture_and_page_hold_what_is_printed(tmp_path, capsys):
    runs = read_runs([write_runs(tmp_path / "runs<b>", {0.001: OLD, 0.01: NEW})])
    comparison = compare(runs, against="lr=0.001")
    print_comparison(comparison, PlainConsole(width=200))
    write_comparison(comparison, tmp_path / "out")
    printed, page = capsys.readouterr().out, (tmp_path / "out" / "comparison.html").read_text(encoding="utf-8")
    mean = formatted(float(np.mean(NEW)), "val_acc")
    assert mean in printed
    assert mean in page
    assert comparison.verdicts[0].sentence in printed
    assert comparison.verdicts[0].sentence in page
    assert "runs&lt;b&gt;" in page
    assert (tmp_path / "out" / "comparison.png").read_bytes().startswith(b"\x89PNG")


def test_the_program_compares_what_it_is_told(tmp_path):
    write_runs(tmp_path, {0.001: OLD, 0.01: NEW})
    command = [sys.executable, str(ROOT / "training" / "compare_runs.py")]
    done = subprocess.run(
        [
            *command,
            str(tmp_path / "lr0.001"),
            str(tmp_path / "lr0.01"),
            "--against",
            "lr=0.001",
            "--out",
            str(tmp_path),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "lr=0.01 is better than lr=0.001" in done.stdout
    assert (tmp_path / "comparison.html").is_file()
    wrong = subprocess.run([*command, str(tmp_path / "none")], capture_output=True, text=True, timeout=120)
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("error: ")
    assert len(wrong.stderr.splitlines()) == 1
