"""A course of three tiny labs, which a test can build and break; its programs import nothing that takes time.

What a student's commands need of it is there, and no more: `training/run_experiment.py` reads its flags, and ends.
"""

from pathlib import Path

LABS_TOML = """\
# A small course.
repository = "somebody/small-course"
canonical = ["text_recognizer", "training", "data/raw"]
may_differ = ["*/__init__.py"]
ordinary_words = ["plain"]
shared = ["LICENSE", "requirements/*", "lab_kit/**/*"]

[[lab]]
number = 1
title = "Digits"
main = "--data_class MNIST --model_class MLP"
most_files = 12
most_lines = 200
homework = ["text_recognizer/models/mlp.py", "homework/training_step.py"]
reads = ["training/run_experiment.py", "text_recognizer/models/mlp.py"]
adds = [
    # Data
    "data/raw/mnist/*",
    "text_recognizer/data/mnist.py",
    # A network
    "text_recognizer/models/mlp.py",
    # The experiment
    "training/run_experiment.py",
    "training/find_lr.py",
]

[[lab]]
number = 2
title = "Letters"
main = "--data_class EMNIST --model_class CNN --width 8"
may_announce = ["ResNet"]
homework = ["text_recognizer/models/cnn.py"]
adds = [
    "text_recognizer/models/cnn.py",
    "data/raw/emnist/*",
    "text_recognizer/data/emnist.py",
    "data/raw/brown/*",
    "text_recognizer/data/emnist_lines.py",
]

[[lab]]
number = 3
title = "Lines"
main = "--data_class EMNISTLines --model_class ResNet"
names = ["CTC", "LSTM"]
homework = ["homework/beam_search.py"]
adds = ["text_recognizer/models/resnet.py", "text_recognizer/models/crnn.py", "text_recognizer/lit_models/ctc.py"]

# What each package exports.
[exports.text_recognizer]
about = "It learns to read."
needs = ["lab_kit"]

[exports."text_recognizer/data"]
about = "Datasets."
emnist = ["EMNIST"]
emnist_lines = ["EMNISTLines"]
mnist = ["MNIST"]

[exports."text_recognizer/lit_models"]
about = "How a network learns."
ctc = ["CTCLitModel"]

[exports."text_recognizer/models"]
about = "Networks."
cnn = ["CNN"]
mlp = ["MLP"]
resnet = ["ResNet"]

[exports.training]
about = "Programs."
needs = ["lab_kit"]
"""

MAKEFILE = """\
setup: $(VENV)/installed  ## make .venv

$(VENV)/installed: $(LOCKED)
\t@touch $@
"""

PROGRAM = '''\
"""Train a network."""

import argparse

import text_recognizer.data
import text_recognizer.models

parser = argparse.ArgumentParser(prog="run_experiment.py")
parser.add_argument("--data_class", choices=text_recognizer.data.__all__)
parser.add_argument("--model_class", choices=text_recognizer.models.__all__)
parser.add_argument("--width", type=int)
parser.add_argument("--print_config", action="store_true")
if __name__ == "__main__":
    parser.parse_args()
'''

CODE = {
    "text_recognizer/data/mnist.py": '"""Digits."""\n\n\nclass MNIST:\n    classes = 10\n',
    "text_recognizer/data/emnist.py": '"""Letters."""\n\n\nclass EMNIST:\n    classes = 62\n',
    "text_recognizer/data/emnist_lines.py": '"""Lines of letters."""\n\n\nclass EMNISTLines:\n    classes = 62\n',
    "text_recognizer/models/mlp.py": '"""An MLP."""\n\nDROPOUT = 0.2\n\n\nclass MLP:\n    dropout = DROPOUT\n',
    "text_recognizer/models/cnn.py": (
        '"""A CNN."""\n\nDROPOUT = 0.25\n\n\nclass ConvBlock:\n    pass\n\n\nclass CNN:\n    """Blocks."""\n\n'
        "    def __init__(self, width: int = 64) -> None:\n        self.width = width\n"
        "        self.max_pool = max\n        self.dropout = DROPOUT\n"
    ),
    "text_recognizer/models/resnet.py": '"""A ResNet."""\n\n\nclass ResNet:\n    pass\n',
    "text_recognizer/models/crnn.py": '"""Lines, with an LSTM."""\n\nSHRINK = 4  # pixels\n',
    "text_recognizer/lit_models/ctc.py": '"""Learn with CTC."""\n\n\nclass CTCLitModel:\n    pass\n',
    "training/run_experiment.py": PROGRAM,
    "training/find_lr.py": '"""Find a learning rate."""\n',
}
DATASETS = ("mnist", "emnist", "brown")
STARTERS = {"lab1/homework/training_step.py": 1, "lab3/homework/beam_search.py": 3}
QUESTION = """\
[[question]]
ask = "Question {number}?"
[[question.choice]]
say = "Yes."
why = "So it is."
right = true
[[question.choice]]
say = "No."
why = "It is not so."
[[question.choice]]
say = "Perhaps."
why = "It is certain."
"""
SOLUTIONS = ("lab1/homework/training_step.py", "lab1/text_recognizer/models/mlp.py")
SOLUTIONS += ("lab2/text_recognizer/models/cnn.py", "lab3/homework/beam_search.py")
PARTS = "<!-- what to read -->\n<!-- end of what to read -->\n\n<!-- new files -->\n<!-- end of new files -->\n"


def write(root: Path) -> Path:
    """Write the course into a folder that is not there yet; returns it. Its labs are not built."""
    files = {"labs.toml": LABS_TOML, "Makefile": MAKEFILE, "LICENSE": "MIT\n", "lab_kit/__init__.py": ""}
    files |= {f"curriculum/starters/{name}": f'"""Exercise {lab}."""\n' for name, lab in STARTERS.items()}
    files |= {f"curriculum/solutions/{name}": '"""As we solved it."""\n' for name in SOLUTIONS}
    files |= {"requirements/prod.txt": "", "requirements/dev.txt": ""} | CODE
    for name in DATASETS:
        files |= {f"data/raw/{name}/README.md": f"# {name}\n", f"data/raw/{name}/metadata.toml": f'name = "{name}"\n'}
    for number in (1, 2, 3):
        files[f"lab{number}/README.md"] = f"# Lab {number}\n\n{PARTS}"
        files[f"lab{number}/questions.toml"] = "\n".join(QUESTION.format(number=question) for question in range(1, 7))
        files[f"lab{number}/homework/README.md"] = f"# Homework of lab {number}\n"
        files[f"lab{number}/homework/conftest.py"] = '"""The reporter."""\n'
        files[f"lab{number}/homework/pytest.ini"] = "[pytest]\n"
        files[f"lab{number}/homework/test_exercise.py"] = '"""Exercise 1: anything."""\n'
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder: name -> content."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def edit(path: Path, before: str, after: str) -> None:
    """Replace a text that stands in a file, once."""
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), encoding="utf-8")
