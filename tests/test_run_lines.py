import json

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

LINES = (
    *("--data_class", "EMNISTLines", "--source", "pen", "--max_length", "8"),
    *("--num_train", "64", "--num_val", "16", "--num_test", "16", "--batch_size", "32", "--max_epochs", "2"),
)
SMALL = ("--conv_dim", "4", "--fc_dim", "16")


@pytest.fixture(autouse=True)
def _small(small_pen_set):
    pass


@pytest.mark.parametrize("model_class", ["LineCNN", "LineCNNLSTM"])
def test_a_ctc_run_leaves_its_folder(run, tmp_path, model_class):
    flags = ("--model_class", model_class, "--loss", "ctc", "--window_stride", "8", *SMALL)
    code, text = run(*LINES, *flags)
    assert code == 0
    folder = tmp_path / "logs" / f"EMNISTLines-{model_class}" / "version_0"
    figures = json.loads((folder / "metrics.json").read_text())
    assert {"train_loss", "val_loss", "val_cer", "test_loss", "test_cer"} <= figures.keys()
    assert "test_acc" not in figures
    assert "sentences: Python's documentation" in figures["source"]
    assert "test cer" in text
    assert "val_cer" in text
    assert (folder / "predictions.png").stat().st_size > 10_000
    events = EventAccumulator(str(folder))
    events.Reload()
    (tag,) = events.Tags()["tensors"]
    shown = events.Tensors(tag)[-1].tensor_proto.string_val[0].decode()
    assert shown.startswith("| true | read |")
    assert len(shown.splitlines()) == 2 + 8

    code, _ = run(*LINES, *flags, "--load_checkpoint", str(folder / "checkpoints" / "best.ckpt"), "--test_only")
    again = json.loads((folder.with_name("version_1") / "metrics.json").read_text())
    assert code == 0
    assert again["test_cer"] == figures["test_cer"]
    assert run("--config", str(folder / "config.yaml"))[0] == 0
    repeated = json.loads((folder.with_name("version_2") / "metrics.json").read_text())
    assert repeated["test_loss"] == figures["test_loss"]


def test_a_run_with_known_places_reports_accuracy_and_error_rate(run, tmp_path):
    code, _ = run(*LINES, "--model_class", "LineCNNSimple", "--max_overlap", "0", "--fresh", *SMALL)
    folder = tmp_path / "logs" / "EMNISTLines-LineCNNSimple" / "version_0"
    figures = json.loads((folder / "metrics.json").read_text())
    assert code == 0
    assert {"train_acc", "val_acc", "val_cer", "test_acc", "test_cer"} <= figures.keys()


@pytest.mark.parametrize(
    ("flags", "message"),
    [(("--model_class", "LineCNNSimple", "--window_stride", "20"), "--limit_output_length reads only the first 8"),
     (("--model_class", "LineCNN", "--loss", "ctc", "--window_stride", "40"), "too few to spell the 8"),
     (("--model_class", "CNN"), "choose a line model"), (("--model_class", "ResNet", "--loss", "ctc"), "line model"),
     (("--data_class", "EMNIST", "--model_class", "LineCNN"), "--data_class EMNISTLines"),
     (("--data_class", "EMNIST", "--model_class", "CNN", "--loss", "ctc"), "--loss ctc is for pictures of a line"),
     (("--model_class", "LineCNN", "--window_stride", "30"), "multiple of 4"),
     (("--model_class", "LineCNN", "--min_overlap", "0.9"), "Overlaps must be"),
     (("--model_class", "LineCNN", "--loss", "ctcc"), "There is no loss 'ctcc'")],
)  # fmt: skip
def test_what_does_not_fit_together_gets_one_line(run, flags, message):
    own = {flag for flag in flags if flag.startswith("--")}
    common = [part for pair in zip(LINES[::2], LINES[1::2], strict=True) if pair[0] not in own for part in pair]
    if "EMNIST" in flags:
        common = ["--source", "pen"]
    code, text = run(*common, *flags)
    assert code == 2
    assert message in text
    assert text.startswith("error: ")
    assert len(text.strip().splitlines()) == 1
