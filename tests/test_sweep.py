"""Sweeps: a space in a file, a study that processes share, and nothing lost when they are killed."""

import importlib.util
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from lab_kit.errors import UserError
from lab_kit.sweeps import report, study
from lab_kit.sweeps.space import read_space
from lab_kit.sweeps.trials import Worker
from tests import postgres
from tests.programs import require
from training.sweep import sweep

ROOT = Path(__file__).resolve().parents[1]
SPACE = """
[flags]
data_class = "MNIST"
max_epochs = 3
augment = false

[space]
optimizer = ["Adam", "SGD"]
fc1 = {low = 16, high = 64, step = 16}
lr = {low = 1e-4, high = 1e-1, log = true}
"""


@pytest.fixture
def space(tmp_path):
    (tmp_path / "space.toml").write_text(SPACE, encoding="utf-8")
    return read_space(tmp_path / "space.toml")


def test_a_space_gives_flags_of_the_program_that_trains(space):
    trial = optuna.create_study().ask()
    values = space.suggest(trial)
    assert set(values) == {"optimizer", "fc1", "lr"}
    assert values["fc1"] in (16, 32, 48, 64)
    assert space.command({"lr": 0.001, "optimizer": "SGD"}) == [
        *("--data_class=MNIST", "--max_epochs=3", "--augment=false", "--lr=0.001", "--optimizer=SGD")
    ]


def test_rates_on_a_logarithmic_scale_are_as_often_small_as_large(space):
    a_study = optuna.create_study(sampler=study.sampler("random", 0, 0, 0))
    rates = [space.suggest(a_study.ask())["lr"] for _ in range(400)]
    assert 0.25 < sum(rate < 1e-3 for rate in rates) / 400 < 0.42  # a third of the decades


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "has no [space]"),
        ("[space]\n", "has no [space]"),
        ("[spaces]\nlr = [1, 2]", "Did you mean 'space'?"),
        ("lr = [1, 2]", "no 'lr'"),
        ("[space]\nlr = {low = 1, hi = 2}", "Did you mean 'high'?"),
        ("[space]\nlr = {low = 1}", "needs two numbers"),
        ("[space]\nlr = {low = 2, high = 1}", "2 is not below 1"),
        ("[space]\nlr = {low = 0, high = 1.0, log = true}", "lr: "),
        ("[space]\nlr = {low = nan, high = 1.0}", "needs two numbers"),
        ("[space]\nlr = {low = 0.1, high = 1.0, log = 'yes'}", "true or false"),
        ("[space]\nlr = [1]", "at least two values"),
        ("[space]\nlr = 0.1", "[flags]"),
        ("[space]\nlr = [0.1, 0.2, 0.1]", "a value twice"),
        ("[space]\nlr = {low = 0.1, high = 1.0, step = inf}", "step must be"),
        ("[space]\nlr = {low = 0.1, high = 1.0, step = 5}", "step must be"),
        ("[space]\nlr = {low = 0.1, high = 1.0, step = 'a'}", "step must be"),
        ("[space]\nlr = {low = 1, high = 5, step = true}", "step must be"),
        ("[flags]\nprofile = true\n[space]\nlr = [1, 2]", "take it out"),
        ("[space]\nlr = [[1], [2]]", "at least two values"),
        ("[flags]\nlr = 1\n[space]\nlr = [1, 2]", "in [flags] and in [space]"),
        ("[flags]\nlr = [1]\n[space]\nfc1 = [1, 2]", "must be one value"),
        ("[space]\nlog_dir = ['a', 'b']", "take it out"),
        ("[space\n", "not a TOML file"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, text, says):
    path = tmp_path / "wrong.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        read_space(path)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_space_may_come_from_windows(tmp_path):
    path = tmp_path / "space.toml"
    path.write_bytes(b"\xef\xbb\xbf" + SPACE.replace("\n", "\r\n").encode())
    assert set(read_space(path).parameters) == {"optimizer", "fc1", "lr"}
    path.write_bytes(b"\xff\xfe\x00[")
    with pytest.raises(UserError, match="UTF-8"):
        read_space(path)


