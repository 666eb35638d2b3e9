"""What happens on a server, counted for Prometheus (https://prometheus.io/docs/instrumenting/exposition_formats/)."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SHARES = tuple(tenth / 10 for tenth in range(1, 10)) + (0.95, 0.99, 1.0)


class Metrics:
    """Counters and histograms of one server, in a registry of their own.

    They hold numbers only: nothing of what was written, nor of who wrote it.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        mine = {"registry": self.registry}
        self._requests = Counter("http_requests", "Requests answered.", ["route", "status"], **mine)
        self._seconds = Histogram(
            "http_request_seconds", "From the head of a request to its answer.", ["route"], buckets=SECONDS, **mine
        )
        self._preparing = Histogram(
            "prepare_seconds", "From a picture's bytes to what the network sees.", buckets=SECONDS, **mine
        )
        self._inference = Histogram(
            "inference_seconds", "From what the network sees to a reading.", buckets=SECONDS, **mine
        )
        self._confidence = Histogram("confidence", "How sure readings were, 0 to 1.", buckets=SHARES, **mine)
        self._rejected = Counter("rejected", "Requests that were refused.", ["reason"], **mine)
        self._kept = Counter("kept", "Pictures that were kept, with consent.", **mine)
        self._labelled = Counter("labelled", "Readings that a person has looked at.", ["verdict"], **mine)
        self._forgotten = Counter("forgotten", "Pictures that were forgotten on request.", **mine)
        self._in_flight = Gauge("http_requests_in_flight", "Requests that are being answered.", **mine)
        self._queue = Gauge("queue_length", "Pictures that wait for their turn.", **mine)
        self.pictures = self.kept_pictures = 0

    def watch(self, queue: Callable[[], int]) -> None:
        """Report the length of the queue as `queue` returns it."""
        self._queue.set_function(queue)

    def begin(self) -> None:
        """Count a request that has come."""
        self._in_flight.inc()

    def end(self, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        self._in_flight.dec()
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def read(self, preparing: float, inference: float, confidence: float) -> None:
        """Count a reading, with its seconds."""
        self._preparing.observe(preparing)
        self._inference.observe(inference)
        self._confidence.observe(confidence)
        self.pictures += 1

    def reject(self, reason: str) -> None:
        """Count a refusal, by its reason in one word."""
        self._rejected.labels(reason).inc()

    def keep(self) -> None:
        """Count a picture that was kept."""
        self._kept.inc()
        self.kept_pictures += 1

    def label(self, right: bool) -> None:
        """Count a reading that a person has confirmed, or corrected."""
        self._labelled.labels("right" if right else "wrong").inc()

    def forget(self) -> None:
        """Count a picture that was forgotten."""
        self._forgotten.inc()

    def text(self) -> bytes:
        """Return all of it in Prometheus' text format."""
        return generate_latest(self.registry)
