"""What the web app stands: how many drawings a second it reads for eight visitors, and what ten times as many do to it.

    python benchmarks/web_load.py FOLDER [--seconds 60]

FOLDER is a shipped model (`python -m text_recognizer.export RUN`). The server is a process of its own; what asks runs
in this one, on the same machine. First eight connections ask one after the other, each as soon as it has its answer (a
closed loop). Then requests come at ten times that rate whether the others have been answered or not (an open loop),
each counted from the moment at which it was due: what is served must stay fast, the rest be refused at once, and the
server's memory stay as it is.
"""

import argparse
import asyncio
import io
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)

import numpy as np  # noqa: E402
import psutil  # noqa: E402
import torch  # noqa: E402
from PIL import Image, ImageFilter  # noqa: E402

from benchmarks.timing import Claim, write_json  # noqa: E402
from lab_kit.handwriting.pen_strokes import PenStrokes  # noqa: E402

VISITORS = 8
CONNECTIONS = 400  # of the open loop, at most
OVERLOAD = 10  # times the rate that was served
DRAWINGS = 200
SIZE = 140  # pixels: what the page sends
HEAD = "POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\n"
CHARACTERS = "0123456789ABDEFGHKMNPQRSTWYabdefghknqrt"


def drawings() -> list[bytes]:
    """Return requests with drawings of different characters by different writers, as the page sends them."""
    labels = torch.arange(DRAWINGS) % len(CHARACTERS)
    pictures = PenStrokes(list(CHARACTERS)).draw(labels, torch.arange(DRAWINGS), torch.Generator().manual_seed(0))
    found = []
    for values in pictures.numpy():
        large = Image.fromarray(255 - values).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
        sharp = large.filter(ImageFilter.GaussianBlur(2)).point(
            lambda grey: int(np.clip(4 * (grey - 128) + 128, 0, 255))
        )
        content = io.BytesIO()
        sharp.convert("RGB").save(content, "PNG")
        body = content.getvalue()
        found.append(f"{HEAD}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    return found


class Visitor:
    """A connection that is kept open."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None

    async def ask(self, request: bytes) -> int:
        """Send a request; return the status of the answer, or 0 if there is none."""
        try:
            if self._reader is None:
                self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
            self._writer.write(request)
            head = await self._reader.readuntil(b"\r\n\r\n")
            length = int(re.search(rb"content-length: (\d+)", head)[1])
            await self._reader.readexactly(length)
            return int(head[9:12])
        except (OSError, asyncio.IncompleteReadError):
            self.close()
            return 0

    def close(self) -> None:
        """Close the connection."""
        if self._reader is not None:
            self._writer.close()
            self._reader = None


async def closed_loop(port: int, requests: list[bytes], seconds: float) -> dict[str, float]:
    """Let some visitors ask without a pause; return requests a second, and milliseconds."""
    waits: list[float] = []
    statuses: Counter[int] = Counter()
    end = time.perf_counter() + seconds

    async def visit(number: int) -> None:
        visitor = Visitor(port)
        while (start := time.perf_counter()) < end:
            statuses[await visitor.ask(requests[number % len(requests)])] += 1
            waits.append(time.perf_counter() - start)
            number += VISITORS
        visitor.close()

    start = time.perf_counter()
    await asyncio.gather(*(visit(number) for number in range(VISITORS)))
    rate = statuses[200] / (time.perf_counter() - start)
    return {"rate": rate, "errors": statuses.total() - statuses[200]} | _quantiles(waits)


async def open_loop(port: int, requests: list[bytes], rate: float, seconds: float, process: psutil.Process) -> dict:
    """Let requests come at a rate, whatever becomes of them; return what became of them, and the server's memory."""
    waits: dict[int, list[float]] = {}
    free = [Visitor(port) for _ in range(CONNECTIONS)]
    everyone, tasks, memory, not_sent = list(free), set(), [], 0

    async def visit(visitor: Visitor, request: bytes, due: float) -> None:
        status = await visitor.ask(request)
        waits.setdefault(status, []).append(time.perf_counter() - due)
        free.append(visitor)

    start = next_look = time.perf_counter()
    number = 0
    while (now := time.perf_counter()) < start + seconds:
        while start + number / rate <= now:
            if free:
                task = asyncio.create_task(visit(free.pop(), requests[number % len(requests)], start + number / rate))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            else:
                not_sent += 1
            number += 1
        if now >= next_look:
            memory.append(process.memory_info().rss / 1e6)
            next_look += 1
        await asyncio.sleep(0.002)
    await asyncio.gather(*tasks)
    for visitor in everyone:
        visitor.close()
    counts = {status: len(found) for status, found in sorted(waits.items())}
    sent = sum(counts.values())
    return {
        "offered_rate": rate,
        "sent": sent,
        "not_sent": not_sent,  # all connections were waiting for an answer
        "statuses": counts,
        "refused_share": counts.get(429, 0) / sent,
        "served_rate": counts.get(200, 0) / seconds,
        "served": _quantiles(waits.get(200, [])),
        "refused": _quantiles(waits.get(429, [])),
        "errors": sent - counts.get(200, 0) - counts.get(429, 0),
        "memory_mb": [round(value, 1) for value in memory],
    }


def _quantiles(waits: list[float]) -> dict[str, float]:
    if not waits:
        return {}
    return {f"p{share}": float(1000 * np.quantile(waits, share / 100)) for share in (50, 95, 99)}


def start(folder: Path, *more: str) -> tuple[subprocess.Popen, int]:
    """Start the server; return its process and its port."""
    words = [sys.executable, "-m", "app", str(folder), "--port", "0", *more]
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    port = 0
    while (line := process.stdout.readline()) and "Ctrl-C" not in line:
        if found := re.search(r"http://127.0.0.1:(\d+)/$", line.strip()):
            port = int(found[1])
    if not line:
        raise SystemExit(process.wait())
    return process, port


async def measure(folder: Path, seconds: float, more: list[str]) -> dict[str, object]:
    """Start a server, ask it in both ways, and end it."""
    requests = drawings()
    process, port = start(folder, *more)
    try:
        await closed_loop(port, requests, min(2.0, seconds))  # warms up
        watched = psutil.Process(process.pid)
        before = watched.cpu_times()
        usual = await closed_loop(port, requests, seconds)
        after = watched.cpu_times()
        usual["cpu_ms"] = 1000 * (after.user + after.system - before.user - before.system) / (usual["rate"] * seconds)
        print(f"{VISITORS} visitors: {usual['rate']:,.0f} readings/s, {_formatted(usual)}, {usual['errors']} errors")
        print(f"  a reading takes {usual['cpu_ms']:.1f} ms of one core, in all")
        overload = await open_loop(port, requests, OVERLOAD * usual["rate"], seconds / 2, watched)
        low, high = min(overload["memory_mb"][1:]), max(overload["memory_mb"][1:])
        print(f"{OVERLOAD} times as many: {overload['refused_share']:.1%} refused, {overload['errors']} errors")
        print(f"  served: {overload['served_rate']:,.0f}/s, {_formatted(overload['served'])}")
        print(f"  refused: {_formatted(overload['refused'])}; memory {low:.0f} to {high:.0f} MB")
        again = await closed_loop(port, requests, min(5.0, seconds))
        print(f"afterwards: {again['rate']:,.0f} readings/s, {_formatted(again)}")
    finally:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGTERM)
        code = process.wait(timeout=30)
    return {"closed_loop": usual, "open_loop": overload, "afterwards": again, "exit_code": code}


