"""Is a correction lost that a visitor was told is kept?

Claim: after `kill -9` at random moments of keeping, correcting and forgetting pictures, the store opens, is whole, has
every correction that was acknowledged, and nothing of what was forgotten.

    python benchmarks/corrections_kill.py [--times 200]

Each acknowledgement is a line that the writer writes after the method has returned.
"""

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)

from benchmarks.timing import Claim, write_json  # noqa: E402
from lab_kit.feedback.store import Store  # noqa: E402
from text_recognizer.shipping.read_logits import Reading  # noqa: E402

SEEN = np.zeros((1, 28, 28), np.uint8)
SEVEN = Reading("7", 0.9, (("7", 0.9), ("1", 0.1)))


def write_for_ever(path: Path, acknowledged: Path) -> None:
    """Keep, correct and forget, and note what was acknowledged, until this process is killed."""
    try:
        store = Store.open(path)
        with acknowledged.open("a") as file:
            for number in range(1_000_000):
                id = store.keep(os.urandom(random.randint(500, 20_000)), SEEN, SEVEN, "model", "pen")
                if number % 4 == 3:
                    store.forget(id)
                    file.write(f"{id} forgotten\n")
                else:
                    store.correct(id, str(number))
                    file.write(f"{id} {number}\n")
                file.flush()
    finally:
        os._exit(1)


def killed(path: Path, acknowledged: Path, seconds: float) -> bool:
    """Let a process write, kill it after `seconds`; return whether it was in the middle of a change."""
    child = os.fork()
    if child == 0:
        write_for_ever(path, acknowledged)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    journal = path.with_name(f"{path.name}-journal")
    return journal.exists() and journal.stat().st_size > 0


def lost(path: Path, acknowledged: Path) -> tuple[int, int]:
    """Return how many changes were acknowledged, and how many of them are not in the store."""
    lines = [line.split() for line in acknowledged.read_text().split("\n")[:-1]]
    store = Store.open(path)
    assert store._connection.execute("PRAGMA integrity_check").fetchone() == ("ok",), "the database is damaged"
    labels = {kept.id: kept.label for kept in store.readings()}
    store.close()
    return len(lines), sum(labels.get(id, "forgotten") != label for id, label in lines)


def main() -> None:
    """Kill, look, print, write the JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    random.seed(options.seed)
    total = gone = within = 0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.times):
            if number % 20 == 0:  # a new store now and then: to make one can be interrupted, too
                path, acknowledged = Path(folder, f"{number}.sqlite"), Path(folder, f"{number}.txt")
                acknowledged.touch()
                before = 0
            within += killed(path, acknowledged, random.uniform(0.0, 0.3))
            count, missing = lost(path, acknowledged)
            total, gone, before = total + count - before, gone + missing, count
    found = {"kills": options.times, "in_the_middle_of_a_change": within, "acknowledged": total, "lost": gone}
    print(json.dumps(found))
    claim = Claim("kill -9, corrections", "0 lost", f"{gone} of {total:,} acknowledged, {options.times} kills")
    write_json("corrections_kill", "pictures of 0.5 to 20 kB, one writer", {"seed": options.seed, **found}, [claim])


if __name__ == "__main__":
    main()
