"""Metrics of a server for Prometheus (https://prometheus.io/docs/instrumenting/exposition_formats/)."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
CONFIDENCE_BUCKETS = tuple(tenth / 10 for tenth in range(1, 10)) + (0.95, 0.99, 1.0)


class Metrics:
    """Counters, gauges and histograms of one server, in their own registry.

    They contain only numbers: nothing that users wrote, and nothing about the users.

    Attributes:
        pictures: how many pictures were read.
        kept_pictures: how many pictures were kept.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        options = {"registry": self.registry}
        self._requests = Counter("http_requests", "Requests answered.", ["route", "status"], **options)
        self._seconds = Histogram(
            "http_request_seconds",
            "Seconds from the header of a request to its answer.",
            ["route"],
            buckets=SECONDS_BUCKETS,
            **options,
        )
        self._preparing = Histogram(
            "prepare_seconds",
            "Seconds from the bytes of a picture to the network's input.",
            buckets=SECONDS_BUCKETS,
            **options,
        )
        self._inference = Histogram(
            "inference_seconds", "Seconds from the network's input to the reading.", buckets=SECONDS_BUCKETS, **options
        )
        self._confidence = Histogram(
            "confidence", "Confidence of the readings, 0 to 1.", buckets=CONFIDENCE_BUCKETS, **options
        )
        self._rejected = Counter("rejected", "Requests that were refused.", ["reason"], **options)
        self._kept = Counter("kept", "Pictures that were kept, with the user's consent.", **options)
        self._labelled = Counter("labelled", "Readings that a user has confirmed or corrected.", ["verdict"], **options)
        self._forgotten = Counter("forgotten", "Pictures that were deleted on request.", **options)
        self._in_flight = Gauge("http_requests_in_flight", "Requests that are being processed.", **options)
        self._queue = Gauge("queue_length", "Pictures in the queue.", **options)
        self.pictures = self.kept_pictures = 0

    def watch_queue(self, length: Callable[[], int]) -> None:
        """Report what `length` returns as the length of the queue."""
        self._queue.set_function(length)

    def count_request_start(self) -> None:
        """Count a request that has arrived."""
        self._in_flight.inc()

    def count_request_end(self, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        self._in_flight.dec()
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def count_reading(self, preparing: float, inference: float, confidence: float) -> None:
        """Count a picture that was read.

        Args:
            preparing: seconds of preprocessing.
            inference: seconds of the network and the decoding.
            confidence: of the reading, 0 to 1.
        """
        self._preparing.observe(preparing)
        self._inference.observe(inference)
        self._confidence.observe(confidence)
        self.pictures += 1

    def count_rejection(self, reason: str) -> None:
        """Count a request that was refused, by the reason."""
        self._rejected.labels(reason).inc()

    def count_kept(self) -> None:
        """Count a picture that was kept."""
        self._kept.inc()
        self.kept_pictures += 1

    def count_label(self, right: bool) -> None:
        """Count a reading that a user has confirmed (`right`) or corrected."""
        self._labelled.labels("right" if right else "wrong").inc()

    def count_forgotten(self) -> None:
        """Count a picture that was deleted on request."""
        self._forgotten.inc()

    def text(self) -> bytes:
        """Return all metrics in the text format of Prometheus."""
        return generate_latest(self.registry)
