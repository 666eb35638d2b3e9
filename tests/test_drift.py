"""Real changes are noticed, chance is not."""

import json
import math
import re
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from starlette.applications import Starlette

from app.drift_check import build_report, drift
from lab_kit import program
from lab_kit.errors import UserError
from lab_kit.feedback import drift_page, stability, store
from lab_kit.feedback.image_statistics import measure_reference
from lab_kit.feedback.stability import mean_interval, psi, psi_by_chance, share_interval
from lab_kit.feedback.store import Store
from text_recognizer.shipping.model_card import ModelCard
from text_recognizer.shipping.read_logits import Reading

NAMES = tuple("abcdefgh")


def test_psi_is_its_formula():
    before, now = np.array([10.0, 30, 60]), np.array([5.0, 5, 40])
    expected = 0.0
    for b, n in zip(before, now, strict=True):
        p, q = (b + 0.5) / 101.5, (n + 0.5) / 51.5
        expected += (q - p) * math.log(q / p)
    assert psi(before, now) == pytest.approx(expected)
    assert psi(before, before) == 0
    assert psi(np.stack([before, now]), now).tolist() == pytest.approx([expected, 0])


def test_what_chance_does_is_the_chi_square_of_the_literature_where_samples_are_large():
    before, now = np.full(10, 200.0), np.full(10, 100.0)
    chi_square = 21.666  # with 9 degrees of freedom, exceeded in 1% of cases
    assert psi_by_chance(before, now, 0.01) == pytest.approx(chi_square * (1 / 2000 + 1 / 1000), rel=0.08)
    assert psi_by_chance(before, now, 0.01) == psi_by_chance(before, now, 0.01)


@pytest.mark.parametrize(("bins", "count"), [(10, 30), (10, 300), (62, 30)])
def test_false_alarms_are_as_rare_as_was_asked_for(bins, count, monkeypatch):
    monkeypatch.setattr(stability, "TRIALS", 300)
    random = np.random.default_rng(bins + count)
    shares = random.dirichlet(np.full(bins, 5.0))
    trials = 60
    wrong = rule_of_thumb = 0
    for _ in range(trials):
        before, now = random.multinomial(2000, shares), random.multinomial(count, shares)
        wrong += psi(before, now) > psi_by_chance(before, now, 0.05)
        rule_of_thumb += psi(before, now) > 0.25
    assert wrong <= 8  # 3 are expected; more than 8 would happen once in 250 times
    if count == 30:  # which is why the rule of thumb alone will not do
        assert rule_of_thumb > trials / 4


def test_intervals_hold_the_truth_as_often_as_they_claim():
    random = np.random.default_rng(0)
    hits = [low <= 0.1 <= high for low, high in (share_interval(int(k), 40) for k in random.binomial(40, 0.1, 2000))]
    assert 0.92 < np.mean(hits) < 0.985
    hits = [low <= 0.5 <= high for low, high in map(mean_interval, random.uniform(0, 1, (2000, 50)))]
    assert 0.93 < np.mean(hits) < 0.97
    assert share_interval(0, 0) == mean_interval([0.5]) == (0, 1)
    assert share_interval(0, 10)[0] == 0
    assert share_interval(0, 10)[1] == pytest.approx(0.2775, abs=1e-4)  # as in the literature


def written(count: int, seed: int, thick: int = 4, off: int = 0) -> np.ndarray:
    """Draw crosses of different sizes near the middle: (N, 1, 28, 28)."""
    random = np.random.default_rng(seed)
    pictures = np.zeros((count, 1, 28, 28), np.uint8)
    for picture in pictures[:, 0]:
        half, (x, y) = random.integers(5, 10), random.integers(12, 15, 2) + off
        width = max(1, thick + random.integers(-1, 2))
        picture[max(0, y - half) : y + half, x : x + width] = random.integers(180, 256)
        picture[y : y + width, max(0, x - half) : x + half] = 255
    return pictures


def readings(count: int, seed: int, low: float = 0.5, names: tuple[str, ...] = NAMES) -> list[Reading]:
    random = np.random.default_rng(seed)
    return [Reading(str(random.choice(names)), float(random.uniform(low, 1)), ()) for _ in range(count)]


@pytest.fixture(scope="module")
def card() -> ModelCard:
    about = measure_reference(
        written(1000, 0),
        *zip(*[(each.text, each.confidence) for each in readings(1000, 0)], strict=True),
        count_classes=True,
    )
    empty = {
        "data_settings": {},
        "model_settings": {},
        "preprocessing": {},
        "figures": {},
        "checks": {},
        "versions": {},
    }
    return ModelCard(
        **{"kind": "character", "data_class": "EMNIST", "model_class": "CNN", "decoding": None, "blank": None},
        **{"source": "crosses", "created": "", "output_dims": (1,), "input_dims": (1, 28, 28), "reference": about},
        **{"classes": NAMES, "choices": NAMES, **empty},
    )


@pytest.fixture
def kept(tmp_path: Path, monkeypatch):
    """Return a function that keeps pictures as if they came at some time, and the store."""
    opened = Store.open(tmp_path / "kept.sqlite")
    opened._connection.execute("PRAGMA synchronous = OFF")  # nothing has to last here

    def keep(digest: str, pictures, read, days_ago: float = 0.5, wrong: int = 0, right: int = 0) -> None:
        moment = (datetime.now(UTC) - timedelta(days=days_ago)).isoformat(timespec="seconds")
        with monkeypatch.context() as patched:
            patched.setattr(store, "_now", lambda: moment)
            ids = [opened.keep(b"", seen, one, digest, "pen") for seen, one in zip(pictures, read, strict=True)]
            for number, (id, one) in enumerate(zip(ids, read, strict=True)):
                if number < wrong + right:
                    opened.correct(id, "z" if number < wrong else one.text)

    yield opened, keep
    opened.close()


