"""Case 10. Lines out of letters: where two letters overlap, there are dark specks in the ink, and reading suffers."""

import torch
from torch import Tensor


def write_line(letters: Tensor, overlap: int) -> Tensor:
    """Put letters beside each other. Where two overlap, their ink is added, and is at most 255.

    Args:
        letters: (N, H, W) uint8, bright ink on black.
        overlap: columns that a letter shares with the next one.

    Returns:
        (H, N * W - (N - 1) * overlap) uint8.
    """
    count, height, width = letters.shape
    line = torch.zeros(height, count * width - (count - 1) * overlap, dtype=torch.uint8)
    for place, letter in enumerate(letters):
        start = place * (width - overlap)
        line[:, start : start + width] += letter
    return line.clamp(max=255)
