"""Charts as inline SVG. Colours are CSS values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

WIDTH, HEIGHT = 460, 196
LEFT, BOTTOM, TOP = 44, 40, 22
#: Baselines of the numbers below an axis and of its label.
TICKS, LABEL = HEIGHT - 24, HEIGHT - 6
MAX_BARS = 64


def histogram(counts: Sequence[int], limit: int, colour: str) -> str:
    """Draws a histogram of lengths, with a dashed line at `limit` if it is within range."""
    longest = max((length for length, count in enumerate(counts) if count), default=0)
    width = -(-(longest + 1) // MAX_BARS)
    bars = [sum(counts[i : i + width]) for i in range(0, longest + 1, width)]
    most = max(bars, default=0) or 1
    step = (WIDTH - LEFT) / len(bars)
    shapes = [
        f'<rect x="{LEFT + i * step:.1f}" y="{_y(count / most):.1f}" '
        f'width="{max(1.0, step - 1):.1f}" height="{_y(0) - _y(count / most):.1f}" '
        f'fill="{colour}"/>'
        for i, count in enumerate(bars)
        if count
    ]
    marks = [
        _text(LEFT + (length / width + 0.5) * step, TICKS, str(length), "middle")
        for length in _round_numbers(longest)
    ]
    if limit <= longest:
        x = LEFT + (limit / width + 1) * step
        shapes.append(
            f'<path d="M{x:.1f} {TOP}V{_y(0)}" stroke="var(--orange)" stroke-dasharray="4 3"/>'
        )
        shapes.append(_text(x - 5, TOP + 10, f"limit {limit}", "end"))
    counted = "examples" if width == 1 else f"examples, {width} lengths a bar"
    return _svg([*_scale(f"{most:,}", "0"), *shapes, *marks, *_labels("tokens", counted)])


def curve(points: Sequence[Sequence[float]], colour: str) -> str:
    """Draws a line through points (number, percent), numbers on a logarithmic scale."""
    last = math.log(max(2.0, points[-1][0]))
    line = _line([(math.log(number) / last, percent / 100) for number, percent in points], colour)
    powers = [10**i for i in range(8) if 10**i <= points[-1][0]]
    marks = [_text(_x(math.log(n) / last), TICKS, f"{n:,}", "middle") for n in powers]
    labels = _labels("number of most frequent pieces (logarithmic)", "share of all tokens")
    return _svg([*_scale("100 %", "0 %"), line, *marks, *labels])


def lines(series: Mapping[str, tuple[Sequence[float], str]], horizontal: str, vertical: str) -> str:
    """Draws a line for each series of values at 1, 2, 3, ...; the scale is theirs.

    Args:
        series: name -> values and colour, at least two values.
        horizontal, vertical: labels of the axes.
    """
    least = min(min(values) for values, _ in series.values())
    most = max(max(values) for values, _ in series.values())
    count = max(len(values) for values, _ in series.values())
    shapes = []
    for row, (name, (values, colour)) in enumerate(series.items()):
        heights = [(value - least) / max(most - least, 1e-9) for value in values]
        shapes.append(_line([(i / (count - 1), y) for i, y in enumerate(heights)], colour))
        shapes.append(
            f'<text x="{WIDTH}" y="{TOP + 12 + 14 * row}" text-anchor="end" '
            f'style="fill:{colour}">{name}</text>'
        )
    marks = [
        _text(_x((i - 1) / (count - 1)), TICKS, str(i), "middle")
        for i in _round_numbers(count)
        if i
    ]
    scale = _scale(f"{most:.2f}", f"{least:.2f}")
    return _svg([*scale, *shapes, *marks, *_labels(horizontal, vertical)])


def _line(points: Sequence[tuple[float, float]], colour: str) -> str:
    """Draws a line through points, given as shares of width and height."""
    places = " L".join(f"{_x(x):.1f} {_y(y):.1f}" for x, y in points)
    return f'<path d="M{places}" fill="none" stroke="{colour}" stroke-width="2.5"/>'


def _x(share: float) -> float:
    return LEFT + (WIDTH - LEFT) * share


def _y(share: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - share)


def _scale(top: str, bottom: str) -> list[str]:
    lines = (
        f'<path d="M{LEFT} {_y(share):.1f}H{WIDTH}" stroke="var(--line)"/>'
        for share in (0, 0.25, 0.5, 0.75, 1)
    )
    return [*lines, _text(LEFT - 6, _y(1) + 4, top, "end"), _text(LEFT - 6, _y(0), bottom, "end")]


def _labels(horizontal: str, vertical: str) -> list[str]:
    """Draws the labels of the axes."""
    return [
        _text((LEFT + WIDTH) / 2, LABEL, horizontal, "middle"),
        _text(0, 10, vertical, "start"),
    ]


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'


def _round_numbers(longest: int) -> range:
    """Returns about six round numbers from 0 to `longest`."""
    step = next(s for s in (1, 2, 5, 10, 20, 50, 100, 200) if longest / s <= 8)
    return range(0, longest + 1, step)


def _svg(shapes: Sequence[str]) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">{"".join(shapes)}</svg>'
