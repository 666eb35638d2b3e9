"""Homework in a notebook, as on Colab: open a file, check it, take the work home, and bring it back."""

import importlib
import io
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

from lab_kit.errors import UserError, nearest
from lab_kit.paths import code_root

ENDS = (".py", ".toml", ".yaml")  # of files in which homework is done
MOST_BYTES = 20_000_000  # of what is brought back


class Homework:
    """The homework of the lab whose code this notebook uses; raises UserError where the lab has none."""

    def __init__(self) -> None:
        self.lab = code_root()
        if not (self.lab / "homework").is_dir():
            raise UserError(f"There is no homework in {self.lab.name}.")

    def open(self, name: str) -> None:
        """Open a file of the lab: in Colab's editor, which saves by itself; elsewhere, say where it is.

        Args:
            name: its path in the lab, such as `homework/training_step.py`.

        Raises:
            UserError: there is no such file.
        """
        path = self.lab / name
        if not path.is_file():
            known = [str(file.relative_to(self.lab).as_posix()) for file in self._files()]
            raise UserError(f"There is no {name} in {self.lab.name}.{nearest(name, known)}")
        if (colab := _colab()) is None:
            print(f"Open it in your editor: {self.lab.name}/{name}")  # noqa: T201  a notebook's output
        else:
            colab.view(str(path))

    def check(self, only: str = "") -> None:
        """Run the checks, and show a box for each requirement.

        Args:
            only: check only what has this in its name.
        """
        command = [sys.executable, "-m", "pytest", "homework", *(["-k", only] if only else [])]
        # In a process of its own, which reads the files anew; line by line, so that one sees that something happens.
        with subprocess.Popen(
            command, cwd=self.lab, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8"
        ) as process:
            for line in process.stdout:
                print(line, end="")  # noqa: T201

    def take_home(self) -> None:
        """Download all files of the lab that one may have changed: Colab's machine and all that is on it goes away."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in self._files():
                archive.write(file, file.relative_to(self.lab))
        target = Path(f"{self.lab.name}-homework.zip")
        if (colab := _colab()) is None:
            print("This is no machine of Colab's: your files stay where they are.")  # noqa: T201
            return
        target.write_bytes(packed.getvalue())
        colab.download(str(target))

    def bring_back(self) -> None:
        """Ask for the file that `take_home` made, and put what is in it into the lab.

        Raises:
            UserError: it is another file. Nothing has been changed.
        """
        if (colab := _colab()) is None:
            print("This is no machine of Colab's: your files are where they were.")  # noqa: T201
            return
        for name, content in colab.upload().items():
            self._unpack(name, content)

    def _unpack(self, name: str, content: bytes) -> None:
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                if sum(member.file_size for member in archive.infolist()) > MOST_BYTES:
                    raise UserError(f"{name} is too large for homework.")
                files = {member: archive.read(member) for member in archive.namelist() if not member.endswith("/")}
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
            raise UserError(f"{name} is not the file that take_home() made: {error}") from error
        for member in files:
            inside = (self.lab / member).resolve().is_relative_to(self.lab.resolve())
            if not inside or not member.endswith(ENDS) or not (self.lab / member).parent.is_dir():
                raise UserError(f"{name} is not of {self.lab.name}: it has a file {member}.")
        for member, text in files.items():
            (self.lab / member).write_bytes(text)
        print(f"{len(files)} files are back in {self.lab.name}.")  # noqa: T201

    def _files(self) -> list[Path]:
        folders = ("homework", "text_recognizer", "training", "app")
        found = (path for folder in folders for path in (self.lab / folder).rglob("*"))
        return sorted(
            path for path in found if path.suffix in ENDS and not {"logs", "__pycache__"} & set(path.parts[-4:])
        )


def _colab() -> ModuleType | None:
    """Return Colab's own module for files; None elsewhere."""
    try:
        return importlib.import_module("google.colab.files")
    except ImportError:
        return None