def levels(found) -> dict[str, str]:
    return {shift.name: shift.level for shift in found.shifts}


def test_visitors_who_write_as_in_training_raise_no_alarm(kept, card):
    opened, keep = kept
    assert build_report(opened, card.digest, card.reference).status == "too few to tell"
    keep(card.digest, written(29, 1), readings(29, 1))
    found = build_report(opened, card.digest, card.reference)
    assert (found.status, found.shifts) == ("too few to tell", ())
    assert "29 pictures were kept" in found.summary
    for count, seed in ((3, 2), (300, 3)):
        keep(card.digest, written(count, seed), readings(count, seed))
        found = build_report(opened, card.digest, card.reference)
        assert found.status == "as in training", found.summary
        assert set(levels(found).values()) == {"none"}
        assert set(levels(found)) == {"confidence", "ink", "contrast", "width", "height", "centre", "classes"}


CHANGES = {
    "thinner pens": (written(150, 1, thick=1), readings(150, 1), "ink", "there is less ink"),
    "off the middle": (written(150, 1, off=4), readings(150, 1), "centre", "further from the middle"),
    "less sure": (written(150, 1), readings(150, 1, low=0.2), "confidence", "less sure"),
    "other letters": (written(150, 1), readings(150, 1, names=("a", "b")), "classes", "other things are written: '"),
    "unknown letters": (written(150, 1), readings(150, 1, names=(*NAMES, "?", "?", "?")), "classes", "'?' is"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_real_change_is_named(kept, card, change):
    opened, keep = kept
    pictures, read, name, words = CHANGES[change]
    keep(card.digest, written(200, 9), readings(200, 9), days_ago=20)
    keep(card.digest, pictures, read)
    found = build_report(opened, card.digest, card.reference, datetime.now(UTC) - timedelta(days=7))
    assert found.status == "drifting"
    assert levels(found)[name] in ("some", "strong")
    assert words in next(shift.meaning for shift in found.shifts if shift.name == name)
    assert words.lower() in found.summary.lower()
    assert found.period.pictures == 150
    before = build_report(opened, card.digest, card.reference, datetime.now(UTC) - timedelta(days=27))
    assert before.period.pictures == 350
    assert len(before.days) == len(found.days) == 2


def test_only_pictures_of_this_model_count(kept, card):
    opened, keep = kept
    keep("another model", written(100, 1, thick=1), readings(100, 1))
    keep(card.digest, written(50, 2), readings(50, 2), wrong=5, right=15)
    found = build_report(opened, card.digest, card.reference)
    assert (found.period.pictures, found.other_models) == (50, 100)
    assert found.status == "as in training"
    assert (found.period.labelled, found.period.corrected, found.period.corrected_share) == (20, 5, 0.25)
    low, high = found.period.corrected_interval
    assert low < 0.25 < high
    without = ModelCard(**{**vars(card), "reference": None})
    assert build_report(opened, without.digest, without.reference).status == "nothing to compare with"


def browser(opened: Store, card: ModelCard):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that httpx has a successor
        from starlette.testclient import TestClient

    return TestClient(Starlette(routes=drift_page.routes(opened, card.digest, card.reference)))


def test_the_page_says_it_without_pictures_and_scripts(kept, card):
    opened, keep = kept
    keep(card.digest, written(60, 1), readings(60, 1), days_ago=9)
    keep(card.digest, written(60, 2, thick=1), [Reading("<script>", 0.9, ())] * 60, wrong=3, right=7)
    client = browser(opened, card)
    answer = client.get("/drift")
    assert answer.status_code == 200
    assert "Drifting" in answer.text
    assert "30%" in answer.text
    assert "<script" not in answer.text
    assert "&lt;script&gt;" in answer.text
    without_charts = re.sub('src="data:image/svg[^"]*"', "", answer.text)
    assert not re.search("http|src=", without_charts)
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.text.count("<img") == answer.text.count('" alt="') == 9 - 1
    found = client.get("/drift.json?days=30").json()
    assert found["period"]["pictures"] == 120
    assert {shift["level"] for shift in found["shifts"]} <= {"none", "some", "strong"}
    for days in ("x", "0", "-1", "99999", "1.5", "", "٣"):
        assert client.get(f"/drift?days={days}").status_code == 400
        assert "days must be" in client.get(f"/drift.json?days={days}").json()["error"]


def test_the_page_of_a_store_without_pictures_says_so(kept, card):
    client = browser(kept[0], card)
    assert "Too few to tell" in client.get("/drift").text
    json.dumps(client.get("/drift.json").json(), allow_nan=False)


def test_the_program_prints_it_and_can_fail(kept, card, tmp_path, capsys):
    opened, keep = kept
    (tmp_path / "shipped").mkdir()
    (tmp_path / "shipped" / "model.json").write_text(card.as_json(), encoding="utf-8")

    def run(*arguments: object) -> tuple[int, str]:
        code = 0
        try:
            program.run(drift, [str(opened.path), str(tmp_path / "shipped"), *map(str, arguments)])
        except SystemExit as end:
            code = end.code
        written = capsys.readouterr()
        return code, " ".join((written.out + written.err).split())

    keep(card.digest, written(100, 1, thick=1), readings(100, 1), wrong=2, right=2)
    code, text = run()
    assert code == 0
    assert "Drifting. " in text
    assert "other models" not in text
    assert "2 of 4 readings that visitors judged were wrong: 50%" in text
    assert run("--fail", True)[0] == 3
    assert run("--days", 0) == (2, "error: days must be from 1 to 3650, not 0.")
    with pytest.raises(UserError, match="not a shipped model"):
        drift(opened.path, tmp_path)
