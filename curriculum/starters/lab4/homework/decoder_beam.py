"""Exercise 1: write the text of a picture by beam search."""

from collections.abc import Callable

import torch
from torch import Tensor

from text_recognizer.models.text_decoder import TextDecoder

Ask = Callable[[list[list[int]]], Tensor]


def ask_decoder(decoder: TextDecoder, memory: Tensor) -> Ask:
    """Return a function that says what a decoder expects behind some texts. This one is done for you.

    Args:
        decoder: in evaluation mode.
        memory: (1, S, dim), one picture.

    Returns:
        a function of N texts of the same length T, each a list of classes without the start token. It returns (N, C):
        for each text, the log-probability of each class to be the next.
    """

    @torch.no_grad()
    def ask(texts: list[list[int]]) -> Tensor:
        tokens = torch.tensor([[decoder.start, *text] for text in texts], device=memory.device)
        return decoder(tokens, memory.expand(len(texts), -1, -1))[:, :, -1].float().log_softmax(dim=1)

    return ask


def beam_search(ask: Ask, end: int, length: int, beam_width: int) -> tuple[list[int], float]:
    """Find a probable text by beam search.

    Args:
        ask: what comes next, as `ask_decoder` says. At first, the only text is the empty one: `[[]]`.
        end: the class that ends a text.
        length: the most classes of a text, the end included, at least 1. A text of so many classes is finished, whether
            it has an end or not.
        beam_width: how many of all continuations of all texts are kept at each step, at least 1. Those that end are
            put aside; with the others the search goes on.

    Returns:
        of all finished texts that it has found, the most probable one, without the end. And its log-probability: the
        sum of those of all its classes, the end included.
    """
    raise NotImplementedError("beam_search() in homework/decoder_beam.py is still a stub: write its body.")
