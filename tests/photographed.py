"""Photographs of handwriting, made up: what a phone's camera does to ink on paper, as far as it matters."""

import io

import cv2
import numpy as np
from PIL import Image

# How hard a photograph is: what each number is of, see `photograph`.
SEVERITIES = {
    "clean": {"turn": 0, "tilt": 0.0, "shade": 0.0, "blur": 0.0, "noise": 0.0, "contrast": 1.0, "quality": 95},
    "mild": {"turn": 3, "tilt": 0.02, "shade": 0.2, "blur": 0.6, "noise": 2.0, "contrast": 0.85, "quality": 85},
    "middle": {"turn": 6, "tilt": 0.05, "shade": 0.45, "blur": 1.2, "noise": 5.0, "contrast": 0.65, "quality": 70},
    "hard": {"turn": 10, "tilt": 0.08, "shade": 0.65, "blur": 2.0, "noise": 9.0, "contrast": 0.45, "quality": 50},
}


def enlarge(picture: np.ndarray, factor: int) -> np.ndarray:
    """A small picture of ink (H, W) uint8, `factor` times as large, with edges as sharp as a pen's."""
    large = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC).astype(np.float32)
    large = cv2.GaussianBlur(large, (0, 0), factor / 4)
    return ((large - 128) * factor / 3 + 128).clip(0, 255).astype(np.uint8)


def photograph(
    ink: np.ndarray,
    random: np.random.Generator,
    severity: str = "middle",
    board: bool = False,
    rules: int = 0,
    squared: bool = False,
    rim: bool = False,
    margin: float = 0.35,
) -> bytes:
    """Photograph ink (H, W) uint8, 255 where it is, and return the camera's JPEG.

    Args:
        ink: at about the size that it has in the photo.
        random: where everything comes from.
        severity: a key of `SEVERITIES`. `turn` is in degrees, at most; `tilt` is by how much the far corners move, as a
            share of the page; `shade` is by how much the darkest corner is darker; `blur` and `noise` are standard
            deviations, in pixels and grey levels; `contrast` is the ink's darkness, 1 for black; `quality` is JPEG's.
        board: chalk on a board, not a pen on paper.
        rules: pixels between ruled lines; 0 for blank paper.
        squared: lines in both directions.
        rim: the table's edge is in the picture.
        margin: paper around the ink, as a share of its shorter side.
    """
    how = SEVERITIES[severity]
    edge = int(margin * min(ink.shape)) + 8
    around = [edge + int(random.integers(0, edge)) for _ in range(4)]
    page = np.pad(ink, (around[:2], around[2:])).astype(np.float32) / 255
    height, width = page.shape

    lines = np.zeros_like(page)
    if rules:
        thick = max(1, rules // 25)
        for start in range(int(random.integers(rules)), height, rules):
            lines[start : start + thick] = 1
        for start in range(int(random.integers(rules)), width if squared else 0, rules):
            lines[:, start : start + thick] = 1
    page, lines = (_held(sheet, how, random.bit_generator.state) for sheet in (page, lines))
    random.random(16)  # both sheets were held alike; what follows is new

    tint, pen = random.uniform(0.86, 1.0, 3), random.uniform(0.0, 0.35, 3)
    reflected = tint * np.ones((*page.shape, 1))
    reflected *= 1 - 0.3 * lines[..., None] * np.array([1.2, 0.9, 0.5])
    cover = page[..., None] * how["contrast"]
    reflected = reflected * (1 - cover) + cover * pen
    if board:
        reflected = 0.12 + 0.75 * (1 - reflected) * np.array([0.95, 1.0, 0.97])

    y, x = np.mgrid[0 : page.shape[0], 0 : page.shape[1]] / max(page.shape)
    angle = random.uniform(0, 2 * np.pi)
    along = x * np.cos(angle) + y * np.sin(angle)
    along = (along - along.min()) / np.ptp(along)
    edge_of_shadow = 1 / (1 + np.exp(-(along - random.uniform(0.3, 0.7)) / 0.06))
    light = 1 - how["shade"] * (0.6 * along + 0.4 * edge_of_shadow)
    grain = cv2.GaussianBlur(random.normal(0, 1, page.shape), (0, 0), 1.5) * 0.01 * how["noise"]
    seen = reflected * (light * (1 + grain))[..., None] * random.uniform(200, 250)
    if rim:
        strip = max(4, min(page.shape) // 12)
        seen[:, :strip] = 45 + 10 * random.random((page.shape[0], strip, 1))
    if how["blur"]:
        seen = cv2.GaussianBlur(seen, (0, 0), how["blur"])
    seen += random.normal(0, how["noise"], seen.shape)
    file = io.BytesIO()
    Image.fromarray(seen.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=how["quality"])
    return file.getvalue()


def _held(sheet: np.ndarray, how: dict, state: dict) -> np.ndarray:
    """Turn and tilt a sheet; the same state of a generator does the same to any sheet."""
    random = np.random.default_rng()
    random.bit_generator.state = state
    height, width = sheet.shape
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)
    turned = cv2.getRotationMatrix2D((width / 2, height / 2), random.uniform(-how["turn"], how["turn"]), 1.0)
    moved = corners @ turned[:, :2].T.astype(np.float32) + turned[:, 2].astype(np.float32)
    moved += random.uniform(-how["tilt"], how["tilt"], (4, 2)) * min(height, width)
    moved -= moved.min(axis=0)
    size = np.ceil(moved.max(axis=0)).astype(int)
    view = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    return cv2.warpPerspective(sheet, view, [int(side) for side in size], flags=cv2.INTER_LINEAR)
