"""Photograph lines: what a reader of lines sees of them when they come out of a phone's camera."""

import dataclasses

import cv2
import numpy as np

from lab_kit.errors import UserError
from lab_kit.photo.line import prepare_line
from lab_kit.photo.simulation import LOOKS, Look, photograph

LETTER = 110  # pixels: how high a photographed line is
RULES, SQUARES = 1.0, 0.5  # heights of a line from rule to rule


def as_written(line: np.ndarray) -> np.ndarray:
    """Return the picture of a line, (H, W) uint8, at the size that it has in a photo."""
    scale = LETTER / len(line)
    return cv2.resize(line, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)


def of_lines(look: Look) -> Look:
    """Return a look for a line, whose rules and margins are counted in heights of a line."""
    rules = look.rules and (SQUARES if look.squared else RULES)
    return dataclasses.replace(look, margin=0.5, near=False, rules=rules)


def photographed(line: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return a line as it is after a photo was taken of it, under one of the conditions of `LOOKS`, and prepared.

    Args:
        line: (H, W) uint8: ink 255 on paper 0.
        random: chooses the condition, and all else.

    Returns:
        (H, another W) uint8; the line itself, if nothing can be found in the photo.
    """
    look = LOOKS[random.choice(list(LOOKS))]
    try:
        return prepare_line(photograph(as_written(line), of_lines(look), random), len(line))
    except UserError:
        return line
