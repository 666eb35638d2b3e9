"""Make photos of clean writing, as phones take them: for tests and benchmarks, and to train on.

`LOOKS` has the conditions by name. A photo is made in the order in which a real one comes about: a sheet is printed and
written on, lies on a table, light falls on it, and a camera sees it from somewhere.
"""

import io
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

Colour = tuple[float, float, float]  # how much red, green and blue is reflected, 0 to 1

WHITE, CREAM, BLACKBOARD = (0.96, 0.96, 0.94), (0.93, 0.89, 0.78), (0.13, 0.19, 0.16)
BALLPOINT, GRAPHITE, RED, CHALK, MARKER = (0.1, 0.13, 0.4), (0.3, 0.3, 0.32), (0.75, 0.1, 0.12), (0.9,) * 3, (0.05,) * 3
TABLES = {
    "dark": (0.16, 0.13, 0.12),
    "middle": (0.42, 0.38, 0.34),
    "light": (0.72, 0.7, 0.66),
    "wood": (0.5, 0.33, 0.2),
}
RULE = 1 / 40  # of the distance of ruled lines: how thick they are
FRAME = 0.12  # of the sheet's longer side: how much of the table is seen around it
LUMINANCE = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True)
class Look:
    """What a photo looks like. Lengths are shares of the shorter side of the writing, if nothing else is said.

    Args:
        paper, pen: their colours.
        cover: how much of the paper's colour the pen hides.
        rules: distance of ruled lines; 0 for none.
        rule_contrast: of these lines, as a share of the pen's.
        squared: whether there are lines in both directions.
        behind: contrast of writing on the back of the paper, as a share of the pen's.
        shadow: share of the light that it takes away; 0 for none.
        softness: how wide the edge of the shadow is, as a share of the picture.
        table: what the whole sheet lies on; without, it fills the picture.
        things: what else is in the picture, of `THINGS`.
        margin: paper around the writing, at least.
        near: whether the writing is near the edge: there is hardly any margin at its left.
        turn: degrees by which the sheet is turned, at most.
        tilt: by how much its corners move, as a share of its shorter side, at most.
        blur: standard deviation in pixels.
        noise: standard deviation in grey levels.
        quality: of the JPEG file; 0 for no JPEG.
    """

    paper: Colour = WHITE
    pen: Colour = BALLPOINT
    cover: float = 0.9
    rules: float = 0.0
    rule_contrast: float = 0.4
    squared: bool = False
    behind: float = 0.0
    shadow: float = 0.15
    softness: float = 0.3
    table: str = ""
    things: tuple[str, ...] = ()
    margin: float = 0.4
    near: bool = False
    turn: float = 3.0
    tilt: float = 0.02
    blur: float = 0.8
    noise: float = 3.0
    quality: int = 80


def _pencil(**more: object) -> Look:
    return Look(pen=GRAPHITE, cover=0.7, **more)


LOOKS: dict[str, Look] = {
    "scan": Look(pen=MARKER, cover=1.0, shadow=0.0, turn=0.0, tilt=0.0, blur=0.3, noise=0.5, quality=95),
    "ballpoint": Look(),
    "cream paper, soft shadow": Look(paper=CREAM, shadow=0.5),
    "faint pencil": Look(pen=GRAPHITE, cover=0.3),
    "red pen": Look(pen=RED),
    "blackboard": Look(paper=BLACKBOARD, pen=CHALK, cover=0.8),
    "whiteboard": Look(pen=MARKER, shadow=0.35),
    "print-through": Look(behind=0.25),
    "near the edge": Look(near=True),
    "a finger": Look(things=("finger",)),
    "bad camera": Look(turn=8.0, tilt=0.06, blur=1.8, noise=9.0, quality=45, shadow=0.4),
    "ballpoint on squares": Look(rules=0.3, squared=True, rule_contrast=0.3),
    "pencil on rules, 0.4": _pencil(rules=0.5),
    "pencil on rules, 0.67": _pencil(rules=0.5, rule_contrast=0.67),
    "pencil on rules, 1": _pencil(rules=0.5, rule_contrast=1.0),
    "pencil on squares": _pencil(rules=0.3, squared=True, rule_contrast=0.67),
    "hard shadow, 30%": Look(shadow=0.3, softness=0.003),
    "hard shadow, 45%": Look(shadow=0.45, softness=0.003),
    "hard shadow, 60%": Look(shadow=0.6, softness=0.003),
    "hard shadow on rules": Look(shadow=0.45, softness=0.003, rules=0.5),
    "dark table": Look(table="dark"),
    "middle table": Look(table="middle"),
    "light table": Look(table="light"),
    "wood": Look(table="wood", tilt=0.06, turn=8.0),
    "screenshot": Look(pen=MARKER, paper=(1.0,) * 3, things=("screen",), margin=0.8, shadow=0.0, turn=0.0, tilt=0.0,
                       blur=0.0, noise=0.0, quality=90),
    "a stray dot": Look(things=("dot",), margin=0.6),
    "punched holes": Look(things=("holes",), margin=0.6),
    "a pen beside": Look(things=("pen",), margin=0.8),
}  # fmt: skip


