"""A student's own classes: each gets exactly its flags, and what cannot be a flag is one line that says where."""

import importlib
import json
import os
import re
import shlex
import subprocess
import sys
from types import ModuleType

import pytest
from test_readmes import DRIVER

from curriculum import manifest, snapshot
from lab_kit.errors import UserError
from lab_kit.experiment import cli
from lab_kit.experiment.registry import Packages
from lab_kit.paths import project_root
from text_recognizer import data, lit_models, models
from training.run_experiment import Run, make_model

ROOT = project_root()
OWN = {  # what a student's packages start with, and what they have besides
    "data": ("from text_recognizer.data import MNIST, BaseDataModule, DataConfig", ["MNIST", "BaseDataModule"]),
    "models": ("import torch\nfrom torch import nn\nfrom text_recognizer.models import CNN, MLP", ["MLP", "CNN"]),
}


@pytest.fixture
def parse(tmp_path, monkeypatch):
    """Return a function that parses flags where a student has written `own.py` in packages of data and models."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)

    def parse(*arguments: str, data: str = "", models: str = "", exported: list[str] | None = None) -> cli.Config:
        packages = []
        for kind, text in {"data": data, "models": models}.items():
            start, given = OWN[kind]
            folder = tmp_path / f"own_{kind}"
            folder.mkdir()
            names = [*given, *(re.findall(r"^class (\w+)", text, re.MULTILINE) if exported is None else exported)]
            (folder / "own.py").write_text(f"{start}\n{text}\n")
            (folder / "__init__.py").write_text(f"from own_{kind}.own import *\n__all__ = {names}\n")
            for module in (folder.name, f"{folder.name}.own"):
                sys.modules.pop(module, None)
            packages.append(importlib.import_module(folder.name))
        return cli.parse(arguments, Run, Packages(*packages, lit_models))

    return parse


def net(signature: str, body: str = "super().__init__(data_config)", base: str = "MLP") -> str:
    return f"class Net({base}):\n    def __init__(self, {signature}):\n        {body}\n"


def dataset(signature: str, body: str = "super().__init__(**kwargs)") -> str:
    return f"class Data(MNIST):\n    def __init__(self, {signature}):\n        {body}\n"


PASSED_ON = "super().__init__(data_config, **kwargs)"
MIDDLE = net("data_config, b: int = 1, **kwargs", PASSED_ON).replace("Net", "Mid")


@pytest.mark.parametrize(
    ("models", "flags", "settings"),
    [
        (net("data_config, width: int = 4"), ["--width", "8"], {"width": 8}),
        (net("data_config, *, width=4"), ["--width", "8"], {"width": 8}),
        (net("data_config, *, width=4"), [], {"width": 4}),
        (net("data_config, rate=0.5, deep=False"), ["--rate", "1", "--deep"], {"rate": 1.0, "deep": True}),
        (net("data_config, b=1, **kwargs", PASSED_ON), ["--b", "3"], {"b": 3, "fc1": 1024, "fc2": 128}),
        (net("data_config, width: int"), ["--width", "8"], {"width": 8}),
        (net("data_config, model: str = 'a'"), ["--model", "b"], {"model": "b"}),
        (net("data_config, clone: int = 1, items: int = 2, get: int = 3"), [], {"clone": 1, "items": 2, "get": 3}),
        (net("data_config, extra: int = 1, **kwargs", PASSED_ON), ["--fc1", "8"], {"extra": 1, "fc1": 8}),
        (net("*args, **kwargs", "super().__init__(*args, **kwargs)"), ["--fc1", "8"], {"fc1": 8, "fc2": 128}),
        (net("data_config, **kwargs", "super().__init__(data_config, 9, **kwargs)"), [], {"fc2": 128}),
        (net("data_config, **kwargs", "super().__init__(data_config, fc2=9, **kwargs)"), [], {"fc1": 1024}),
        (net("data_config, **kwargs"), [], {}),
        (net("data_config, **kwargs", "width = kwargs.pop('width', 3)"), ["--width", "8"], {"width": 8}),
        (net("data_config, **kwargs", "width = kwargs.pop('width', len('abc'))"), [], {}),
        (net("data_config, **kwargs", "build(**kwargs)") + "def build(deep: int = 2): ...", [], {"deep": 2}),
        (MIDDLE + net("data_config, **kwargs", PASSED_ON, "Mid"), ["--b", "3"], {"b": 3, "fc1": 1024, "fc2": 128}),
        ("class Net(MLP): ...", ["--fc1", "8"], {"fc1": 8, "fc2": 128}),
    ],
)  # fmt: skip
def test_a_class_is_given_exactly_its_flags(parse, models, flags, settings):
    config = parse("--model_class", "Net", *flags, models=models)
    given = config.kwargs_for(config.model_class)
    assert given == settings | ({"fc2": 128} if "extra" in settings else {})
    assert [line for line in settings if f"{line}: " not in config.yaml] == []


def test_a_parameter_without_a_type_has_that_of_its_default_in_the_help(parse, capsys):
    with pytest.raises(SystemExit):
        parse("--model_class", "Net", "--help", models=net("data_config, width=4, rate=0.5, deep=True, name='a'"))
    text = " ".join(capsys.readouterr().out.split())
    for name, kind in {"width WIDTH": "int", "rate RATE": "float", "name NAME": "str"}.items():
        assert f"--{name} (type: {kind}, default: " in text
    assert "--deep [DEEP] (type: bool, default: True)" in text
    assert "Untyped" not in text


def test_the_flags_arrive(parse):
    """The batch size and the layers of parents, given through `**kwargs`, are those of the run."""
    config = parse(
        "--data_class", "Data", "--model_class", "Net", "--batch_size", "32", "--fc1", "8",
        data=dataset("extra: int = 1, **kwargs"), models=net("data_config, **kwargs", PASSED_ON),
    )  # fmt: skip
    data = config.data_class(**config.kwargs_for(config.data_class))
    model = make_model(config, Run(**config.kwargs_for(Run)), data.config())
    assert data.batch_size == 32
    assert model.model.layers[1].out_features == 8


OTHERS = "is a flag of MLP, not of the data, model and loss that were chosen"
REFUSED = {  # what a student has written, the flags, and what the one line says
    "kwargs that are not passed on": (net("data_config, **kwargs"), ["--fc1", "8"], f"--fc1 {OTHERS}"),
    "what the class gives itself": (
        net("data_config, **kwargs", "super().__init__(data_config, fc1=9, **kwargs)"),
        ["--fc1", "8"],
        f"--fc1 {OTHERS}",
    ),
    "a flag of another class": (net("data_config"), ["--fc1", "8"], f"--fc1 {OTHERS}"),
    "changed kwargs": (
        net("data_config, **kwargs", f"kwargs['fc1'] = 9; {PASSED_ON}"),
        [],
        "Net (own_models/own.py) changes its **kwargs",
    ),
    "kwargs with defaults": (
        net("data_config, **kwargs", f"kwargs.setdefault('fc1', 9); {PASSED_ON}"),
        [],
        "Net (own_models/own.py) changes its **kwargs",
    ),
    "kwargs rebound": (
        net("data_config, **kwargs", "kwargs = {'fc1': 9} | kwargs; " + PASSED_ON),
        [],
        "Net (own_models/own.py) changes its **kwargs",
    ),
    "kwargs thrown away": (
        net("data_config, **kwargs", "kwargs.pop('fc1', 0); " + PASSED_ON),
        [],
        "Net (own_models/own.py) changes its **kwargs",
    ),
    "passed on in one case only": (
        net("data_config, wide: bool = False, **kwargs",
            f"super().__init__(data_config) if wide else {PASSED_ON}"),
        [],
        "Net (own_models/own.py) changes its **kwargs",
    ),
    "a copy passed on": (
        net("data_config, **kwargs", "opts = dict(kwargs); super().__init__(data_config, **opts)"),
        [],
        "Net (own_models/own.py) changes its **kwargs",
    ),
    "changed in the middle": (
        MIDDLE.replace("super", "kwargs['fc1'] = 9; super") + "class Net(Mid): ...",
        [],
        "Mid (own_models/own.py) changes its **kwargs",
    ),
    "seed": (net("data_config, seed: int = 1"), [], "both have a parameter seed: rename the one that is your own."),
    "lr": (net("data_config, lr: float = 1"), [], "Net (own_models/own.py) both have a parameter lr"),
    "config": (net("data_config, config: str = ''"), [], "Net (own_models/own.py) and the command line itself"),
    "help": (net("data_config, help: str = ''"), [], "both have a parameter help"),
    "devices": (net("data_config, devices: int = 1"), [], "Lightning's Trainer and Net (own_models/own.py) both"),
    "max_epochs": (net("data_config, max_epochs: int = 1"), [], "both have a parameter max_epochs"),
    "another name for data_config": (
        net("config, width: int = 3"),
        [],
        "Net (own_models/own.py) must begin with the parameter data_config, not with config.",
    ),
    "no data_config": (
        net("", "super().__init__()", "nn.Module"),
        [],
        "Net (own_models/own.py) must begin with the parameter data_config, not with nothing.",
    ),
    "untyped and mandatory": (
        net("data_config, width"),
        [],
        "Parameter width of Net (own_models/own.py) has neither a type nor a default",
    ),
    "untyped in the middle": (
        net("data_config, b, **kwargs").replace("Net", "Mid") + net("data_config, **kwargs", PASSED_ON, "Mid"),
        [],
        "The parameters of Net (own_models/own.py) cannot become flags",
    ),
    "untyped and None": (
        net("data_config, width=None"),
        [],
        "Parameter width of Net (own_models/own.py) has no type, and None as its default says nothing of it: write, ",
    ),
    "untyped, and not what its default is": (
        net("data_config, width=3"),
        ["--width", "3.5"],
        "--width must be a whole number, not '3.5'.",
    ),
    "mandatory": (
        net("data_config, width: int"),
        [],
        "--width must be given: Net (own_models/own.py) has no default for it.",
    ),
    "by place only": (
        net("data_config, width: int = 1, /"),
        [],
        "Parameter width of Net (own_models/own.py) cannot be given by its name: remove the '/'.",
    ),
    "an object": (
        net("data_config, relu: nn.Module = nn.ReLU()"),
        [],
        "--relu of Net (own_models/own.py) cannot be a flag, because its value is an object.",
    ),
    "an untyped object": (net("data_config, relu=nn.ReLU()"), [], "--relu of Net (own_models/own.py) cannot be"),
    "a function as default": (net("data_config, relu=lambda x: x"), [], "--relu of Net (own_models/own.py) cannot"),
    "not a network": ("class Net: ...", [], "Net (own_models/own.py) is neither a LightningDataModule nor"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_a_flag_of_a_network_is_one_line_that_says_where(parse, name):
    models, flags, message = REFUSED[name]
    with pytest.raises(UserError) as error:
        parse("--model_class", "Net", *flags, models=models)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("data", "flags", "message"),
    [
        (dataset("seed: int = 1, **kwargs", "super().__init__(seed=seed)"), ["--batch_size", "3"], "--batch_size is"),
        (dataset("batch_size: int = 8", "super().__init__(batch_size)"), [], "Data (own_data/own.py) has no parameter"),
        (dataset("lr: float = 1, **kwargs"), [], "Data (own_data/own.py) both have a parameter lr"),
        (dataset("config: str = '', **kwargs"), [], "Data (own_data/own.py) and the command line itself both have"),
        (dataset("folder, **kwargs"), [], "Parameter folder of Data (own_data/own.py) has neither a type"),
        (dataset("fc1: int = 1, **kwargs"), [], "Data (own_data/own.py) both have a parameter fc1"),
        (dataset("seed='abc', **kwargs"), [], "--seed must be a whole number from 0 to 4294967295, not abc."),
        ("class Data(BaseDataModule): task = 'video'", [], "There is no way yet to learn from pictures of a video"),
        (
            "import pytorch_lightning as pl\nclass Data(pl.LightningDataModule): ...",
            [],
            "Data (own_data/own.py) is not derived from BaseDataModule, as a --data_class must be.",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_a_flag_of_a_dataset_is_one_line_that_says_where(parse, data, flags, message):
    with pytest.raises(UserError) as error:
        parse("--data_class", "Data", *flags, data=data)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


NET = net("data_config")


@pytest.mark.parametrize(
    ("models", "exported", "message"),
    [
        (NET, [], "Net (own_models/own.py) is not in __all__ of own_models/__init__.py: add it there."),
        ("", ["Net"], "own_models/__init__.py has it in __all__, but does not import it."),
        (
            "def Net(data_config): ...",
            ["Net"],
            "it is no class, but a thing of type function: Net (own_models/own.py).",
        ),
        ("Net = CNN", ["Net"], "it is another name for CNN (text_recognizer/models/cnn.py): use the class's own name."),
        ("Net = 3", ["Net"], "it is no class, but a thing of type int: 3."),
        (
            "__all__ = []\n" + NET,
            [],
            "own_models/own.py has such a class: import it in own_models/__init__.py, and add",
        ),
    ],
)
def test_a_class_that_is_not_made_known_is_one_line_that_says_where(parse, models, exported, message, monkeypatch):
    with pytest.raises(UserError) as error:
        parse("--model_class", "Net", models=models, exported=exported)
    assert message in str(error.value).replace(f"{ROOT}/", "")
    assert str(error.value).startswith("There is no --model_class 'Net'. ")


def test_what_else_a_package_exports_is_in_nobodys_way(parse):
    config = parse(
        "--model_class", "CNN", models="def helper(): ...\nSIZE = 3\nOther = MLP", exported=["helper", "SIZE"]
    )
    assert config.model_class.__name__ == "CNN"


def test_a_way_of_learning_of_ones_own_is_found_by_its_loss_and_needs_its_learning_rates():
    package = ModuleType("own_lit")

    def helper(): ...

    class Patient(lit_models.BaseLitModel):
        own_loss = "patient"

        def __init__(self, model, data_config, patience: int = 3, **kwargs):
            super().__init__(model, data_config, **kwargs)

    class Bare(lit_models.BaseLitModel):
        own_loss = "bare"

        def __init__(self, model, data_config):
            super().__init__(model, data_config)

    vars(package).update(helper=helper, Patient=Patient, Bare=Bare, BaseLitModel=lit_models.BaseLitModel)
    package.__all__ = ["helper", "Patient", "Bare", "BaseLitModel"]
    packages = Packages(data, models, package)
    config = cli.parse(["--loss", "patient", "--patience", "5", "--lr", "0.5"], Run, packages)
    assert config.lit_class is Patient
    assert config.kwargs_for(Patient) == {
        "patience": 5, "lr": 0.5, "loss": "patient", "optimizer": "Adam", "one_cycle_max_lr": None,
        "label_smoothing": 0.0,
    }  # fmt: skip
    with pytest.raises(UserError, match=r"Bare \(.*test_own_classes.py\) has no parameter lr, which every run needs"):
        cli.parse(["--loss", "bare"], Run, packages)


def test_a_flag_that_reaches_nobody_is_refused_in_a_config_file_too(parse, tmp_path):
    (tmp_path / "config.yaml").write_text("model_class: Net\nfc1: 8\n")
    with pytest.raises(UserError, match="'fc1' is not a setting"):
        parse("--config", "config.yaml", models=net("data_config, **kwargs"))


def test_the_page_about_own_classes_can_be_followed_in_the_first_lab(tmp_path, data_root):
    course = manifest.load(ROOT)
    snapshot.build(course, tmp_path)
    lab, page = tmp_path / "lab1", (ROOT / "docs" / "own_classes.md").read_text(encoding="utf-8")
    steps = re.findall(r"(Save this as|append this to)\s+`([\w/]+\.py)`:\n\n```python\n(.*?)```", page, re.DOTALL)
    assert len(steps) == page.count("```python") == 4
    for how, file, code in steps:
        with (lab / file).open("w" if how == "Save this as" else "a", encoding="utf-8") as opened:
            opened.write(code)
    train, show = re.findall(r"^python (.*)$", page, re.MULTILINE)
    short = ["--max_epochs", "1", "--limit_train_batches", "4"]
    commands = [shlex.split(train) + short, shlex.split(show)]
    done = subprocess.run(
        [sys.executable, "-c", DRIVER],
        input=json.dumps(commands), cwd=lab, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": ""},
    )  # fmt: skip
    (code, trained), (_, shown) = json.loads(done.stdout.partition("RESULTS")[2])
    assert code == 0, trained
    assert "the brightest that the paper can be" in shown
    assert "neurons between the layers" in shown
    [folder] = lab.glob("training/logs/*/*")
    figures = json.loads((folder / "metrics.json").read_text())
    assert figures["source"] == "made by Shapes"
    assert figures["parameters"] == 784 * 32 + 32 + 32 * 3 + 3
    settings = (folder / "config.yaml").read_text()
    assert "grain: 120" in settings
    assert "batch_size: 32" in settings
    assert not list(data_root.iterdir())  # and nothing was downloaded
