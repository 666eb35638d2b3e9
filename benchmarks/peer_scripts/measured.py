"""What is measured of a program: seconds of training to an accuracy, pictures a second, memory."""

import json
import resource
import time

WANTED = 0.985  # of the test pictures


class Measured:
    """A clock that starts with the first epoch."""

    def __init__(self, pictures: int) -> None:
        self.pictures, self.epochs, self.accuracy = pictures, 0, 0.0
        self.start = self.end = 0.0

    def epoch_starts(self) -> None:
        """Start the clock, with the first epoch."""
        self.start = self.start or time.perf_counter()

    def epoch_ends(self, accuracy: float) -> bool:
        """Return whether the accuracy is what is wanted."""
        self.end, self.accuracy = time.perf_counter(), accuracy
        self.epochs += 1
        return accuracy >= WANTED

    def report(self) -> None:
        """Print all of it as a line of JSON."""
        seconds = self.end - self.start
        memory = sum(
            resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        )  # of children, that of the largest
        print(json.dumps({
            "training_s": seconds, "epochs": self.epochs, "test_acc": self.accuracy, "memory_mb": memory / 1024,
            "pictures_per_s": self.epochs * self.pictures / seconds,
        }))  # fmt: skip
