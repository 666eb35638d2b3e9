"""The charts of the drift page as SVG; the style sheet of the page sets their colours."""

from collections.abc import Sequence
from html import escape

HISTOGRAM_WIDTH, TREND_WIDTH = 320, 480  # of a chart, in SVG units; the page scales it
HEIGHT = 96  # from the axis to the top, in SVG units
MARGIN = 36  # on the left, for the labels of the axis


def histogram_svg(bins: Sequence[tuple[str, float, float]], description: str) -> str:
    """Return a bar chart: bars for visitors' pictures now, and lines for the training data.

    Args:
        bins: for each bin its name, the share in training, and the share now.
        description: a text for readers who cannot see the chart.
    """
    top = max(0.01, *(share for _, *shares in bins for share in shares))
    step = (HISTOGRAM_WIDTH - MARGIN) / len(bins)
    parts = _axis(top, HISTOGRAM_WIDTH)
    for number, (name, before, now) in enumerate(bins):
        left, level, line = MARGIN + number * step, HEIGHT * (1 - now / top), HEIGHT * (1 - before / top)
        tip = escape(f"{name}: {now:.1%} now, {before:.1%} in training")
        parts.append(
            f'<g><title>{tip}</title><rect class="hit" x="{left:.1f}" y="0" width="{step:.1f}" height="{HEIGHT}"/>'
            f'<rect class="now" x="{left + step * 0.12:.1f}" y="{level:.1f}" width="{step * 0.76:.1f}" '
            f'height="{HEIGHT - level:.1f}" rx="1.5"/>'
            f'<line class="before" x1="{left + 1:.1f}" x2="{left + step - 1:.1f}" y1="{line:.1f}" y2="{line:.1f}"/></g>'
        )
    if all(len(name) <= 2 for name, *_ in bins):  # classes: each has its name
        named = enumerate(name for name, *_ in bins)
        parts += [_text(MARGIN + (k + 0.5) * step, HEIGHT + 15, name, "middle") for k, name in named]
    else:
        parts += [
            _text(MARGIN, HEIGHT + 15, bins[0][0], "start"),
            _text(HISTOGRAM_WIDTH, HEIGHT + 15, bins[-1][0], "end"),
        ]
    return _svg(parts, HISTOGRAM_WIDTH, description)


def trend_svg(days: Sequence[tuple[str, float, tuple[float, float]]], description: str) -> str:
    """Return a chart of a share (0 to 1) by day, with intervals.

    Args:
        days: for each day its name (2026-11-22), the share and its interval, in order.
        description: a text for readers who cannot see the chart.
    """
    step = (TREND_WIDTH - MARGIN) / len(days)
    parts, line = _axis(1.0, TREND_WIDTH), []
    for number, (name, share, (low, high)) in enumerate(days):
        across = MARGIN + (number + 0.5) * step
        line.append(f"{across:.1f},{HEIGHT * (1 - share):.1f}")
        tip = escape(f"{name}: {share:.0%} (95% interval {low:.0%} to {high:.0%})")
        parts.append(
            f'<g><title>{tip}</title><rect class="hit" x="{across - step / 2:.1f}" y="0" width="{step:.1f}" '
            f'height="{HEIGHT}"/><line class="range" x1="{across:.1f}" x2="{across:.1f}" '
            f'y1="{HEIGHT * (1 - high):.1f}" y2="{HEIGHT * (1 - low):.1f}"/>'
            f'<circle class="now" cx="{across:.1f}" cy="{HEIGHT * (1 - share):.1f}" r="3"/></g>'
        )
    parts.insert(0, f'<polyline class="path" points="{" ".join(line)}"/>')
    ends = ((MARGIN, days[0][0], "start"), (TREND_WIDTH, days[-1][0], "end"))
    parts += [_text(across, HEIGHT + 15, name[5:], anchor) for across, name, anchor in ends]
    return _svg(parts, TREND_WIDTH, description)


def _axis(top: float, width: int) -> list[str]:
    parts = []
    for share in (0.0, top / 2, top):
        level = HEIGHT * (1 - share / top)
        parts.append(f'<line class="grid" x1="{MARGIN}" x2="{width}" y1="{level:.1f}" y2="{level:.1f}"/>')
        parts.append(_text(MARGIN - 5, level + 4, f"{share:.0%}" if top >= 0.04 else f"{share:.1%}", "end"))
    return parts


def _text(across: float, down: float, text: str, anchor: str) -> str:
    return f'<text x="{across:.1f}" y="{down:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(parts: Sequence[str], width: int, description: str) -> str:
    inside = "".join(parts)
    return f'<svg viewBox="0 -8 {width + 4} {HEIGHT + 28}" role="img" aria-label="{escape(description)}">{inside}</svg>'