class Program:
    """Stands for the program that trains: it leaves a run folder, and tells the callbacks of each epoch."""

    def __init__(self, seconds=0.0, fails=False):
        self.seconds, self.fails = seconds, fails

    def __call__(self, flags):
        from lab_kit.experiment.trainer import _watching

        settings = dict(flag.removeprefix("--").split("=", 1) for flag in flags)
        if self.fails:
            raise UserError("The optimizer has gone.")
        folder = Path(settings["log_dir"]) / f"{os.getpid()}-{time.monotonic_ns()}"
        folder.mkdir(parents=True)
        (callback,) = _watching.get()
        trainer = type("Trainer", (), {"default_root_dir": folder, "max_epochs": int(settings["max_epochs"])})()
        trainer.should_stop = False
        callback.on_fit_start(trainer, None)
        value = float(settings["lr"])
        epochs = 0
        for epoch in range(trainer.max_epochs):
            time.sleep(self.seconds)
            trainer.current_epoch, trainer.callback_metrics = epoch, {"val_acc": value * (epoch + 1)}
            callback.on_train_epoch_end(trainer, None)
            epochs += 1
            if trainer.should_stop:
                break
        figures = {"val_acc": value * epochs, "epochs": epochs}
        (folder / "metrics.json").write_text(json.dumps(figures), encoding="utf-8")


def open_study(folder, text=None, pruner="none", storage=None):
    opened = study.open_study(folder, "test", storage, text or SPACE, "val_acc")
    opened.pruner = study.pruner(pruner, 3)
    return opened


def work(space, folder, trials, program=None, number=0, seed=1, pruner="none", sampler="random", storage=None):
    name = f"worker_{number}_{random.randrange(1 << 40):x}"
    if sampler == "grid":
        study.put_grid(open_study(folder), space.grid(), folder)
    worker = Worker(program or Program(), space, folder, "val_acc", trials, sampler, seed, number, name)
    worker.work(open_study(folder, pruner=pruner, storage=storage))


@pytest.fixture(autouse=True)
def _quiet_optuna():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def test_each_trial_is_a_run_folder_and_the_best_is_found(space, tmp_path):
    work(space, tmp_path / "sweep", 6)
    done = study.finished(open_study(tmp_path / "sweep"))
    assert [trial.number for trial in done] == list(range(6))
    for trial in done:
        figures = json.loads((Path(trial.user_attrs["run"]) / "metrics.json").read_text(encoding="utf-8"))
        assert figures["val_acc"] == trial.value == pytest.approx(3 * trial.params["lr"])
    best = study.best(open_study(tmp_path / "sweep"))
    assert best.params["lr"] == max(trial.params["lr"] for trial in done)


def test_a_sweep_goes_on_with_other_settings_than_it_began_with(space, tmp_path):
    work(space, tmp_path / "sweep", 3)
    work(space, tmp_path / "sweep", 6)
    rates = [trial.params["lr"] for trial in study.finished(open_study(tmp_path / "sweep"))]
    assert len(rates) == len(set(rates)) == 6


def test_the_same_seed_tries_the_same(space, tmp_path):
    for name in ("a", "b"):
        work(space, tmp_path / name, 4)
    a, b = ([trial.params for trial in study.finished(open_study(tmp_path / name))] for name in ("a", "b"))
    assert a == b


def test_a_grid_tries_everything_once(tmp_path):
    text = "[flags]\nmax_epochs = 1\n[space]\nlr = [0.1, 0.2, 0.3]\nseed = {low = 1, high = 4}\n"
    (tmp_path / "space.toml").write_text(text, encoding="utf-8")
    space = read_space(tmp_path / "space.toml")
    assert space.size() == 12
    work(space, tmp_path / "sweep", 5, sampler="grid")
    work(space, tmp_path / "sweep", 12, sampler="grid")
    tried = sorted(
        (trial.params["lr"], trial.params["seed"]) for trial in study.finished(open_study(tmp_path / "sweep"))
    )
    assert tried == [(lr, seed) for lr in (0.1, 0.2, 0.3) for seed in (1, 2, 3, 4)]


