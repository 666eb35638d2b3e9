"""Put a picture with transparent parts on a ground from which it stands out: what is drawn may be white."""

import numpy as np
from PIL import Image

WHITE, BLACK = 255, 0
ONE_SHADE = 64  # grey levels: ink whose pixels differ less than this from their median has one shade
FEW = 0.005  # of the pixels: so many may differ more, at the edges of strokes
SOLID = 0.5  # of its bounding box: what covers more is a sheet, on which something may be written, and no strokes
FAINTEST = 0.5  # of the contrast of the darkest ink: fainter strokes would be taken for dirt beside it


def on_ground(picture: Image.Image, writing: bool) -> Image.Image:
    """Return a picture without transparency: what is transparent becomes the ground.

    Ink of one shade is put on white or black, whichever is farther from it, and strokes of several shades on the one
    from which all of them differ. A sheet, of which only the rim is transparent, is continued in its own shade.

    Args:
        picture: of Pillow's mode "LA" or "RGBA".
        writing: colours do not matter: if some strokes would be much fainter than others, all are drawn in black.

    Returns:
        a picture of mode "L" or "RGB".
    """
    mode = picture.mode.removesuffix("A")
    alpha = picture.getchannel("A")
    ground, even = choose_ground(np.asarray(picture.convert("L")), np.asarray(alpha))
    if writing and not even:
        return Image.eval(alpha, lambda value: 255 - value).convert(mode)
    result = Image.new(mode, picture.size, (ground,) * len(mode) if mode == "RGB" else ground)
    result.paste(picture.convert(mode), mask=alpha)
    return result


def choose_ground(grey: np.ndarray, alpha: np.ndarray) -> tuple[int, bool]:
    """Return the grey level for the ground of a picture, and whether all strokes stand out from it about equally.

    Args:
        grey: (H, W) uint8, how bright the picture is, where it is not transparent.
        alpha: (H, W) uint8, from 0, transparent, to 255.
    """
    drawn = alpha > int(alpha.max()) // 2
    if not drawn.any():
        return WHITE, True
    ink = grey[drawn]
    shade = float(np.median(ink))
    if (np.abs(ink - shade) > ONE_SHADE).mean() <= FEW:
        return BLACK if shade > 127 else WHITE, True
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    if drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].mean() > SOLID:
        return round(shade), True
    contrasts = {ground: np.percentile(np.abs(ink - float(ground)), [10, 90]) for ground in (WHITE, BLACK)}
    best = max(contrasts, key=lambda ground: contrasts[ground][0])
    return best, bool(contrasts[best][0] >= FAINTEST * contrasts[best][1])
