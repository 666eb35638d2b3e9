"""Review a run's pictures, those with the highest loss first, and propose what to do with them.

    python -m training.review training/logs/ImageFolder-TransferNet/version_0

The proposals are in the run's folder, in review.csv. They change nothing until `lab_kit.curation.apply_review`.
"""

from pathlib import Path

from lab_kit import program
from lab_kit.curation import review_page
from lab_kit.curation.review_queue import Picture, ReviewQueue
from lab_kit.errors import UserError
from text_recognizer.data.image_folder import ImageFolder
from training import load_run
from training.interpretation import Scores, score

REVIEW = "review.csv"


def review(run: Path, port: int = 0, open_browser: bool = True, public_name: list[str] | None = None) -> None:
    """Show a run's pictures in a web page on this computer, the highest losses first, to be reviewed by keyboard.

    Args:
        run: the folder of a run on your own pictures.
        port: of the page's address; 0 takes any that is free.
        open_browser: open the page in the browser.
        public_name: the name of a proxy in front of the page, as in the browser's address.
    """
    review_page.serve(queue_of(run), port=port, open_browser=open_browser, public=public_name or ())


def queue_of(run: str | Path) -> ReviewQueue:
    """Let a run's model answer all its pictures, and return the queue; proposals made earlier are kept.

    Raises:
        UserError: it is not the folder of a run on one's own pictures.
    """
    found = load_run.load(run)
    if not isinstance(found.data, ImageFolder):
        raise UserError(f"A review is for your own pictures, and this run is on {type(found.data).__name__}.")
    return make_queue(score(found.model, found.data), found.data, found.folder / REVIEW)


def make_queue(scores: Scores, data: ImageFolder, path: Path) -> ReviewQueue:
    """Return the queue of all pictures but those of a test folder.

    Raises:
        UserError: what is at `path` is not a review.
    """
    of_data = data.pictures()
    pictures = [
        Picture(
            file=of_data[index][1].file,
            split=split,
            label=scores.mapping[label],
            predicted=scores.mapping[predicted],
            loss=round(loss, 4),
            confidence=round(confidence, 4),
        )
        for index, split, label, predicted, loss, confidence in zip(
            scores.indices.tolist(),
            scores.splits,
            scores.labels.tolist(),
            scores.predicted.tolist(),
            scores.losses.tolist(),
            scores.confidence.tolist(),
            strict=True,
        )
        if of_data[index][0] == data.folder
    ]
    return ReviewQueue.create(path, data.folder, scores.mapping, pictures)


if __name__ == "__main__":
    program.run(review)
