"""Case 8. A line reader with CTC: it learns most letters, but never writes one of them, and others come out twice."""

import torch
from torch import Tensor
from torch.nn import functional

CHARACTERS = "abcdefghijklmnopqrstuvwxyz "
BLANK = len(CHARACTERS)  # the last class: no character here


def line_loss(logits: Tensor, texts: list[str]) -> Tensor:
    """Return the CTC loss of a batch of lines.

    Args:
        logits: (B, S, 28): for each of S windows, the characters and, as the last class, the blank.
        texts: of the lines, in CHARACTERS.
    """
    log_probabilities = logits.log_softmax(dim=2).transpose(0, 1)  # (S, B, classes), as ctc_loss wants it
    targets = torch.tensor([CHARACTERS.index(character) for text in texts for character in text])
    windows = torch.full((len(texts),), logits.shape[1])
    lengths = torch.tensor([len(text) for text in texts])
    return functional.ctc_loss(log_probabilities, targets, windows, lengths)


def read(logits: Tensor) -> list[str]:
    """Return the text of each line by greedy decoding: the best class of each window, repeats and blanks left out."""
    texts = []
    for best in logits.argmax(dim=2).tolist():
        kept = [now for before, now in zip([BLANK, *best], best, strict=False) if now not in (before, BLANK)]
        texts.append("".join(CHARACTERS[k] for k in kept))
    return texts
