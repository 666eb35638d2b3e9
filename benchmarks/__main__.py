"""Run all benchmarks, or those that are named, each in a process of its own; then renew the table in docs/speed.md.

python -m benchmarks [NAME ...]
"""

import subprocess
import sys
from pathlib import Path

from benchmarks import table

HERE = Path(__file__).resolve().parent
# Each line of the README's table, in this order. `pen_to_real` needs data that is not everyone's.
ALL = ("loader", "train_step", "mnist_99", "lines", "decode", "line_models", "prepare", "startup")


def main(names: list[str]) -> int:
    """Run benchmarks; return 2 where a name is unknown, else how many of them failed."""
    if unknown := sorted(set(names) - set(ALL)):
        sys.stderr.write(f"error: There is no benchmark {unknown[0]}. All: {', '.join(ALL)}\n")
        return 2
    failed = 0
    for name in names or ALL:
        failed += subprocess.run([sys.executable, str(HERE / f"{name}.py")]).returncode != 0
    table.renew()
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
