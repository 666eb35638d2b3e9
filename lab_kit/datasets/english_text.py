"""English text to write lines of: the sentences of the Brown corpus, and Python's own documentation."""

import re
from pathlib import Path

from lab_kit.datasets.zip_member import open_zip, read_member
from lab_kit.errors import UserError

SAMPLES, SAMPLE_BYTES = 500, 100_000  # in the corpus; in a sample of 2,000 words with their tags, at most


def python_documentation() -> str:
    """Return the documentation that every Python brings along, about half a megabyte."""
    from pydoc_data.topics import topics  # here: half a megabyte that most runs have no use for

    return " ".join(topics[name] for name in sorted(topics))


def brown_sentences(path: Path) -> list[list[str]]:
    """Return the words of each sentence. The corpus has a sentence on each line, its words as `word/tag`."""
    with open_zip(path, "the Brown corpus") as archive:
        names = sorted(name for name in set(archive.namelist()) if re.fullmatch(r"brown/c[a-z]\d\d", name))
        if len(names) > SAMPLES:
            raise UserError(f"{path.name} is not the Brown corpus: {len(names)} samples where it has {SAMPLES}.")
        samples = [read_member(archive, name, SAMPLE_BYTES).decode("utf-8") for name in names]
    lines = (line.split() for sample in samples for line in sample.splitlines())
    return [[token.rpartition("/")[0] if "/" in token else token for token in line] for line in lines if line]
