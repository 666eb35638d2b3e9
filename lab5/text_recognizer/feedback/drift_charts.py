"""The charts of the page on drift, as SVG inside HTML; their colours come from the page's style sheet."""

from collections.abc import Sequence
from html import escape

WIDTH, WIDE = 320, 480  # of a chart, in its own units; the page makes it as wide as there is room
HIGH = 96  # from the axis to the top
MARGIN = 36  # on the left, for the numbers of the axis


def histogram(bins: Sequence[tuple[str, float, float]], description: str) -> str:
    """Return a chart of shares: bars for now, and a line across each for training.

    Args:
        bins: their names, the shares in training and now.
        description: in words, for those who cannot see it.
    """
    top = max(0.01, *(share for _, *shares in bins for share in shares))
    step = (WIDTH - MARGIN) / len(bins)
    parts = _axis(top, WIDTH)
    for number, (name, before, now) in enumerate(bins):
        left, level, line = MARGIN + number * step, HIGH * (1 - now / top), HIGH * (1 - before / top)
        tip = escape(f"{name}: {now:.1%} now, {before:.1%} in training")
        parts.append(
            f'<g><title>{tip}</title><rect class="hit" x="{left:.1f}" y="0" width="{step:.1f}" height="{HIGH}"/>'
            f'<rect class="now" x="{left + step * 0.12:.1f}" y="{level:.1f}" width="{step * 0.76:.1f}" '
            f'height="{HIGH - level:.1f}" rx="1.5"/>'
            f'<line class="before" x1="{left + 1:.1f}" x2="{left + step - 1:.1f}" y1="{line:.1f}" y2="{line:.1f}"/></g>'
        )
    if all(len(name) <= 2 for name, *_ in bins):  # classes: each has its name
        named = enumerate(name for name, *_ in bins)
        parts += [_text(MARGIN + (k + 0.5) * step, HIGH + 15, name, "middle") for k, name in named]
    else:
        parts += [_text(MARGIN, HIGH + 15, bins[0][0], "start"), _text(WIDTH, HIGH + 15, bins[-1][0], "end")]
    return _svg(parts, WIDTH, description)


def trend(days: Sequence[tuple[str, float, tuple[float, float]]], description: str) -> str:
    """Return a chart of shares by day, from 0 to 1, with their intervals.

    Args:
        days: each day's name (2026-11-22), share and interval, in order.
        description: in words.
    """
    step = (WIDE - MARGIN) / len(days)
    parts, line = _axis(1.0, WIDE), []
    for number, (name, share, (low, high)) in enumerate(days):
        across = MARGIN + (number + 0.5) * step
        line.append(f"{across:.1f},{HIGH * (1 - share):.1f}")
        tip = escape(f"{name}: {share:.0%} (95% interval {low:.0%} to {high:.0%})")
        parts.append(
            f'<g><title>{tip}</title><rect class="hit" x="{across - step / 2:.1f}" y="0" width="{step:.1f}" '
            f'height="{HIGH}"/><line class="range" x1="{across:.1f}" x2="{across:.1f}" y1="{HIGH * (1 - high):.1f}" '
            f'y2="{HIGH * (1 - low):.1f}"/>'
            f'<circle class="now" cx="{across:.1f}" cy="{HIGH * (1 - share):.1f}" r="3"/></g>'
        )
    parts.insert(0, f'<polyline class="path" points="{" ".join(line)}"/>')
    ends = ((MARGIN, days[0][0], "start"), (WIDE, days[-1][0], "end"))
    parts += [_text(across, HIGH + 15, name[5:], anchor) for across, name, anchor in ends]
    return _svg(parts, WIDE, description)


def _axis(top: float, width: int) -> list[str]:
    parts = []
    for share in (0.0, top / 2, top):
        level = HIGH * (1 - share / top)
        parts.append(f'<line class="grid" x1="{MARGIN}" x2="{width}" y1="{level:.1f}" y2="{level:.1f}"/>')
        parts.append(_text(MARGIN - 5, level + 4, f"{share:.0%}" if top >= 0.04 else f"{share:.1%}", "end"))
    return parts


def _text(across: float, down: float, text: str, anchor: str) -> str:
    return f'<text x="{across:.1f}" y="{down:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(parts: Sequence[str], width: int, description: str) -> str:
    inside = "".join(parts)
    return f'<svg viewBox="0 -8 {width + 4} {HIGH + 28}" role="img" aria-label="{escape(description)}">{inside}</svg>'
