import subprocess
import tomllib

from text_recognizer.paths import project_root


def test_every_canonical_file_has_exactly_one_lab():
    manifest = tomllib.loads((project_root() / "labs.toml").read_text())
    owned = [name for lab in manifest["lab"] for name in lab["adds"]]
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "text_recognizer", "training"],
        cwd=project_root(), capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert sorted(owned) == sorted(name for name in listed if not name.endswith("__init__.py"))