@pytest.mark.parametrize(
    ("entry", "values"),
    [
        ("{low = 0.0, high = 0.3, step = 0.1}", [0.0, 0.1, 0.2, 0.3]),
        ("{low = 0, high = 1.0, step = 0.1}", [place / 10 for place in range(11)]),
        ("{low = 0.0, high = 0.5, step = 0.2}", [0.0, 0.2, 0.4]),
        ("{low = 1, high = 7, step = 3}", [1, 4, 7]),
    ],
)
def test_a_grid_has_every_step(tmp_path, entry, values):
    (tmp_path / "space.toml").write_text(f"[space]\nlr = {entry}\n", encoding="utf-8")
    assert [setting["lr"] for setting in read_space(tmp_path / "space.toml").grid()] == values


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows cannot copy a process")
def test_processes_share_a_grid_without_trying_anything_twice(tmp_path):
    text = "[flags]\nmax_epochs = 1\n[space]\nlr = [0.1, 0.2]\nseed = [1, 2, 3, 4, 5]\n"
    (tmp_path / "space.toml").write_text(text, encoding="utf-8")
    space, folder = read_space(tmp_path / "space.toml"), tmp_path / "sweep"
    open_study(folder)
    children = [forked(lambda n=n: work(space, folder, 10, Program(0.02), n, sampler="grid")) for n in range(4)]
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 4
    tried = sorted((trial.params["lr"], trial.params["seed"]) for trial in study.finished(open_study(folder)))
    assert tried == [(lr, seed) for lr in (0.1, 0.2) for seed in (1, 2, 3, 4, 5)]


def test_another_figure_needs_another_name(tmp_path):
    open_study(tmp_path)
    with pytest.raises(UserError, match="begun with --by val_acc"):
        study.open_study(tmp_path, "test", None, SPACE, "test_acc")


class Broken(Program):
    """Fails with an error for some settings."""

    def __init__(self, error, when=lambda lr: True):
        super().__init__()
        self.error, self.when = error, when

    def __call__(self, flags):
        lr = float(next(flag for flag in flags if flag.startswith("--lr=")).partition("=")[2])
        if self.when(lr):
            raise self.error
        super().__call__(flags)


@pytest.mark.parametrize(
    "error", [MemoryError("too large"), RuntimeError("shapes"), KeyError("x"), UserError("no")], ids=repr
)
def test_what_a_trial_fails_of_is_kept_and_the_others_go_on(space, tmp_path, error):
    work(space, tmp_path, 8, Broken(error, lambda lr: lr > 0.005))
    done = study.finished(open_study(tmp_path))
    failed = [trial for trial in done if trial.state == TrialState.FAIL]
    assert len(done) == 8
    assert {trial.number for trial in failed} == {trial.number for trial in done if trial.params["lr"] > 0.005}
    assert failed
    assert all(trial.user_attrs["error"] for trial in failed)


def test_a_full_disk_ends_the_sweep_and_its_trial_is_tried_again(space, tmp_path):
    full = OSError(28, "No space left on device", "curves.png")
    with pytest.raises(UserError, match="No space left on device"):
        work(space, tmp_path, 3, Broken(full))
    opened = open_study(tmp_path)
    assert study.finished(opened) == []
    (lost,) = [trial for trial in opened.get_trials() if trial.state == TrialState.FAIL]
    work(space, tmp_path, 1)
    (again,) = study.finished(open_study(tmp_path))
    assert again.params == lost.params


def test_a_figure_that_runs_do_not_have_ends_the_sweep_at_once(space, tmp_path):
    opened = study.open_study(tmp_path, "test", None, SPACE, "val_ac")
    worker = Worker(Program(), space, tmp_path, "val_ac", 3, "random", 1, 0, "one")
    with pytest.raises(UserError, match="Did you mean 'val_acc'"):
        worker.work(opened)
    assert study.finished(opened) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows cannot copy a process")
