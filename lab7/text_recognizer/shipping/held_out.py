"""Pictures that the network has not learned from, to test a shipped model with."""

import numpy as np
import torch
from rapidfuzz.distance import Levenshtein
from torch.nn.functional import pad

import text_recognizer.data
from lab_kit.errors import UserError
from text_recognizer.data import BaseDataModule
from text_recognizer.data.line_pictures import LinePictures
from text_recognizer.shipping.model_card import ModelCard


def load_data(card: ModelCard) -> BaseDataModule:
    """Return the data that a shipped model has learned from.

    Raises:
        UserError: it is not here any more, or has other classes now.
    """
    data_class = getattr(text_recognizer.data, card.data_class, None)
    if data_class is None:
        raise UserError(f"there is no data class {card.data_class} here.")
    data = data_class(**card.data_settings)
    data.prepare_data()
    data.setup()
    if data.config().mapping != card.classes:
        raise UserError("the classes of the data are not those of the model any more.")
    return data


def held_out(data: BaseDataModule, split: str, count: int) -> tuple[np.ndarray, list[str]]:
    """Return pictures of a data module that has been set up, evenly spread over the split, and what they show.

    Args:
        data: its datasets hold pictures as bytes.
        split: train, val or test.
        count: how many pictures at most.

    Returns:
        (N, C, H, W) uint8, not normalised, with paper at the right of narrower lines; and N texts.
    """
    dataset, classes = data.splits[split], data.config().mapping
    places = torch.linspace(0, len(dataset) - 1, min(count, len(dataset))).round().long()
    if isinstance(dataset, LinePictures):
        pictures = [dataset.picture(place) for place in places.tolist()]
        widest = max(picture.shape[1] for picture in pictures)
        images = torch.stack([pad(picture, (0, widest - picture.shape[1])) for picture in pictures])
        labels = torch.from_numpy(dataset.labels[dataset.order[places]])
    else:
        chosen = dataset.indices[places]
        images, labels = dataset.images[chosen], dataset.labels[chosen]
    images = images if images.ndim == 4 else images[:, None]
    special = {name for name in classes if name.startswith("<")} if data.task == "line" else set()
    texts = [[classes[k] for k in row] for row in labels.reshape(len(labels), -1).tolist()]
    return np.ascontiguousarray(images.numpy()), ["".join(name for name in row if name not in special) for row in texts]


def seen_classes(data: BaseDataModule) -> tuple[str, ...]:
    """Return the classes of which there are training pictures, in the order of the network's outputs."""
    labels = data.splits["train"].labels[data.splits["train"].indices]
    seen = set(torch.unique(labels).tolist())
    return tuple(name for k, name in enumerate(data.config().mapping) if k in seen)


def error_rate(read: list[str], texts: list[str], kind: str) -> float:
    """Return the share of wrong answers; for lines the character error rate: edits per true character."""
    pairs = list(zip(read, texts, strict=True))
    if kind != "line":
        return sum(answer != text for answer, text in pairs) / len(pairs)
    return sum(Levenshtein.distance(answer, text) for answer, text in pairs) / max(1, sum(map(len, texts)))
