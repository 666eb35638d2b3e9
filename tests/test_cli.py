"""The command line: what is wrong gets one line that says so."""

import os
import threading

import pytest

from lab_kit import flag_errors, program
from lab_kit.errors import UserError
from lab_kit.experiment import cli, other_labs
from lab_kit.flag_errors import OUR_NAMES
from training.run_experiment import PACKAGES, Run


def parse(*arguments):
    return cli.parse(arguments, Run, PACKAGES)


@pytest.fixture
def config(tmp_path):
    """Return a function that writes a config file and returns its path."""

    def write(content: str | bytes, name: str = "config.yaml") -> str:
        (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return str(tmp_path / name)

    return write


def test_no_arguments_mean_the_defaults():
    assert parse().settings.data_class == "MNIST"


def test_flags_win_over_config_files_and_later_files_over_earlier_ones(config):
    first = config("data_class: EMNIST\nmodel_class: CNN\nlr: 0.5", "first.yaml")
    second = config("model_class: MLP\nmax_epochs: 7", "second.yaml")
    config = parse("--data_class", "FashionMNIST", "--config", first, "--config", second)
    assert (config.data_class.__name__, config.model_class.__name__) == ("FashionMNIST", "MLP")
    assert config.settings.data_class == "FashionMNIST"
    assert (config.settings.lr, config.settings.max_epochs) == (0.5, 7)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])  # the last is what PowerShell's > writes
def test_a_config_file_is_read_in_the_encodings_of_all_systems(config, encoding):
    found = parse("--config", config("max_epochs: 7\r\nlog_dir: /tmp/Läufe\r\n".encode(encoding)))
    assert found.settings.max_epochs == 7
    assert found.settings.log_dir.endswith("Läufe")


def test_a_config_file_may_be_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_text, args=["max_epochs: 7\nmodel_class: MLP\n"])
    writer.start()
    assert parse("--config", str(tmp_path / "pipe")).settings.max_epochs == 7
    writer.join()


def test_paths_in_a_config_file_are_relative_to_the_working_directory_as_flags_are(config, tmp_path, monkeypatch):
    file = config("data_class: ImageFolder\nmodel_class: TransferNet\nfolder: pictures\nlog_dir: logs\n")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    settings = parse("--config", file).settings
    assert settings.folder == str(tmp_path / "elsewhere" / "pictures")
    assert settings.log_dir == str(tmp_path / "elsewhere" / "logs")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data_class", ""], "There is no --data_class ''"),
        (["", ""], "'' does not belong to any flag."),
        (["--", "EMNIST"], "There is no flag --. All flags: "),
        (["--config"], "--config needs a value"),
        (["--config="], "--config needs a value"),
        (["--config", "nowhere.yaml"], "Cannot read --config nowhere.yaml: No such file"),
        (["--config", "/"], "Cannot read --config /: Is a directory"),
        (["--config", "a\0b"], "--config a\0b is not a YAML file"),
        (["--config", "/dev/zero"], "is too long to be a file of flags"),
        (["--log_dir", "a\0b"], "--log_dir is not a path: embedded null byte"),
        (["--lr", "1" * 5000], "--lr must be a number"),
        (["--lr", "0x" + "f" * 4000], "too large"),
    ],
)
def test_an_impossible_argument_is_one_clear_line(arguments, message):
    with pytest.raises(UserError) as error:
        parse(*arguments)
    assert message in str(error.value)


OTHER_NAMES = {
    "lr": ["learning_rate", "learning-rate", "LR"],
    "max_epochs": ["epochs", "num_epochs", "n_epochs", "max-epochs"],
    "batch_size": ["bs", "batch", "batch-size"],
    "num_workers": ["workers", "num-workers"],
    "gpus": ["num_gpus", "gpu"],
    "data_class": ["dataset", "data"],
    "model_class": ["model", "net"],
    "stop_early": ["patience", "early_stopping"],
    "log_dir": ["output_dir"],
}
NEAR = {"gups": "gpus", "sedd": "seed", "batchsize": "batch_size", "max_epoch": "max_epochs", "optimiser": "optimizer"}
FAR = ["dropout", "fc3", "wd", "momentum", "hidden", "verbose", "shuffle", "temperature", "tags", "x", "-"]


