"""This course: its labs are as built, differ by what they teach alone, and run by themselves."""

import os
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from curriculum import check, manifest, release, snapshot
from lab_kit.datasets import cache
from lab_kit.handwriting import pen_set
from lab_kit.handwriting.pen_strokes import draw_set
from lab_kit.paths import project_root

COURSE = manifest.load(project_root())
TINY = ("--max_epochs", "1", "--limit_train_batches", "2", "--limit_val_batches", "1", "--limit_test_batches", "1")
ON_CPU = ("--source", "pen", "--accelerator", "cpu", "--num_sanity_val_steps", "0")


def test_the_labs_are_as_built():
    assert check.check(COURSE) == []


def test_between_neighbours_only_new_files_and_may_differ_differ():
    for one, two in pairwise(COURSE.labs):
        before, after = snapshot.lab_files(COURSE, one), snapshot.lab_files(COURSE, two)
        different = [name for name in before if before[name] != after[name]]
        assert all(any(fnmatch(name, pattern) for pattern in COURSE.may_differ) for name in different)
        new = [name for name in after if name not in before and not name.endswith("__init__.py")]
        assert new == COURSE.added(two)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root that the runs share, with few pen strokes in place of the 65,000 that take a minute to draw."""
    root = tmp_path_factory.mktemp("data")

    def few() -> dict[str, np.ndarray]:
        images, labels = draw_set("0123456789", 300, range(30), seed=0, layout="mass")
        return {
            f"{split}_{name}": array
            for split in pen_set.SIZES
            for name, array in (("images", images.numpy()), ("labels", labels.to(torch.uint8).numpy()))
        }

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEXT_RECOGNIZER_DATA", str(root))
        cache.ensure(pen_set.set_file("0123456789", layout="mass"), few)
    return root


@pytest.mark.parametrize("place", ["lab1 as released", pytest.param("lab3", marks=pytest.mark.slow)])
def test_a_lab_trains_in_a_process_that_can_import_nothing_else(tmp_path, drawn, place):
    if place == "lab1 as released":
        release.build(COURSE, COURSE.labs[0], tmp_path / "alone")
        lab, flags = tmp_path / "alone" / "lab1", COURSE.labs[0].main.split()
    else:
        snapshot.build(COURSE, tmp_path / "alone")
        lab, flags = tmp_path / "alone" / place, ["--data_class", "MNIST"]
        for other in lab.parent.iterdir():
            if other != lab:
                shutil.rmtree(other)
    done = subprocess.run(
        [sys.executable, "-I", "training/run_experiment.py", *flags, *TINY, *ON_CPU],
        cwd=lab, env=os.environ | {"TEXT_RECOGNIZER_DATA": str(drawn)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert list(lab.glob("training/logs/*/version_0/metrics.json"))


def test_the_rule_for_assistants_is_for_students_in_releases_and_for_all_here():
    course = manifest.load(project_root())
    released = release.release_files(course, course.labs[0])[release.ASSISTANTS].decode()
    here = (project_root() / release.ASSISTANTS).read_text(encoding="utf-8")
    assert here.startswith(released.rstrip())
    assert release.MAINTAINERS in here
    assert "CONTRIBUTING" not in released
