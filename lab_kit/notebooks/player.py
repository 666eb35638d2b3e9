"""Show a matplotlib animation as a player in a notebook, without a network."""

import re

from IPython.display import HTML
from matplotlib.animation import Animation

# Matplotlib's player takes its icons from a web font, which a machine without a network does not get.
ICONS = {
    "fa-minus": "&minus;",
    "fa-fast-backward": "&#10074;&#9664;&#xFE0E;",
    "fa-step-backward": "&lsaquo;",
    "fa-play fa-flip-horizontal": "&#9664;&#xFE0E;",
    "fa-pause": "&#10074;&#10074;",
    "fa-play": "&#9654;&#xFE0E;",
    "fa-step-forward": "&rsaquo;",
    "fa-fast-forward": "&#9654;&#xFE0E;&#10074;",
    "fa-plus": "+",
}


def play(animation: Animation, frames_per_second: int = 10) -> HTML:
    """Return what a notebook shows as a player, with the frames as pictures inside."""
    page = animation.to_jshtml(fps=frames_per_second, default_mode="once")
    page = re.sub(r"<link[^>]*>", "", page)
    page = re.sub(r'<i class="fa ([^"]*)"></i>', lambda icon: ICONS[icon[1]], page)
    return HTML(page)