@pytest.mark.parametrize(("ours", "other"), [(ours, other) for ours, names in OTHER_NAMES.items() for other in names])
def test_what_a_flag_is_called_elsewhere_leads_to_it(config, ours, other):
    with pytest.raises(UserError, match=f"^There is no flag --{other}: it is called --{ours} here"):
        parse(f"--{other}", "1")
    with pytest.raises(UserError, match=f"^'{other}' is not a setting: it is called {ours} here"):
        parse("--config", config(f"max_epochs: 1\n{other}: 1"))


@pytest.mark.parametrize(("wrong", "right"), NEAR.items())
def test_a_misspelt_flag_is_recognised(wrong, right):
    with pytest.raises(UserError, match=f"There is no flag --{wrong}. Did you mean '--{right}'?"):
        parse(f"--{wrong}=1")


def test_no_before_a_flag_is_false_behind_it():
    with pytest.raises(UserError, match=r"^There is no flag --no-tune: write --tune false\. All flags:"):
        parse("--no-tune")
    with pytest.raises(UserError, match=r"^There is no flag --no-gpus\. Did you mean '--gpus'\?"):
        parse("--no-gpus")
    with pytest.raises(UserError, match=r"^--tune must be true or false, not 'null'\."):
        parse("--tune", "null")


@pytest.mark.parametrize("name", FAR)
def test_where_nothing_is_near_nothing_is_suggested(name, monkeypatch, tmp_path):
    monkeypatch.setattr(other_labs, "project_root", lambda: tmp_path)  # in a lab, homework may have just this flag
    with pytest.raises(UserError, match=f"^There is no flag --{name}. All flags: run_experiment.py --help$"):
        parse(f"--{name}", "1")


def test_names_of_elsewhere_lead_only_to_flags_that_there_are():
    assert set(OUR_NAMES.values()) - {"weight_decay"} <= set(vars(parse("--model_class", "MLP").settings)) | {"config"}
    assert len(OUR_NAMES) == sum(map(len, flag_errors.OTHER_NAMES.values()))  # and each to one alone


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds no settings"),
        ("- lr", "holds no settings"),
        ("1: 2", "holds no settings"),
        ("lr: [1", "is not a YAML file"),
        ("lr:", "gives no value for lr"),
        ("max_epochs: 1\nlr:", "--lr of BaseLitModel (text_recognizer/lit_models/base.py) has no value"),
        *(
            (f"seed: 1\n{name}: null", f"--{name} of ")
            for name in (
                "max_epochs",
                "fc1",
                "batch_size",
                "num_workers",
                "optimizer",
                "loss",
                "source",
                "max_steps",
                "overfit_batches",
                "tune",
                "augment",
            )
        ),
        (b"\xff\xfe", "holds no settings"),
        (b"\xff\xfe\x00", "is not a YAML file"),
        (b"lr: \xff", "is not a YAML file: it is not text"),
        ("max_epochs: 2001-99-99", "is not a YAML file: month must be in 1..12"),
        ("lr: " + "[" * 3000, "is not a YAML file"),
        ("lr: " + "1" * 5000, "is not a YAML file"),
        ("lr: 1\n" * 20_000, "is too long to be a file of flags"),
        ("max_epochs: !!int x", "is not a YAML file"),
        ("lr: !!python/object/apply:os.system [ls]", "is not a YAML file"),
        ("lrr: 1", "'lrr' is not a setting. Did you mean 'lr'?"),
        ("lr: {a: 1}", "--lr must be a number"),
        ("data_class: [MNIST]", "--data_class must be a word, not ['MNIST']"),
        ("lr: .nan", "--lr must be a number, not nan"),
        ("help: 1", "has a line 'help', which is not a setting"),
        ("lr.x: 1", "has a line 'lr.x', which is not a setting"),
        ('log_dir: "a\\0b"', "--log_dir is not a path: embedded null byte"),
    ],
)
def test_an_impossible_config_file_is_one_clear_line(config, content, message):
    with pytest.raises(UserError) as error:
        parse("--config", config(content))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_path_in_an_error_keeps_its_capitals(capsys):
    def tidy(folder: str) -> None:
        """Tidy up.

        Args:
            folder: which.
        """

    with pytest.raises(SystemExit, match="2"):
        program.run(tidy, ["/Data/Mine", "/Data/Of Somebody"])
    error = capsys.readouterr().err
    assert "/Data/Of Somebody" in error
    assert error.count("\n") == 1