def _formatted(found: dict[str, float]) -> str:
    return ", ".join(f"{name} {found[name]:.0f} ms" for name in ("p50", "p95", "p99") if name in found)


def main() -> None:
    """Measure, print, write the JSON."""
    parser = argparse.ArgumentParser(description="How much the web app stands.")
    parser.add_argument("folder", type=Path, help="of a shipped model")
    parser.add_argument("--seconds", type=float, default=60.0, help="of the closed loop; the open loop has half of it")
    parser.add_argument("--backend", default="onnx")
    parser.add_argument("--workers", default="2")
    arguments = parser.parse_args()
    more = ["--backend", arguments.backend, "--workers", arguments.workers]
    found = asyncio.run(measure(arguments.folder.resolve(), arguments.seconds, more))
    usual, overload = found["closed_loop"], found["open_loop"]
    memory = overload["memory_mb"]
    claims = [
        Claim(f"{VISITORS} visitors at once, p99 of the answers", "below 100 ms", f"{usual['p99']:.0f} ms"),
        Claim(f"{VISITORS} visitors at once, readings", "as many as possible", f"{usual['rate']:.0f}/s"),
        Claim(
            f"{OVERLOAD} times as many requests, p99 of those served",
            "below 1 s",
            f"{overload['served']['p99']:.0f} ms",
        ),
        Claim("Errors other than 429, both ways", "0", str(usual["errors"] + overload["errors"])),
        Claim("Growth of the server's memory under overload", "0 MB", f"{memory[-1] - memory[1]:+.0f} MB"),
        Claim("Exit code at SIGTERM", "0", str(found["exit_code"])),
    ]
    write_json("web_load", f"{arguments.folder.name}, {' '.join(more)}, {arguments.seconds:g} s", found, claims)


if __name__ == "__main__":
    main()
