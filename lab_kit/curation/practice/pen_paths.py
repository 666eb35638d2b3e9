"""All forms in which the symbols of the practice set are drawn: fish, flower, leaf, mushroom, sun and umbrella.

A form is one way to draw a symbol: a function of a random generator that returns strokes. Some forms of the two symbols
of a pair look alike on purpose: sun and flower, fish and leaf, mushroom and umbrella.
"""

from collections.abc import Callable

from numpy.random import Generator

from lab_kit.curation.practice import fish_and_leaf, mushroom_and_umbrella, sun_and_flower
from lab_kit.curation.practice.stroke_shapes import Stroke

Form = Callable[[Generator], list[Stroke]]

FORMS: dict[str, tuple[Form, ...]] = {
    "fish": (
        fish_and_leaf.fish_cross,
        fish_and_leaf.fish_tail,
        fish_and_leaf.fish_scales,
        fish_and_leaf.fish_bones,
        fish_and_leaf.fish_one_line,
    ),
    "flower": (
        sun_and_flower.flower_petals,
        sun_and_flower.flower_daisy,
        sun_and_flower.flower_loops,
        sun_and_flower.flower_scallops,
        sun_and_flower.flower_tulip,
    ),
    "leaf": (
        fish_and_leaf.leaf_veins,
        fish_and_leaf.leaf_plain,
        fish_and_leaf.leaf_oak,
        fish_and_leaf.leaf_maple,
        fish_and_leaf.leaf_folded,
    ),
    "mushroom": (
        mushroom_and_umbrella.mushroom_dome,
        mushroom_and_umbrella.mushroom_bell,
        mushroom_and_umbrella.mushroom_gills,
        mushroom_and_umbrella.mushroom_slim,
        mushroom_and_umbrella.mushroom_pair,
    ),
    "sun": (
        sun_and_flower.sun_rays,
        sun_and_flower.sun_spikes,
        sun_and_flower.sun_face,
        sun_and_flower.sun_waves,
        sun_and_flower.sun_half,
    ),
    "umbrella": (
        mushroom_and_umbrella.umbrella_scallops,
        mushroom_and_umbrella.umbrella_ribs,
        mushroom_and_umbrella.umbrella_plain,
        mushroom_and_umbrella.umbrella_tent,
        mushroom_and_umbrella.umbrella_closed,
    ),
}
PAIRS = (("sun", "flower"), ("fish", "leaf"), ("mushroom", "umbrella"))
CONFUSED_WITH = {a: b for pair in PAIRS for a, b in (pair, pair[::-1])}
