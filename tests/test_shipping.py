"""A model that is shipped: the same answers as in training, without the training code, or one clear line."""

import csv
import itertools
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file

from lab_kit.errors import UserError
from lab_kit.experiment import cli
from lab_kit.feedback.image_statistics import image_statistics
from lab_kit.handwriting import pen_set
from lab_kit.program import run as run_program
from text_recognizer import benchmark, export, predict
from text_recognizer.data import MNIST, EMNISTLines, IAMLines, ImageFolder, line_pictures
from text_recognizer.data.character_mapping import BLANK, MAPPING, SPECIAL_TOKENS, decode
from text_recognizer.lit_models import CTCLitModel, LineLitModel, TransformerLitModel
from text_recognizer.models import CRNN, FastCNN, LineCNN, LineCNNTransformer
from text_recognizer.recognizer import Recognizer
from text_recognizer.shipping import any_width, shipped_network
from text_recognizer.shipping.held_out import held_out
from text_recognizer.shipping.model_card import CARD, INT8, ONNX, WEIGHTS, ModelCard
from text_recognizer.shipping.read_logits import read_classes, read_lines, softmax
from training import load_run, run_experiment

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def small_data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data root of this module's tests, with a small stand-in."""
    root = tmp_path_factory.mktemp("data-root")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEXT_RECOGNIZER_DATA", str(root))
        patch.setattr(pen_set, "SIZES", {"train": 1_240, "val": 310, "test": 310})
        yield root


