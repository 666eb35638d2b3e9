import os
import shutil
import subprocess
import sys
from pathlib import Path

from lab_kit import paths


def test_data_root_is_what_the_variable_says(data_root):
    assert paths.data_root() == data_root


def test_data_root_is_in_the_project_otherwise(monkeypatch):
    monkeypatch.delenv(paths.DATA_VARIABLE)
    assert paths.data_root() == Path(__file__).resolve().parent.parent / "data"


def test_metadata_comes_from_the_project_where_the_data_root_has_none(data_root):
    assert paths.metadata_file("mnist").is_relative_to(paths.project_root())
    own = data_root / "raw" / "mnist" / "metadata.toml"
    own.parent.mkdir(parents=True)
    own.touch()
    assert paths.metadata_file("mnist") == own


def test_a_lab_copied_away_from_the_repository_has_a_data_folder_of_its_own(tmp_path):
    lab = tmp_path / "somewhere" / "lab1"
    shutil.copytree(paths.code_root() / "text_recognizer", lab / "text_recognizer")
    environment = {name: value for name, value in os.environ.items() if name != paths.DATA_VARIABLE}
    code = "from lab_kit.paths import data_root; print(data_root())"
    done = subprocess.run([sys.executable, "-c", code], cwd=lab, env=environment, capture_output=True, text=True)
    assert Path(done.stdout.strip()) == lab / "data"
