"""English text to write lines of: the sentences of the Brown corpus, and Python's own documentation."""

import re
from pathlib import Path

from lab_kit.datasets.zip_archive import open_zip


def python_documentation() -> str:
    """Return the documentation that every Python brings along, about half a megabyte."""
    from pydoc_data.topics import topics  # here: half a megabyte that most runs have no use for

    return " ".join(topics[name] for name in sorted(topics))


def brown_sentences(path: Path) -> list[list[str]]:
    """Return the words of each sentence. The corpus has a sentence on each line, its words as `word/tag`."""
    with open_zip(path, "the Brown corpus") as archive:
        names = sorted(name for name in archive.namelist() if re.fullmatch(r"brown/c[a-z]\d\d", name))
        samples = [archive.read(name).decode("utf-8") for name in names]
    lines = (line.split() for sample in samples for line in sample.splitlines())
    return [[token.rpartition("/")[0] if "/" in token else token for token in line] for line in lines if line]