def test_settings_that_kill_their_process_are_given_up(space, tmp_path):
    class Deadly(Program):
        def __call__(self, flags):
            os.kill(os.getpid(), signal.SIGKILL)

    opened = open_study(tmp_path)
    opened.enqueue_trial({"optimizer": "SGD", "fc1": 16, "lr": 0.01})
    for _ in range(study.MOST_TRIES):
        os.waitpid(forked(lambda: work(space, tmp_path, 1, Deadly())), 0)
    work(space, tmp_path, 2)
    done = study.finished(open_study(tmp_path))
    assert [trial.state for trial in done] == [TrialState.FAIL, TrialState.COMPLETE]
    assert done[0].params == {"optimizer": "SGD", "fc1": 16, "lr": 0.01}
    assert done[1].params != done[0].params


def test_a_grid_without_end_is_refused(space):
    with pytest.raises(UserError, match="a grid of lr has no end"):
        space.size()


def test_hopeless_trials_end_early(space, tmp_path):
    work(space, tmp_path / "sweep", 12, pruner="asha")
    done = study.finished(open_study(tmp_path / "sweep"))
    pruned = [trial for trial in done if trial.state == TrialState.PRUNED]
    assert len(done) == 12
    assert len(pruned) >= 5
    assert sum(report.epochs(done).values()) <= 22 < 3 * 12
    assert study.best(open_study(tmp_path / "sweep")).params["lr"] == max(trial.params["lr"] for trial in done)


