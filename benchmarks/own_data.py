"""What lab 5 claims: how much a pretrained body is worth, how many wrong labels a review finds, and what cleaning does.

Everything goes through the lab's own commands, on generated practice sets, with three seeds each. The person of the
review is a program that looks at the first 2 x (planted wrong labels) pictures of the queue, knows what they show, and
does nothing about the rest.

    python benchmarks/own_data.py [BODY]

BODY is the folder of a run as in the lab's README; without it, one is trained first (eight minutes).
"""

import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)

from benchmarks.timing import Claim, write_json  # noqa: E402
from lab_kit.curation.apply_review import apply  # noqa: E402
from lab_kit.curation.practice.make_set import draw_set  # noqa: E402
from training.review import queue_of  # noqa: E402

SEEDS = range(3)
BODY = "--data_class EMNIST --model_class ResNet --source pen --augment --max_epochs 8 --optimizer AdamW"
BODY += " --one_cycle_max_lr 4e-3"
DATA = "--data_class ImageFolder --statistics characters --image_size 48 --augment --batch_size 16 --max_epochs 12"
SCRATCH = f"{DATA} --model_class TransferNet --one_cycle_max_lr 3e-3"
TRANSFER = f"{SCRATCH} --frozen_epochs 2 --lr_slice 1e-3,3e-3"
PER_CLASS, TESTS_PER_CLASS = 50, 100
NOISE = {"random": 0.06, "biased": 0.35}  # 36 wrong labels in all folders; or 35, all of one class in one folder


def python(*arguments: str | Path) -> None:
    """Run Python from the project's folder."""
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": ""}
    subprocess.run([sys.executable, *map(str, arguments)], check=True, capture_output=True, cwd=ROOT, env=environment)


def train(flags: str, log_dir: Path, **more: object) -> tuple[Path, dict]:
    """Train; return the run's folder and its figures."""
    extra = [word for name, value in more.items() for word in (f"--{name}", value)]
    python("training/run_experiment.py", *flags.split(), "--log_dir", log_dir, *extra)
    [folder] = log_dir.glob("*/version_0")
    return folder, json.loads((folder / "metrics.json").read_text(encoding="utf-8"))


def transfer(place: Path, body: Path) -> dict[str, list[float]]:
    """Return test accuracies of training with and without a pretrained body, a figure for each seed."""
    draw_set(place / "tests", TESTS_PER_CLASS, seed=1000)
    found: dict[str, list[float]] = {"from scratch": [], "transfer": [], "transfer, head only": []}
    for seed in SEEDS:
        pictures = place / f"clean-{seed}"
        draw_set(pictures, PER_CLASS, seed)
        fixed = {"folder": pictures, "test_folder": place / "tests", "seed": seed}
        found["from scratch"].append(train(SCRATCH, place / f"scratch-{seed}", **fixed)[1]["test_acc"])
        figures = train(TRANSFER, place / f"transfer-{seed}", **fixed, pretrained=body)[1]
        found["transfer"].append(figures["test_acc"])
        head_only = f"{SCRATCH} --frozen_epochs 12"
        figures = train(head_only, place / f"head-{seed}", **fixed, pretrained=body)[1]
        found["transfer, head only"].append(figures["test_acc"])
    return found


def cleaning(place: Path, body: Path, noise: str, seed: int) -> dict[str, float]:
    """Train, review, apply, train again; return what was planted and found, and accuracies on clean pictures."""
    practice = place / f"{noise}-{seed}"
    kind = ("--noise", noise, "--noise_share", NOISE[noise])
    python("-m", "lab_kit.curation.practice.make_set", practice, *kind, "--seed", seed)
    python("-m", "lab_kit.curation.verify", practice / "collected")
    with (practice / "truth.csv").open(newline="", encoding="utf-8") as file:
        truth = {row["stem"]: row for row in csv.DictReader(file)}

    fixed = {"test_folder": practice / "test", "seed": seed, "pretrained": body}
    run, before = train(TRANSFER, practice / "before", folder=practice / "collected", **fixed)
    queue = queue_of(run)
    wrong = [truth[Path(picture.file).stem]["trouble"] == "wrong label" for picture in queue.pictures]
    planted = sum(wrong)
    for picture in list(queue.pictures[: 2 * planted]):
        about = truth[Path(picture.file).stem]
        if about["trouble"] == "nothing":
            queue.propose(picture.file, "delete")
        elif about["true_class"] != picture.label:
            queue.propose(picture.file, "relabel", about["true_class"])
        else:
            queue.propose(picture.file, "keep")
    apply(queue, practice / "reviewed")
    _, after = train(TRANSFER, practice / "after", folder=practice / "reviewed", **fixed)
    found = sum(wrong[: 2 * planted])
    print(f"{noise}, seed {seed}: {found} of {planted} found, {before['test_acc']:.1%} -> {after['test_acc']:.1%}")
    return {"planted": planted, "found": found, "before": before["test_acc"], "after": after["test_acc"]}


def main(body: Path | None) -> None:
    """Measure, print, write the JSON."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        if body is None:
            body, _ = train(BODY, place / "body")
        accuracies = transfer(place, body)
        for name, values in accuracies.items():
            print(f"{name}: {_formatted(values)}")
        cleaned = {noise: [cleaning(place, body, noise, seed) for seed in SEEDS] for noise in NOISE}
    gain = 100 * (statistics.mean(accuracies["transfer"]) - statistics.mean(accuracies["from scratch"]))
    claims = [Claim("Transfer against from scratch, 50 pictures a class", "better", f"{gain:+.1f} points")]
    for noise, runs in cleaned.items():
        share = sum(run["found"] for run in runs) / sum(run["planted"] for run in runs)
        change = 100 * statistics.mean(run["after"] - run["before"] for run in runs)
        claims += [
            Claim(f"Wrong labels in the first 2 x (planted) of the queue, {noise} noise", "80%", f"{share:.0%}"),
            Claim(
                f"Test accuracy after cleaning, {noise} noise",
                "better" if noise == "biased" else "about equal",
                f"{change:+.1f} points",
            ),
        ]
    on = f"practice sets, {len(SEEDS)} seeds; {TRANSFER}; body: {BODY}"
    write_json("own_data", on, {"test_acc": accuracies, "cleaning": cleaned}, claims)


def _formatted(values: list[float]) -> str:
    return f"{statistics.mean(values):.1%} ({', '.join(f'{value:.1%}' for value in values)})"


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else None)
