"""How many cores does this run keep busy, and how many do other programs?"""

import time
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class CpuLoad:
    """Busy cores over some time.

    Args:
        own: by this process and those that it has started.
        others: by all other programs on this machine.
        seconds: how long the time was.
    """

    own: float
    others: float
    seconds: float


class CpuClock:
    """Measures the load from one look to the next."""

    def __init__(self) -> None:
        self._before = _now()

    def look(self) -> CpuLoad:
        """Return the load since the last look, or since this clock was made."""
        before, self._before = self._before, _now()
        seconds, own, everyone = (new - old for new, old in zip(self._before, before, strict=True))
        seconds = max(seconds, 1e-9)
        own = max(0.0, own / seconds)
        return CpuLoad(own, max(0.0, everyone / seconds - own), seconds)

    @property
    def age(self) -> float:
        """Return the seconds since the last look."""
        return time.perf_counter() - self._before[0]


def _now() -> tuple[float, float, float]:
    """Return the time, and the seconds of CPU that this run and everyone has used so far."""
    return time.perf_counter(), _of_this_run(), _of_everyone()


def _of_this_run() -> float:
    this = psutil.Process()
    used = this.cpu_times()
    ended = getattr(used, "children_user", 0.0) + getattr(used, "children_system", 0.0)  # children that it waited for
    return used.user + used.system + ended + sum(map(_of, this.children(recursive=True)))


def _of(process: psutil.Process) -> float:
    try:
        used = process.cpu_times()
    except psutil.Error:  # it has just ended
        return 0.0
    return used.user + used.system


def _of_everyone() -> float:
    used = psutil.cpu_times()
    return sum(getattr(used, name, 0.0) for name in ("user", "nice", "system"))
