"""Print what a Colab user has after the set-up cell: the course's packages, in Colab's versions where Colab has them.

    python .ci/colab_packages.py pip-freeze.txt > requirements-as-on-colab.txt

`pip-freeze.txt` is https://github.com/googlecolab/backend-info's list. Ends with exit code 1 where neither Colab nor
requirements/colab.txt has a package that the course needs.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def lines(path: Path) -> dict[str, str]:
    """Return name -> line of a requirements file, without comments and markers of other systems."""
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        line = line.partition("#")[0].strip()
        name = re.match(r"[A-Za-z0-9._-]+", line)
        if name and 'sys_platform == "darwin"' not in line:
            found[name[0].lower().replace("_", "-")] = line.partition(";")[0].strip()
    return found


def main() -> int:
    """Print the list; returns the exit code."""
    freeze = lines(Path(sys.argv[1]))
    # Some of Colab's packages come from files of its own, without a version, and some are built for its GPUs.
    has = {name: name if "@" in line else line.partition("+")[0] for name, line in freeze.items()}
    needed, extra = lines(ROOT / "requirements" / "prod.in"), lines(ROOT / "requirements" / "colab.txt")
    missing = sorted(set(needed) - set(has) - set(extra))
    if missing:
        sys.stderr.write(f"error: neither Colab nor requirements/colab.txt has {', '.join(missing)}\n")
        return 1
    sys.stdout.write("\n".join(has[name] if name in has else extra[name] for name in needed) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
