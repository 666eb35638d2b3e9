"""Read pictures with a shipped model.

python -m text_recognizer.predict shipped photo.jpg
python -m text_recognizer.predict shipped photo-of-a-page.jpg
python -m text_recognizer.predict shipped folder-of-photos --csv read.csv
"""

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from lab_kit.errors import UserError
from lab_kit.paths import readable
from lab_kit.plain_console import PlainConsole
from lab_kit.program import run
from text_recognizer.recognizer import Recognizer
from text_recognizer.shipping.backends import Backend


def predict(
    model: Path, pictures: Path, csv: Path | None = None, backend: Backend = "onnx", threads: int = 1, chunk: int = 64
) -> None:
    """Read a picture, or all pictures of a folder into a CSV file.

    A reader of lines reads a picture of several lines as a page, line by line.

    Args:
        model: the folder of a shipped model.
        pictures: a picture, or a folder with pictures.
        csv: the file to write for a folder; `<folder>-read.csv` beside it, if not given.
        backend: what runs the network.
        threads: how many share the work for one batch.
        chunk: pictures in a batch.
    """
    recognizer = Recognizer.load(model, backend, threads)
    if not pictures.exists():
        raise UserError(f"There is no {readable(pictures)}.")
    console = PlainConsole(soft_wrap=True)
    if not pictures.is_dir():
        if csv is not None:
            raise UserError("--csv is for a folder of pictures; what one picture says is printed.")
        reading = recognizer.read_page(pictures) if recognizer.kind == "line" else recognizer.predict(pictures)
        several = len(reading.lines) > 1
        console.print(_table([(line.text, line.confidence) for line in reading.lines] if several else reading.guesses))
        return
    table = csv or pictures.resolve().with_name(f"{pictures.resolve().name}-read.csv")
    counts = recognizer.predict_folder(pictures, table, chunk)
    refused = f", {counts['refused']:,} could not be: the last column says why" if counts["refused"] else ""
    console.print(f"{counts['read']:,} pictures read{refused}. Table: {readable(table)}")


def _table(texts: Sequence[tuple[str, float]]) -> Table:
    """Return a table of texts, one below the other, with their probabilities."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(justify="right")
    table.add_column(style="bold")
    table.add_column()
    for text, probability in texts:
        table.add_row(f"{probability:.1%}", text if text.strip() else repr(text), "█" * round(20 * probability))
    return table


if __name__ == "__main__":
    run(predict)