@pytest.fixture(autouse=True)
def same_data(small_data: Path, data_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEXT_RECOGNIZER_DATA", str(small_data))


@pytest.fixture(scope="module")
def digits(small_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run, exported into `shipped`."""
    logs = tmp_path_factory.mktemp("logs")
    flags = "--source pen --model_class CNN --conv_dim 4 --fc_dim 8 --max_epochs 2 --lr 0.01 --tune false --log_dir"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["run_experiment.py", *flags.split(), str(logs)])
        cli.run_program(run_experiment.main)
    run = logs / "MNIST-CNN" / "version_0"
    export.export(run, pictures=200)
    return run


def make_run(folder: Path, data, network, loss: str, kept: dict | None = None, /, **settings) -> Path:
    """Leave what a run leaves, with the weights that the network has."""
    names = {"data_class": type(data).__name__, "model_class": type(network).__name__, "loss": loss}
    about = {
        "format": 1, **names, "settings": yaml.safe_dump(names | settings),
        "mapping": list(data.config().mapping), "source": "made by a test",
    }  # fmt: skip
    weights = {f"model.{name}": value for name, value in network.state_dict().items()}
    content = {"hyper_parameters": about, "state_dict": weights, type(data).__name__: kept}
    path = folder / "checkpoints" / "best.ckpt"
    path.parent.mkdir(parents=True)
    torch.save(content, path)
    return folder


def written(capsys: pytest.CaptureFixture) -> str:
    return " ".join(capsys.readouterr().err.split())


# What was trained is what is shipped


def test_the_shipped_model_answers_as_the_trained_one(digits: Path) -> None:
    model = load_run.load(digits)
    inputs, texts = held_out(model.data, "test", 1_000)
    images, labels = model.data.splits["test"].__getitems__(range(len(inputs)))
    with torch.inference_mode():
        expected = model.model(images)
    assert texts == [str(label) for label in labels.tolist()]
    for backend, tolerance in (("torch", 1e-5), ("onnx", 1e-4)):
        shipped = Recognizer.load(digits / "shipped", backend)
        np.testing.assert_allclose(shipped.logits(inputs), expected, rtol=tolerance, atol=tolerance)
        for one in (0, 1, 7):  # whatever the size of the batch
            np.testing.assert_allclose(
                shipped.logits(inputs[one : one + 1]), expected[one : one + 1], rtol=1e-4, atol=1e-4
            )
    readings = Recognizer.load(digits / "shipped").read(inputs)
    probabilities, classes = expected.softmax(dim=1).sort(dim=1, descending=True)
    for reading, best, p in zip(readings, classes.tolist(), probabilities.tolist(), strict=True):
        assert [text for text, _ in reading.guesses] == [str(k) for k in best[:5]]
        assert [value for _, value in reading.guesses] == pytest.approx(p[:5], abs=1e-4)
        assert (reading.text, reading.confidence) == reading.guesses[0]


def test_eight_bits_read_nearly_the_same(digits: Path) -> None:
    card = ModelCard.read(digits / "shipped")
    assert card.checks["int8_error"] <= card.checks["onnx_error"] + 0.02
    assert (digits / "shipped" / INT8).stat().st_size < (digits / "shipped" / ONNX).stat().st_size


def test_the_card_says_what_the_run_was(digits: Path) -> None:
    card = ModelCard.read(digits / "shipped")
    metrics = json.loads((digits / "metrics.json").read_text())
    assert card.kind == "character"
    assert card.classes == card.choices == MNIST.classes
    assert card.figures == {name: value for name, value in metrics.items() if name.endswith("_acc")}
    assert card.source == metrics["source"]
    assert card.preprocessing["layout"] == "mass"
    assert card.checks["pictures"] == 200
    assert card.checks["difference"] < 1e-4
    assert sorted(path.name for path in (digits / "shipped").iterdir()) == sorted([CARD, WEIGHTS, ONNX, INT8])
    assert card.reference.count == 310
    assert sum(card.reference.classes.values()) == 310
    for name, shares in card.reference.histograms.items():
        assert sum(shares) == pytest.approx(1)
        assert len(card.reference.edges[name]) == len(shares) + 1


def test_who_only_predicts_needs_no_training_code_and_no_torch(digits: Path) -> None:
    code = (
        "import sys, numpy as np\n"
        "from text_recognizer.recognizer import Recognizer\n"
        "inputs = np.zeros((1, 1, 28, 28), dtype=np.uint8)\n"
        "for backend in sys.argv[2:]:\n"
        "    Recognizer.load(sys.argv[1], backend).read(inputs)\n"
        "    names = ('torch', 'torchvision', 'pytorch_lightning', 'lightning_fabric', 'training', 'matplotlib')\n"
        "    print(*[name for name in names if name in sys.modules])\n"
    )
    command = [sys.executable, "-c", code, str(digits / "shipped"), "onnx", "int8", "torch"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.split("\n") == ["", "", "torch", ""]


def test_lines_are_read_as_in_training(small_data: Path, tmp_path: Path) -> None:
    sizes = {"max_length": 8, "num_train": 40, "num_val": 40, "num_test": 40, "source": "pen"}
    data = EMNISTLines(**sizes)
    network = LineCNN(data.config(), conv_dim=2, fc_dim=8, window_stride=8)
    run = make_run(tmp_path / "run", data, network, "ctc", conv_dim=2, fc_dim=8, window_stride=8, **sizes)
    export.export(run)
    shipped = Recognizer.load(run / "shipped")
    data.prepare_data()
    data.setup()
    model = CTCLitModel(network, data.config()).eval()
    with torch.inference_mode():
        expected = [decode(row) for row in model.read(model(data.splits["test"].__getitems__(range(40))[0]))[0]]
    inputs, texts = held_out(data, "test", 40)
    assert [reading.text for reading in shipped.read(inputs)] == expected
    assert all(reading.guesses[0][0] == reading.text for reading in shipped.read(inputs))
    labels = data.splits["test"].labels
    assert texts == [decode(row) for row in labels]
    assert shipped.kind == "line"
    assert not set(shipped.choices) & set(SPECIAL_TOKENS)


SMALL_LINES = {"max_length": 12, "num_train": 24, "num_val": 24, "num_test": 24, "source": "pen"}
SMALL_CRNN = {"conv_dim": 4, "fc_dim": 16, "lstm_dim": 8, "lstm_layers": 1}


@pytest.fixture(scope="module")
def natural(small_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shipped reader of natural lines, which is sure of what it says, and says much."""
    data = IAMLines(**SMALL_LINES)
    torch.manual_seed(0)
    network = CRNN(data.config(), **SMALL_CRNN)
    data.prepare_data()
    data.setup()
    with torch.no_grad():
        network.fc.weight.mul_(40)
        for _ in range(30):  # batch norm learns what lines look like
            network(data.splits["val"].__getitems__(range(24))[0])
    run = make_run(tmp_path_factory.mktemp("natural"), data, network, "ctc", **SMALL_CRNN, **SMALL_LINES)
    export.export(run)
    return run / "shipped"


def photographed(text: str, size: int = 100) -> Image.Image:
    """A photo of lines of print, dark on light."""
    rows = text.split("\n")
    picture = np.full((2 * size * len(rows) + size, 100 + size * max(map(len, rows))), 230, np.uint8)
    for k, row in enumerate(rows, 1):
        cv2.putText(picture, row, (50, 2 * size * k), cv2.FONT_HERSHEY_SIMPLEX, size / 25, 40, 8, cv2.LINE_AA)
    return Image.fromarray(picture)


def test_natural_lines_of_any_width_are_read_as_in_training(natural: Path) -> None:
    readers = {backend: Recognizer.load(natural, backend) for backend in ("onnx", "torch")}
    data = IAMLines(**SMALL_LINES)
    data.prepare_data()
    data.setup()
    inputs, texts = held_out(data, "test", 24)
    assert texts == [decode(row) for row in data.splits["test"].labels[data.splits["test"].order]]
    read = {backend: [reading.text for reading in reader.read(inputs)] for backend, reader in readers.items()}
    assert read["onnx"] == read["torch"]
    assert len(set(read["onnx"])) > 12
    network = shipped_network.load(readers["torch"].card, load_file(natural / WEIGHTS)).network
    model = CTCLitModel(network, data.config()).eval()
    for line, text in zip(inputs, read["onnx"], strict=True):
        with torch.inference_mode():
            own = line_pictures.side_by_side([any_width.trim(line)[0]])
            assert decode(model.read(model(own))[0][0]) == text
    assert any_width.STEP == line_pictures.WIDTH_STEP
    assert readers["onnx"].card.any_width
    with pytest.raises(UserError, match="any width"):
        readers["onnx"].logits(np.zeros((1, 1, 28, 200), np.uint8))


def test_what_comes_with_a_line_does_not_change_how_it_is_read(natural: Path) -> None:
    reader = Recognizer.load(natural)
    lines = [reader.prepare(photographed(text)) for text in ("Ab", "minimum", "of the people")]
    assert len({line.shape[2] for line in lines}) == 3
    alone = [reader.read([line])[0] for line in lines]
    assert [reading.text for reading in reader.read(lines)] == [reading.text for reading in alone]
    for line, reading in zip(lines, alone, strict=True):
        for more in (1, 16, 333):
            assert reader.read([np.pad(line, ((0, 0), (0, 0), (0, more)))])[0].text == reading.text
    dashes = np.tile(np.where(np.arange(1900) % 16 < 12, 30, 230).astype(np.uint8), (4, 1))
    wide = reader.prepare(Image.fromarray(np.pad(dashes, 60, constant_values=230)))
    assert wide.shape[2] <= any_width.WIDEST
    assert reader.read([]) == []


def test_natural_lines_and_pages_are_read_by_the_program(natural: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    reader = Recognizer.load(natural)
    for name, text in (("line.png", "minimum"), ("page.png", "minimum\nhave it\nseen")):
        photographed(text).save(tmp_path / name)
        monkeypatch.setattr("sys.argv", ["predict", str(natural), str(tmp_path / name)])
        run_program(predict.predict)
        said = capsys.readouterr().out
        page = reader.read_page(tmp_path / name)
        assert len(page.lines) == len(text.split("\n"))
        assert all(line.text in said for line in page.lines)
    assert page.text == "\n".join(line.text for line in page.lines)
    (tmp_path / "folder").mkdir()
    for name in ("line.png", "page.png"):
        (tmp_path / name).rename(tmp_path / "folder" / name)
    counts = reader.predict_folder(tmp_path / "folder", tmp_path / "read.csv", chunk=1)
    with (tmp_path / "read.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["file"]: row for row in csv.DictReader(file)}
    assert counts == {"read": 2, "refused": 0}
    assert rows["page.png"]["text"] == page.text
    assert rows["line.png"]["text"] == reader.predict(tmp_path / "folder" / "line.png").text


def test_a_transformer_that_reads_natural_lines_is_shipped_for_pytorch(small_data: Path, tmp_path: Path) -> None:
    data = IAMLines(**SMALL_LINES)
    small = {"conv_dim": 4, "tf_dim": 16, "tf_fc_dim": 16, "tf_layers": 1, "tf_nhead": 2}
    torch.manual_seed(0)
    network = LineCNNTransformer(data.config(), **small).eval()
    run = make_run(tmp_path / "run", data, network, "transformer", **small, **SMALL_LINES)
    export.export(run)
    shipped = Recognizer.load(run / "shipped", "torch")
    assert shipped.card.any_width
    data.prepare_data()
    data.setup()
    inputs, _ = held_out(data, "test", 8)
    model = TransformerLitModel(network, data.config()).eval()
    for line, reading in zip(inputs, shipped.read(inputs), strict=True):
        with torch.inference_mode():
            own = line_pictures.side_by_side([any_width.trim(line)[0]])
            assert decode(model.read(model(own))[0][0]) == reading.text
    assert len(shipped.read_page(photographed("minimum\nhave it")).lines) == 2


def test_a_reader_of_natural_lines_without_ctc_is_not_shipped(tmp_path: Path) -> None:
    data = IAMLines(**SMALL_LINES)
    network = CRNN(data.config(), **SMALL_CRNN)
    run = make_run(tmp_path / "run", data, network, "cross_entropy", **SMALL_CRNN, **SMALL_LINES)
    with pytest.raises(UserError, match="only those that were trained with `--loss ctc`"):
        export.export(run)


def test_a_network_that_writes_step_by_step_is_shipped_for_pytorch_only(
    small_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture, caplog: pytest.LogCaptureFixture
) -> None:
    sizes = {"max_length": 8, "num_train": 40, "num_val": 40, "num_test": 40, "source": "pen"}
    small = {"conv_dim": 4, "tf_dim": 16, "tf_fc_dim": 16, "tf_layers": 1, "tf_nhead": 2}
    data = EMNISTLines(**sizes)
    network = LineCNNTransformer(data.config(), **small).eval()
    run = make_run(tmp_path / "run", data, network, "transformer", **small, **sizes)
    export.export(run)
    assert "LineCNNTransformer writes step by step, and is shipped for PyTorch only" in caplog.text
    assert "--backend torch" in " ".join(capsys.readouterr().out.split())
    assert sorted(path.name for path in (run / "shipped").iterdir()) == sorted([CARD, WEIGHTS])
    for backend in ("onnx", "int8"):
        with pytest.raises(UserError, match="runs with PyTorch only: choose --backend torch"):
            Recognizer.load(run / "shipped", backend)
    shipped = Recognizer.load(run / "shipped", "torch")
    data.prepare_data()
    data.setup()
    model = TransformerLitModel(network, data.config()).eval()
    with torch.inference_mode():
        expected = [decode(row) for row in model.read(model(data.splits["test"].__getitems__(range(40))[0]))[0]]
    assert [reading.text for reading in shipped.read(held_out(data, "test", 40)[0])] == expected
    assert {"pictures", "torch_cer"} == shipped.card.checks.keys()
    assert shipped.card.reference is not None
    benchmark.benchmark(run / "shipped", rounds=1, seconds=0.1, pictures=8)
    measured = json.loads((run / "shipped" / "benchmark.json").read_text())
    assert {"torch", "onnx", "int8"} & measured.keys() == {"torch"}


def test_your_own_pictures_are_prepared_as_in_training(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("square", "stripe"):
        (tmp_path / "own" / name).mkdir(parents=True)
        for k in range(10):
            picture = np.full((40, 60, 3), 230, dtype=np.uint8)
            picture[10:30, 20 : 40 if name == "square" else 24] = rng.integers(0, 90, 3)
            Image.fromarray(picture).save(tmp_path / "own" / name / f"{k}.png")
    settings = {"folder": str(tmp_path / "own"), "image_size": 28}
    data = ImageFolder(**settings)
    data.setup()
    network = FastCNN(data.config(), conv_dim=4).eval()
    run = make_run(
        tmp_path / "run", data, network, "cross_entropy", {"preprocessing": data.preprocessing.as_dict()},
        conv_dim=4, **settings,
    )  # fmt: skip
    export.export(run)
    shipped = Recognizer.load(run / "shipped")
    path = tmp_path / "own" / "square" / "3.png"
    with torch.inference_mode():
        logits = network(data.preprocessing.normalize(data.preprocessing.read(path)[None]))
    reading = shipped.predict(path)
    assert reading.confidence == pytest.approx(float(logits.softmax(dim=1).max()), abs=1e-4)
    assert shipped.classes == ("square", "stripe")
    assert shipped.kind == "picture"
    assert shipped.predict([path, str(path), Image.open(path), np.array(Image.open(path))]) == [reading] * 4

    shutil.rmtree(tmp_path / "own" / "stripe")  # the data has gone: the model can be shipped all the same
    export.export(run, tmp_path / "elsewhere")
    card = ModelCard.read(tmp_path / "elsewhere")
    assert card.reference is None
    assert INT8 not in card.files
    assert card.classes == ("square", "stripe")
    with pytest.raises(UserError, match=r"exported without model\.int8\.onnx"):
        Recognizer.load(tmp_path / "elsewhere", "int8")


# What can go wrong


@pytest.mark.parametrize("name", [ONNX, WEIGHTS])
def test_weights_of_another_export_are_refused(digits: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(digits / "shipped", tmp_path / "mixed")
    content = bytearray((tmp_path / "mixed" / name).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "mixed" / name).write_bytes(content)
    with pytest.raises(UserError, match=r"is not the file that model\.json speaks of"):
        Recognizer.load(tmp_path / "mixed", "onnx" if name == ONNX else "torch")
    (tmp_path / "mixed" / name).unlink()
    with pytest.raises(UserError, match="is missing"):
        Recognizer.load(tmp_path / "mixed", "onnx" if name == ONNX else "torch")


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2}, {"kind": "poem"}, {"classes": ["0", "0"]}, {"choices": []}, {"choices": ["x"]}, {"classes": 7},
        {"input_dims": [1]}, {"input_dims": [1, 28, -28]}, {"surprise": 1}, {"reference": {"count": 1}}, None,
        "{", "[]", "[" * 100_000,
    ],
)  # fmt: skip
def test_a_card_of_nonsense_is_refused(digits: Path, tmp_path: Path, change: object) -> None:
    content = json.loads((digits / "shipped" / CARD).read_text())
    text = change if isinstance(change, str) else json.dumps(content | change if change else {})
    (tmp_path / CARD).write_text(text)
    with pytest.raises(UserError, match=r"(cannot be read|format 2)"):
        ModelCard.read(tmp_path)


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"not a shipped model.*text_recognizer.export RUN"):
        Recognizer.load(tmp_path)


def test_export_replaces_a_shipped_model_and_nothing_else(digits: Path, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    with pytest.raises(UserError, match="is there already, and is no shipped model"):
        export.export(digits, tmp_path / "thesis")
    with pytest.raises(UserError, match="not the folder of a run"):
        export.export(tmp_path, tmp_path / "out")
    before = ModelCard.read(digits / "shipped")

    def fails(*_: object) -> None:
        raise UserError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(export.onnx_file, "write", fails)
        with pytest.raises(UserError, match="the disk is full"):
            export.export(digits)
    assert ModelCard.read(digits / "shipped") == before
    assert [path.name for path in digits.iterdir() if "unfinished" in path.name] == []


def test_an_onnx_file_that_disagrees_is_not_shipped(digits: Path, tmp_path: Path, monkeypatch) -> None:
    write = export.onnx_file.write

    def slightly_wrong(network: torch.nn.Module, *arguments: object) -> None:
        with torch.no_grad():
            list(network.parameters())[-1][0] += 0.01
        write(network, *arguments)

    monkeypatch.setattr(export.onnx_file, "write", slightly_wrong)
    with pytest.raises(UserError, match="disagree"):
        export.export(digits, tmp_path / "out" / "model")
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("shape", [(0, 1, 28, 28), (1, 1, 27, 28), (1, 28, 28), (2, 3, 28, 28)])
def test_inputs_of_another_shape_are_refused(digits: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match=r"reads \(N, 1, 28, 28\) uint8"):
        Recognizer.load(digits / "shipped").read(np.zeros(shape, dtype=np.uint8))


# A folder of pictures


def test_a_folder_becomes_a_table(digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    inputs, _ = held_out(load_run.load(digits).data, "test", 9)
    for k, picture in enumerate(inputs[:, 0]):
        (tmp_path / "photos" / f"{k % 2}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(255 - picture).resize((112, 112)).save(tmp_path / "photos" / f"{k % 2}" / f"{k}.png")
    (tmp_path / "photos" / "broken.png").write_bytes(b"not a picture")
    recognizer = Recognizer.load(digits / "shipped")
    run_program(predict.predict, [str(digits / "shipped"), str(tmp_path / "photos"), "--chunk", "4"])
    out = capsys.readouterr().out
    assert "9 pictures read, 1 could not be" in out
    with (tmp_path / "photos-read.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == sorted(row["file"] for row in rows)
    assert len(rows) == 10
    for row in rows:
        if row["error"]:
            assert row["file"] == "broken.png"
            assert row["text"] == ""
        else:
            reading = recognizer.predict(tmp_path / "photos" / row["file"])
            assert row["text"] == reading.text
            assert float(row["confidence"]) == pytest.approx(reading.confidence, abs=1e-3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["missing"], "There is no missing"),
        (["."], "There are no pictures"),
        ([".", "--chunk", "0"], "chunk must be at least 1"),
        ([".", "--backend", "abacus"], "backend"),
    ],
)
def test_predict_says_what_is_wrong(
    digits: Path, tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture, words: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        run_program(predict.predict, [str(digits / "shipped"), *words])
    assert end.value.code == 2
    assert message in written(capsys)


# How fast it is


def test_the_benchmark_measures_each_backend(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    flags = ["--rounds", "1", "--seconds", "0.1", "--pictures", "100", "--out", str(tmp_path / "speed")]
    run_program(benchmark.benchmark, [str(digits / "shipped"), *flags])
    out = capsys.readouterr().out
    found = json.loads((tmp_path / "speed" / "benchmark.json").read_text())
    inputs, texts = held_out(load_run.load(digits).data, "test", 100)
    read = [reading.text for reading in Recognizer.load(digits / "shipped").read(inputs)]
    wrong = sum(answer != text for answer, text in zip(read, texts, strict=True)) / 100
    for backend, file in (("torch", WEIGHTS), ("onnx", ONNX), ("int8", INT8)):
        of = found[backend]
        assert of["error"] == pytest.approx(wrong, abs=0.03 if backend == "int8" else 1e-9)
        assert of["file_bytes"] == (digits / "shipped" / file).stat().st_size
        assert 0 < of["p50_ms"] <= of["p95_ms"] <= of["p99_ms"]
        assert 0 < of["load_s"] < of["startup_s"]
        assert f"{1 - of['error']:.2%}" in out
    assert "ONNX Runtime answers one picture" in out
    with Image.open(tmp_path / "speed" / "benchmark.png") as plot:
        assert plot.size > (800, 300)


def test_a_benchmark_that_cannot_be_made_says_why(digits: Path, tmp_path: Path) -> None:
    shutil.copytree(digits / "shipped", tmp_path / "mixed")
    (tmp_path / "mixed" / WEIGHTS).write_bytes(b"")
    with pytest.raises(UserError, match=r"PyTorch eager could not be measured: .*was damaged"):
        benchmark.benchmark(tmp_path / "mixed", rounds=1)
    with pytest.raises(UserError, match="rounds must be greater than 0"):
        benchmark.benchmark(digits / "shipped", rounds=0)


# Decoding, against training's own, and against trying everything


@pytest.mark.parametrize("ctc", [True, False])
def test_lines_are_decoded_as_the_lightning_module_does(ctc: bool) -> None:
    logits = 4 * torch.randn(50, len(MAPPING), 12, generator=torch.Generator().manual_seed(0))
    lit = CTCLitModel if ctc else LineLitModel
    model = lit.__new__(lit)
    torch.nn.Module.__init__(model)
    model.blank, model.padding, model.windows = MAPPING.index(BLANK), MAPPING.index("<P>"), 12
    expected = [decode(row) for row in model.read(logits)[0].tolist()]
    allowed = np.array([name not in SPECIAL_TOKENS for name in MAPPING])
    blank = MAPPING.index(BLANK) if ctc else None
    readings = read_lines(logits.numpy(), MAPPING, allowed, blank, ctc)
    assert [reading.text for reading in readings] == expected


def test_the_best_texts_of_a_line_are_the_best_of_all() -> None:
    """Oracle: every way to choose an option at each place."""
    names, allowed = ("-", "a", "b", "c"), np.array([False, True, True, True])
    for seed in range(30):
        logits = 2 * np.random.default_rng(seed).standard_normal((1, 4, 5)).astype(np.float32)
        reading = read_lines(logits, names, allowed, 0, collapse=False)[0]
        windows = [window for window in softmax(logits)[0].T if window.argmax() != 0]
        texts: dict[str, float] = {}
        for way in itertools.product(range(4), repeat=len(windows)):
            text = "".join("" if k == 0 else names[k] for k in way)
            texts[text] = max(texts.get(text, 0.0), float(np.prod([w[k] for w, k in zip(windows, way, strict=True)])))
        best = sorted(texts.values(), reverse=True)[:5]
        assert [probability for _, probability in reading.guesses] == pytest.approx(best, rel=1e-4)
        assert all(texts[text] == pytest.approx(probability, rel=1e-4) for text, probability in reading.guesses)


def test_what_is_no_answer_is_never_guessed() -> None:
    logits = np.array([[9.0, 1.0, 2.0, 3.0]], dtype=np.float32)
    reading = read_classes(logits, ("<S>", "a", "b", "c"), np.array([False, True, True, True]))[0]
    assert [text for text, _ in reading.guesses] == ["c", "b", "a"]
    assert reading.confidence == pytest.approx(float(torch.tensor(logits).softmax(dim=1)[0, 3]))


def test_what_is_measured_of_a_picture() -> None:
    inputs = np.zeros((2, 1, 20, 10), dtype=np.uint8)
    inputs[0, 0, 5:10, 2:8] = 255
    readings = read_classes(np.zeros((2, 2), dtype=np.float32), ("a", "b"), np.array([True, True]))
    found = {
        name: values.tolist()
        for name, values in image_statistics(inputs, [reading.confidence for reading in readings]).items()
    }
    assert found["ink"] == [0.15, 0]
    assert found["width"] == [0.6, 0]
    assert found["height"] == [0.25, 0]
    assert found["centre"] == [pytest.approx(0.125), 0]
    assert found["confidence"] == [0.5, 0.5]
