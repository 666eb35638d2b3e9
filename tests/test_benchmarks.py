"""The table in docs/speed.md is that of their results, and its figures are of this project's benchmarks."""

import json

from benchmarks import table
from benchmarks.timing import RESULTS, Benchmark, Claim


def test_the_page_on_speed_shows_the_results():
    text = table.PAGE.read_text(encoding="utf-8")
    assert table.START + table.rows() + table.END in text


def test_every_result_says_on_what_it_was_measured():
    for path in RESULTS.glob("*/*.json"):
        result = json.loads(path.read_text(encoding="utf-8"))
        assert {"on", "machine", "claims"} <= result.keys(), path.name


def test_contestants_take_turns_and_the_first_round_does_not_count(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("benchmarks.timing.RESULTS", tmp_path)
    calls = []
    benchmark = Benchmark("turns", "things", "nothing", repeats=3)
    benchmark.add("slow", lambda: calls.append("slow") or 2.0, items=10)
    benchmark.add("fast", lambda: calls.append("fast") or (9.0 if calls.count("fast") == 1 else 0.5), items=10)
    assert benchmark.run(base="slow") == {"slow": 5.0, "fast": 20.0}
    assert calls == ["slow", "fast"] * 4
    benchmark.claim(Claim("speed", "2 times", "4 times"))
    result = json.loads(next(tmp_path.glob("*/turns.json")).read_text())
    assert result["ratio"] == {"slow": 1.0, "fast": 4.0}
    assert result["claims"] == [{"what": "speed", "wanted": "2 times", "measured": "4 times"}]