def photograph(ink: np.ndarray, look: Look, random: np.random.Generator) -> Image.Image:
    """Return a photo of writing.

    Args:
        ink: (H, W) uint8, 255 where ink is, at about the size that it has in the photo.
        look: of the photo.
        random: all chance comes from it.
    """
    return photograph_with_truth(ink, look, random)[0]


def photograph_with_truth(ink: np.ndarray, look: Look, random: np.random.Generator) -> tuple[Image.Image, np.ndarray]:
    """Return a photo of writing, and where its ink is in the photo: (H, W) uint8."""
    unit = min(ink.shape)
    around = [int(unit * (look.margin + 0.4 * random.random())) for _ in range(4)]
    if look.near:
        around[2] = max(2, unit // 40)
    truth = np.pad(ink, (around[:2], around[2:]))
    sheet = _written(_paper(truth.shape, unit, look, random), truth, look)
    for name in look.things:
        THINGS[name](sheet, unit, random)
    view, size = _view(truth.shape, look, random)
    scene = _table(size, look, random)
    lies = cv2.warpPerspective(np.full(truth.shape, 255, np.uint8), view, size, flags=cv2.INTER_AREA)[..., None] / 255
    scene = scene * (1 - lies) + cv2.warpPerspective(sheet, view, size, borderMode=cv2.BORDER_REPLICATE) * lies
    scene = scene * _light(scene.shape[:2], look, random)[..., None]
    return _camera(scene, look, random), cv2.warpPerspective(truth, view, size)


def _paper(shape: tuple[int, int], unit: int, look: Look, random: np.random.Generator) -> np.ndarray:
    """Return a sheet (H, W, 3) float32 with its texture and its ruled lines."""
    grain = cv2.GaussianBlur(random.normal(0, 1, shape).astype(np.float32), (0, 0), 1.5)
    sheet = np.float32(look.paper) * (1 + 0.01 * grain[..., None])
    if not look.rules:
        return sheet
    distance = max(6, round(look.rules * unit))
    thick = max(1, round(RULE * distance))
    lines = np.zeros(shape, np.float32)
    for across in (lines, lines.T)[: 1 + look.squared]:
        for start in range(int(random.integers(distance)), len(across), distance):
            across[start : start + thick] = 1
    tint = np.float32([1.25, 0.95, 0.6])  # blue: it takes away most of the red
    dark = look.rule_contrast * look.cover * (1 - LUMINANCE @ look.pen / (LUMINANCE @ look.paper))
    return sheet * (1 - dark * lines[..., None] * tint / (tint @ LUMINANCE))


def _written(sheet: np.ndarray, ink: np.ndarray, look: Look) -> np.ndarray:
    """Write on a sheet, and perhaps on its back."""
    if look.behind:
        sheet = sheet * (1 - look.behind * cv2.GaussianBlur(ink, (0, 0), 2)[:, ::-1, None] / np.float32(255))
    cover = ink[..., None] * np.float32(look.cover / 255)
    return np.ascontiguousarray(sheet * (1 - cover) + np.float32(look.pen) * cover, np.float32)


def _view(shape: tuple[int, int], look: Look, random: np.random.Generator) -> tuple[np.ndarray, tuple[int, int]]:
    """Return how the camera sees the sheet, as a matrix, and width and height of the photo."""
    height, width = shape
    corners = np.float32([[0, 0], [width, 0], [width, height], [0, height]])
    turned = cv2.getRotationMatrix2D((width / 2, height / 2), random.uniform(-look.turn, look.turn), 1.0)
    seen = corners @ turned[:, :2].T + turned[:, 2]
    seen += random.uniform(-look.tilt, look.tilt, (4, 2)) * min(height, width)
    edge = FRAME * max(height, width) if look.table else 0
    low = seen.min(axis=0) - edge
    high = seen.max(axis=0) + edge
    if not look.table:  # the photo shows nothing but the sheet
        cut = np.sort(seen, axis=0)
        low, high = np.minimum(cut[1], 0.1 * min(shape)), np.maximum(cut[2], np.array([width, height]) * 0.97)
    size = np.ceil(high - low).astype(int)
    return cv2.getPerspectiveTransform(corners, np.float32(seen - low)), (int(size[0]), int(size[1]))


def _table(size: tuple[int, int], look: Look, random: np.random.Generator) -> np.ndarray:
    """Return what lies below the sheet; without a table, more of the paper."""
    width, height = size
    if look.table == "wood":
        return wood((height, width), random)
    colour = TABLES[look.table] if look.table else look.paper
    grain = cv2.GaussianBlur(random.normal(0, 1, (height, width)).astype(np.float32), (0, 0), 2)
    return np.float32(colour) * (1 + 0.03 * grain[..., None])


def wood(shape: tuple[int, int], random: np.random.Generator) -> np.ndarray:
    """Return a board of wood (H, W, 3) float32: streaks along it."""
    height, width = shape
    across = max(8, height // 4)
    noise = random.normal(0, 1, (across, 6)).astype(np.float32)
    streaks = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    fine = cv2.resize(random.normal(0, 1, (height, 12)).astype(np.float32), (width, height))
    return np.float32(TABLES["wood"]) * (1 + 0.12 * streaks + 0.04 * fine).clip(0.3, 1.6)[..., None]


def _light(shape: tuple[int, int], look: Look, random: np.random.Generator) -> np.ndarray:
    """Return how much light falls on each pixel: a shadow, whose edge goes through the middle or near it."""
    if not look.shadow:
        return np.ones(shape, np.float32)
    y, x = (np.mgrid[: shape[0], : shape[1]] / max(shape)).astype(np.float32)
    angle = random.uniform(0, 2 * np.pi)
    middle = np.array(shape) / max(shape) / 2
    along = (x - middle[1]) * np.cos(angle) + (y - middle[0]) * np.sin(angle) + random.uniform(-0.12, 0.12)
    return 1 - look.shadow / (1 + np.exp((-along * 4 / look.softness).clip(-60, 60)))


def _camera(scene: np.ndarray, look: Look, random: np.random.Generator) -> Image.Image:
    """Return what the camera makes of a scene (H, W, 3)."""
    seen = scene * np.float32(random.uniform(225, 255))
    if look.blur:
        seen = cv2.GaussianBlur(seen, (0, 0), look.blur)
    if look.noise:
        seen = seen + random.normal(0, look.noise, seen.shape)
    picture = Image.fromarray(seen.clip(0, 255).astype(np.uint8))
    if not look.quality:
        return picture
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=look.quality)
    with Image.open(file) as saved:
        return saved.convert("RGB")


def _finger(sheet: np.ndarray, unit: int, random: np.random.Generator) -> None:
    """Lay a finger on the lower edge."""
    height, width = sheet.shape[:2]
    middle = int(width * random.uniform(0.1, 0.9))
    box = ((middle, height), (0.35 * unit, 0.5 * unit), random.uniform(-20, 20))
    cv2.ellipse(sheet, box, (0.8, 0.58, 0.48), -1, cv2.LINE_AA)


def _dot(sheet: np.ndarray, unit: int, random: np.random.Generator) -> None:
    """Make a dot near a corner."""
    height, width = sheet.shape[:2]
    place = (int(width * random.choice([0.1, 0.9])), int(height * random.choice([0.12, 0.88])))
    cv2.circle(sheet, place, max(2, unit // 28), BALLPOINT, -1, cv2.LINE_AA)


def _holes(sheet: np.ndarray, unit: int, _random: np.random.Generator) -> None:
    """Punch two holes at the left, through which one sees something dark."""
    height = sheet.shape[0]
    for row in (0.25, 0.75):
        cv2.circle(sheet, (int(0.22 * unit), int(row * height)), unit // 12, (0.25, 0.22, 0.2), -1, cv2.LINE_AA)


def _pen(sheet: np.ndarray, unit: int, random: np.random.Generator) -> None:
    """Lay a pen at the right."""
    height, width = sheet.shape[:2]
    place = np.array([width - 0.3 * unit, 0.5 * height])
    half = np.array([random.uniform(-0.1, 0.1), 0.38]) * height
    ends = [tuple(int(value) for value in end) for end in (place - half, place + half)]
    cv2.line(sheet, *ends, (0.12, 0.12, 0.14), unit // 9, cv2.LINE_AA)
    tip = ends[1][0], ends[1][1] + unit // 8
    cv2.line(sheet, ends[1], tip, (0.4, 0.4, 0.4), unit // 25, cv2.LINE_AA)


def _screen(sheet: np.ndarray, unit: int, random: np.random.Generator) -> None:
    """Print what a phone shows at the top of its screen."""
    words = np.zeros(sheet.shape[:2], np.uint8)
    size, row = unit / 300, int(unit * 0.22)
    places = {f"{random.integers(24)}:{random.integers(60):02d}": unit // 12, "Done": sheet.shape[1] - int(unit * 0.4)}
    for word, column in places.items():
        cv2.putText(words, word, (column, row), cv2.FONT_HERSHEY_SIMPLEX, size, 255, 2, cv2.LINE_AA)
    sheet *= 1 - words[..., None] / np.float32(255)


THINGS = {"finger": _finger, "dot": _dot, "holes": _holes, "pen": _pen, "screen": _screen}