def test_the_same_trials_are_pruned_as_by_hand():
    """Successive halving with a third: of the first epochs that are known, the best third goes on."""
    a_study = optuna.create_study(direction="maximize", pruner=study.pruner("asha", 9))
    seen, values = [], random.Random(0).sample(range(100), 12)
    for value in values:
        trial = a_study.ask()
        trial.report(value, 1)
        seen.append(value)
        rank = sorted(seen, reverse=True).index(value)
        assert trial.should_prune() == (rank >= max(1, len(seen) // 3)), (value, seen)


def test_trials_that_cannot_be_trained_are_said_and_count(space, tmp_path):
    with pytest.raises(UserError, match="The optimizer has gone"):
        work(space, tmp_path / "sweep", 9, Program(fails=True))
    assert len(study.finished(open_study(tmp_path / "sweep"))) == 3


def test_another_space_needs_another_name(tmp_path):
    open_study(tmp_path)
    with pytest.raises(UserError, match="another search space"):
        open_study(tmp_path, text=SPACE + "\n# more")


def test_a_half_written_line_is_cut_off_and_nothing_else_is_lost(space, tmp_path):
    folder = tmp_path / "sweep"
    work(space, folder, 3)
    journal = folder / study.JOURNAL
    whole = journal.read_bytes()
    for torn in (b'{"op_code":4,"wor', b"\x00\x00", whole.splitlines()[-1]):
        journal.write_bytes(whole + torn)
        work(space, folder, len(study.finished(open_study(folder))) + 1)
        whole = journal.read_bytes()
        assert all(json.loads(line) for line in whole.splitlines())
    assert [trial.number for trial in study.finished(open_study(folder))] == list(range(6))


def forked(action):
    child = os.fork()
    if child == 0:
        code = 1
        try:
            action()
            code = 0
        finally:
            os._exit(code)
    return child


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows cannot copy a process")
def test_processes_share_the_trials(space, tmp_path):
    folder = tmp_path / "sweep"
    open_study(folder)
    children = [forked(lambda number=n: work(space, folder, 12, Program(0.01), number)) for n in range(3)]
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    done = study.finished(open_study(folder))
    assert codes == [0, 0, 0]
    assert len(done) == 12
    assert len({trial.user_attrs["worker"] for trial in done}) == 3
    assert len({json.dumps(trial.params, sort_keys=True) for trial in done}) == 12


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows cannot copy a process")
def test_a_killed_process_loses_its_trial_and_no_other(space, tmp_path, monkeypatch):
    monkeypatch.setattr(study, "BEGINNING_S", 1)
    folder, chance, deaths = tmp_path / "sweep", random.Random(0), 0
    open_study(folder)
    before = []
    for _ in range(10):
        child = forked(lambda: work(space, folder, 400, Program(0.01)))
        time.sleep(chance.uniform(0.02, 0.4))
        os.kill(child, signal.SIGKILL)
        deaths += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        now = [(trial.number, trial.value) for trial in study.finished(open_study(folder))]
        assert now[: len(before)] == before
        before = now
    assert deaths >= 8
    wanted = len(before) + 5
    work(space, folder, wanted, Program(0.0))
    opened = open_study(folder)
    done = study.finished(opened)
    assert len(done) == wanted
    assert not opened.get_trials(states=[TrialState.RUNNING])
    lost = [
        trial.params for trial in opened.get_trials(deepcopy=False) if trial.state == TrialState.FAIL and trial.params
    ]
    tried = [trial.params for trial in done]
    assert sum(params in tried for params in lost) >= min(len(lost), 5) - 1  # they are the first to be tried again


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows cannot copy a process")
def test_a_database_is_shared_and_loses_nothing_either(space, tmp_path, monkeypatch):
    require("psycopg", importlib.util.find_spec("psycopg") and "psycopg")
    monkeypatch.setattr(study, "HEARTBEAT_S", 1)
    monkeypatch.setattr(study, "GRACE_S", 4)
    monkeypatch.setattr(study, "BEGINNING_S", 2)
    chance, before = random.Random(1), []
    with postgres.server() as address:
        machines = [tmp_path / "machine a", tmp_path / "machine b"]  # they share nothing but the database
        open_study(machines[0], storage=address)
        for round_ in range(10):
            child = forked(lambda r=round_: work(space, machines[r % 2], 60, Program(0.02), storage=address))
            time.sleep(chance.uniform(0.1, 0.6))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            now = [(trial.number, trial.value) for trial in study.finished(open_study(tmp_path, storage=address))]
            assert now[: len(before)] == before
            before = now
        silent = open_study(machines[0], storage=address).ask()  # killed at once, before Optuna's thread says a word
        study.claim(silent, "killed")
        wanted = len(before) + 6
        children = [
            forked(lambda n=n: work(space, machines[n], wanted, Program(0.01), n, storage=address)) for n in range(2)
        ]
        assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0]
        opened = open_study(tmp_path, storage=address)
        done = study.finished(opened)
        assert len(done) == wanted
        assert [(trial.number, trial.value) for trial in done][: len(before)] == before
        assert not opened.get_trials(states=[TrialState.RUNNING])
        assert len({trial.user_attrs["worker"] for trial in done[len(before) :]}) == 2


@pytest.mark.parametrize("address", ["postgresql://nobody:secret@127.0.0.1:9/none", "mysql://x/y", "nonsense"])
def test_a_database_that_is_not_there_is_said_without_its_password(tmp_path, address):
    with pytest.raises(UserError) as caught:
        open_study(tmp_path, storage=address)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_sweep_from_the_command_line(small_mnist, tmp_path, monkeypatch):
    (tmp_path / "space.toml").write_text(
        '[flags]\ndata_class = "MNIST"\nmodel_class = "MLP"\nmax_epochs = 1\nfc2 = 16\nlimit_train_batches = 4\n'
        "[space]\nlr = {low = 1e-4, high = 1e-1, log = true}\nfc1 = [16, 32]\n",
        encoding="utf-8",
    )
    command = [sys.executable, str(ROOT / "training" / "sweep.py"), "space.toml", "--folder", "sweeps"]
    done = subprocess.run(
        [*command, "--trials", "3", "--workers", "2"], cwd=tmp_path, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("val_acc") >= 3, done.stderr
    assert "the best so far" in done.stderr
    assert (tmp_path / "sweeps" / "space" / "sweep.png").read_bytes().startswith(b"\x89PNG")
    runs = sorted((tmp_path / "sweeps" / "space" / "trials" / "MNIST-MLP").iterdir())
    assert len(runs) == 3
    assert all((run / "metrics.json").is_file() for run in runs)
    # What follows trains nothing, so it needs no process of its own.
    monkeypatch.chdir(tmp_path)
    sweep(Path("space.toml"), trials=3, folder=Path("sweeps"))
    assert len(list((tmp_path / "sweeps" / "space" / "trials" / "MNIST-MLP").iterdir())) == 3
    (tmp_path / "space.toml").write_text("[space]\nlearning_rate = [1, 2]\n", encoding="utf-8")
    with pytest.raises(UserError, match="learning_rate"):
        sweep(Path("space.toml"))
