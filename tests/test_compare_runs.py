"""Comparing runs: what differs in their settings, what in their figures, and is it more than luck?"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy import stats

from lab_kit.errors import UserError
from lab_kit.plain_console import PlainConsole
from lab_kit.runs import verdict
from lab_kit.runs.comparison import compare, formatted, print_comparison, write_comparison
from lab_kit.runs.groups import CONFIDENCE, group_runs
from lab_kit.runs.read_runs import read_runs
from lab_kit.runs.verdict import LUCK

ROOT = Path(__file__).resolve().parents[1]


def write_run(where: Path, seed: object, accuracy: float, **settings: object) -> Path:
    where.mkdir(parents=True)
    settings = {"data_class": "MNIST", "model_class": "MLP", "lr": 0.001, "seed": seed, "num_workers": 0} | settings
    (where / "config.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    figures = {"val_acc": accuracy, "val_loss": 1 - accuracy, "test_acc": accuracy - 0.01, "seconds": 3.0}
    facts = {"source": "MNIST (somewhere)", "hardware": "CPU", "versions": "torch 2", "commit": "abc"}
    (where / "metrics.json").write_text(json.dumps(figures | facts), encoding="utf-8")
    (where / "metrics.csv").write_text(f"epoch,step,val_acc\n0,10,{accuracy / 2}\n1,20,{accuracy}\n", encoding="utf-8")
    return where


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
    (said,) = comparison.verdicts
    assert said.answer == "better"
    wanted = stats.ttest_rel(NEW, OLD).confidence_interval(1 - LUCK)
    assert said.interval == pytest.approx((wanted.low, wanted.high))
    assert said.sentence.startswith("lr=0.01 is better than lr=0.001: val_acc is 1.00 points higher (99% interval")
    assert "5 pairs of runs with the same seed" in said.sentence
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
    (said,) = compare(read_runs([tmp_path]), against="lr=0.001").verdicts
    wanted = stats.ttest_ind(NEW, OLD, equal_var=False).confidence_interval(1 - LUCK)
    assert said.interval == pytest.approx((wanted.low, wanted.high))
    assert "5 and 5 seeds" in said.sentence


def test_copies_and_repeats_of_a_run_are_no_further_chance(tmp_path):
    runs = write_runs(tmp_path / "runs", {0.001: OLD, 0.01: NEW})
    before = compare(read_runs([runs]), against="lr=0.001")
    shutil.copytree(runs, runs / "copy")
    after = compare(read_runs([runs]), against="lr=0.001")
    assert len(after.runs) == 20
    assert after.verdicts == before.verdicts
    assert [group.margin("val_acc") for group in after.groups] == [group.margin("val_acc") for group in before.groups]
    for repeat in range(4):  # one seed, four times
        write_run(tmp_path / "a" / str(repeat), 42, 0.95 + repeat * 1e-4, lr=0.001)
        write_run(tmp_path / "b" / str(repeat), 42, 0.96 + repeat * 1e-4, lr=0.01)
    (said,) = compare(read_runs([tmp_path / "a", tmp_path / "b"]), against="lr=0.001").verdicts
    assert said.answer == "cannot tell"


def test_runs_without_a_known_seed_are_no_pairs(tmp_path):
    for place, (old, new) in enumerate(zip(OLD, NEW, strict=True)):
        write_run(tmp_path / "a" / str(place), "one", old, lr=0.001)
        write_run(tmp_path / "b" / str(place), [place], new, lr=0.01)
    (said,) = compare(read_runs([tmp_path]), against="lr=0.001").verdicts
    assert "5 and 5 seeds" in said.sentence


def test_what_loggers_keep_is_no_run(tmp_path):
    runs = write_runs(tmp_path, {0.001: OLD})
    shutil.copytree(runs / "lr0.001", runs / "mlartifacts" / "1" / "artifacts")
    assert len(read_runs([runs])) == 5


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no links")
def test_linked_folders_are_followed_and_circles_end(tmp_path):
    runs = write_runs(tmp_path / "elsewhere", {0.001: OLD})
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "linked").symlink_to(runs)
    (tmp_path / "logs" / "circle").symlink_to(tmp_path / "logs")
    assert len(read_runs([tmp_path / "logs"])) == 5


def test_odd_files_end_in_no_traceback(tmp_path):
    write_runs(tmp_path, {0.001: OLD, 0.01: NEW})
    odd = tmp_path / "lr0.001" / "version_0"
    (odd / "metrics.csv").write_text("epoch,step,val_acc\n0,1," + "9" * 200_000 + "\n", encoding="utf-8")
    (tmp_path / "lr0.001" / "version_1" / "metrics.csv").write_text("epoch,val_acc\n0,1e308\n1,-1e308\n")
    big = write_run(tmp_path / "big", 0, 0.9, folder="/data/$a_^$/x_$b$")
    figures = json.loads((big / "metrics.json").read_text(encoding="utf-8"))
    (big / "metrics.json").write_text(json.dumps(figures | {"seconds": 10**400, "test_acc": 1e308}), encoding="utf-8")
    comparison = compare(read_runs([tmp_path]))
    write_comparison(comparison, tmp_path / "out")
    assert len(comparison.groups) == 3


def test_a_run_without_validation_is_named_and_does_not_change_what_decides(tmp_path):
    write_runs(tmp_path, {0.001: OLD})
    path = tmp_path / "lr0.001" / "version_3" / "metrics.json"
    figures = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(figures | {"val_acc": float("nan"), "val_loss": float("nan")}), encoding="utf-8")
    with pytest.raises(UserError, match="version_3 has no val_acc"):
        compare(read_runs([tmp_path]))
    assert compare(read_runs([tmp_path]), by="test_acc").figure == "test_acc"


@pytest.mark.parametrize("against", ["lr=1e-3", "lr=0.0010", "lr = .001", "--lr=0.001"])
def test_a_number_may_be_written_as_one_likes(tmp_path, against):
    runs = read_runs([write_runs(tmp_path, {0.001: OLD, 0.01: NEW})])
    assert compare(runs, against=against).verdicts[0].answer == "better"


def test_the_advised_number_of_seeds_is_what_a_simulation_needs():
    chance = np.random.default_rng(0)
    spread, difference = 0.01, 0.008
    advice = verdict._advice([chance.normal(difference, spread, 400)], difference, LUCK)
    needed = int(re.search(r"about (\d+) seeds", verdict._advice([_with_spread(spread)], difference, LUCK))[1])
    found = np.mean(
        [stats.ttest_1samp(chance.normal(difference, spread, needed), 0).pvalue < LUCK for _ in range(2_000)]
    )
    assert verdict.POWER - 0.06 < found < verdict.POWER + 0.08
    assert "401" in advice  # more than there are


def _with_spread(spread):
    values = np.array([-1.0, 0.0, 1.0])
    return values / values.std(ddof=1) * spread


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
    ("old", "new"),
    [
        ([0.95], [0.97]),
        ([0.95, 0.96], [0.97, 0.99]),
        ([0.95] * 5, [0.95] * 5),
        ([0.91, 0.92, 0.93], [0.90, 0.91, 0.92]),
    ],
    ids=str,
)
def test_too_few_runs_say_nothing(tmp_path, old, new):
    (said,) = compare(read_runs([write_runs(tmp_path, {0.001: old, 0.01: new})]), against="lr=0.001").verdicts
    assert said.answer == "cannot tell"
    assert "more seeds" in said.sentence


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
    (warning,) = compare(read_runs([tmp_path])).warnings()
    assert "hardware" in warning


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
