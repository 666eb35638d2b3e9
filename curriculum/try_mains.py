"""Read the flags of main commands, each with the program of its own lab, and train nothing.

A process of its own: torch is imported once for all labs, and the code of each lab goes away after it.
"""

import io
import json
import os
import runpy
import sys
import traceback
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

PROGRAM = "training/run_experiment.py"
ONLY_READ = "--print_config"  # the program then shows its settings, and ends
RESULTS = "RESULTS"


def main() -> None:
    """Write what each program of `[[folder, [flag, ...]], ...]` says, as JSON: an empty text for no error."""
    said = [_said(Path(folder).resolve(), flags) for folder, flags in json.loads(sys.argv[1])]
    sys.stdout.write(RESULTS + json.dumps(said))


def _said(folder: Path, flags: list[str]) -> str:
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    sys.argv = [PROGRAM, *flags, ONLY_READ]
    text, code = io.StringIO(), None
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(text):
            runpy.run_path(PROGRAM, run_name="__main__")
    except SystemExit as end:
        code = end.code
    except Exception:
        text, code = io.StringIO(traceback.format_exc()), 1
    finally:
        sys.path[:] = [place for place in sys.path if not place.startswith(str(folder))]
        for name, module in list(sys.modules.items()):
            if (getattr(module, "__file__", None) or "").startswith(str(folder)):
                del sys.modules[name]
    return (text.getvalue().strip().splitlines() or ["it ended without a word"])[-1] if code else ""


if __name__ == "__main__":
    main()
