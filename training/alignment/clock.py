"""How the clocks of two subtitle files of one film differ: in rate and in offset.

Knows when cues are shown and how long they are, nothing of what they say, so that it works for any
two languages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import numpy.typing as npt

from training.files.records import Cue

Floats = npt.NDArray[np.float64]

#: Frames a second of films, discs and television; a file made for one is often shown at another.
FRAME_RATES = (24 / 1.001, 24.0, 25.0, 30 / 1.001, 30.0)
STEP = 0.1  # seconds
#: A file at another rate must agree so much better than at its own: chance finds peaks.
EVIDENCE_FOR_ANOTHER_RATE = 1.15
#: Detail (seconds) between these is compared: borders of cues, not of scenes.
FINEST, COARSEST = 0.4, 20.0
#: Characters a second beyond this are an error of the file, not fast speech.
FASTEST = 40.0
#: Seconds: no clocks differ by more.
LONGEST_OFFSET = 600.0
#: Seconds by which the same moment differs between two files, mostly.
SPREAD = 0.5
ROUNDS = 10
#: Fewer moments do not tell a rate; nor is one believed that is so far from the first.
FEWEST_MOMENTS, MOST_DRIFT = 30, 0.002
#: Seconds; a line that differs by less is no better.
LEAST_CHANGE = 0.2


@dataclass(frozen=True)
class Break:
    """Time that only one file has: an advert, a scene that the other cut of the film lacks.

    Attributes:
        source, target: the moment from which on the files are together again, in seconds of each
            file's own clock.
        seconds: how long it is, on the source's clock: positive if the source has it, negative if
            the target has.
    """

    source: float
    target: float
    seconds: float


@dataclass(frozen=True)
class Timing:
    """From the clocks of two files to a common one, in seconds.

    Without breaks it is the source's: `source = rate * target + offset`. At each break, the file
    that lacks the time is silent for so long.

    Attributes:
        rate, offset: of the line.
        evidence: how far the agreement stands out from that at other offsets, in standard
            deviations (`same_film.py` tells what it is worth).
        breaks: in order of time.
        confirmed: from and to, in seconds of the target's clock, where the files were seen to
            agree; none if that is not known.
    """

    rate: float = 1.0
    offset: float = 0.0
    evidence: float = 0.0
    breaks: tuple[Break, ...] = ()
    confirmed: tuple[tuple[float, float], ...] = ()

    def seconds_from_confirmed(self, target: float) -> float:
        """How far a moment of the target is from where the files were seen to agree."""
        return min((max(0.0, a - target, target - b) for a, b in self.confirmed), default=0.0)

    def of_source(self, starts: Floats, times: Floats) -> Floats:
        """Source times on the common clock, by the starts of what they belong to."""
        return times + sum(
            max(0.0, -each.seconds) * (starts >= each.source) for each in self.breaks
        )

    def of_target(self, starts: Floats, times: Floats) -> Floats:
        """Target times on the common clock, by the starts of what they belong to."""
        return (
            self.rate * times
            + self.offset
            + sum(max(0.0, each.seconds) * (starts >= each.target) for each in self.breaks)
        )


def possible_timings(source: Sequence[Cue], target: Sequence[Cue]) -> list[Timing]:
    """The rates and offsets by which two files agree best, however little that is.

    Both become signals over time: where cues begin, and how densely they are written (speech is
    dense, a pause is not, even where a cue is shown during it). For each pair of frame rates, the
    place of the highest peak of the cross-correlation is the offset.

    Args:
        source: cues of one file, at least one.
        target: cues of the other, at least one.

    Returns:
        The best first, and one only of rates that are nearly the same; behind them the clocks as
        they are.
    """
    # Where one file has ended, a stray time of the other has nothing to agree with.
    ours, theirs = (max(cue.end_ms for cue in side) / 1000 for side in (source, target))
    longest = min(ours, max(_rates()) * theirs) + LONGEST_OFFSET
    size = 1 << int((longest + LONGEST_OFFSET) / STEP + 4).bit_length()  # lags do not wrap
    band = _band(size)
    reference = _normalised(_spectra(source, 1.0, longest, size) * band)
    found = []
    for rate in _rates():
        spectra = _normalised(_spectra(target, rate, longest, size) * band)
        agreement = np.fft.irfft((reference * spectra.conj()).sum(axis=0), n=size)
        lag, height, deviation = _peak(agreement)
        if rate == 1.0:
            height *= EVIDENCE_FOR_ANOTHER_RATE
        if height > 0:
            found.append((height, Timing(rate, lag * STEP, height / deviation)))
    found.sort(key=lambda each: -each[0])
    best: list[Timing] = []
    for _, timing in found:
        if all(abs(timing.rate / other.rate - 1) > MOST_DRIFT for other in best):
            best.append(timing)
    return [*best, Timing()]


def refined(timing: Timing, source: Floats, target: Floats) -> Timing:
    """A clock's line through moments of which most are the same in both files.

    Least squares, where a moment counts the less, the farther it is from the line (Cauchy).

    Args:
        timing: the line at first.
        source, target: moments, in seconds of each file's own clock, `(moments,)`.
    """
    if len(source) < FEWEST_MOMENTS:
        return timing
    rate, offset = timing.rate, timing.offset
    unbroken = replace(timing, breaks=())
    moved = timing.of_source(source, source) - timing.of_target(target, target)
    moved += unbroken.of_target(target, target)
    for _ in range(ROUNDS):
        weights = 1 / (1 + ((moved - rate * target - offset) / SPREAD) ** 2)
        centre, other = (np.average(side, weights=weights) for side in (moved, target))
        spread = np.sum(weights * (target - other) ** 2)
        rate = float(np.sum(weights * (moved - centre) * (target - other)) / max(spread, 1e-9))
        offset = float(centre - rate * other)
    line = replace(timing, rate=rate, offset=offset)
    change = np.max(np.abs(rate * target + offset - unbroken.of_target(target, target)))
    is_credible = abs(rate / timing.rate - 1) <= MOST_DRIFT
    return line if change > LEAST_CHANGE and is_credible else timing


def _rates() -> list[float]:
    """1 first, then each that two frame rates can make."""
    return sorted({a / b for a, b in product(FRAME_RATES, FRAME_RATES)}, key=lambda r: abs(r - 1))


def filtered_signals(cues: Sequence[Cue], size: int) -> Floats:
    """The two signals of a file at steps of `STEP`, without scenes and without noise, `(2, size)`.

    Args:
        size: more steps than the file has.
    """
    length = 1 << size.bit_length()  # the filter's ends do not meet
    spectra = _spectra(cues, 1.0, np.inf, length) * _band(length)
    return np.asarray(np.fft.irfft(spectra, n=length)[:, :size])


def _spectra(
    cues: Sequence[Cue], rate: float, longest: float, size: int
) -> npt.NDArray[np.complex128]:
    """Of the two signals of a file up to `longest` seconds, `(2, frequencies)`."""
    times = rate * np.array([(cue.start_ms, cue.end_ms) for cue in cues]) / 1000
    is_near = times[:, 1] <= longest
    starts, ends = times[is_near].T / STEP
    lengths = np.array([len(cue.text) for cue in cues])[is_near]
    density = np.minimum(lengths / np.maximum(ends - starts, 1) / STEP, FASTEST)
    changes = _impulses(starts, density, size) - _impulses(ends, density, size)
    signals = [
        _impulses(starts, np.ones_like(density), size),
        np.sqrt(np.maximum(np.cumsum(changes), 0.0)),
    ]
    return np.fft.rfft(np.stack(signals), axis=1)


def _normalised(spectra: npt.NDArray[np.complex128]) -> npt.NDArray[np.complex128]:
    return spectra / (np.linalg.norm(spectra, axis=1, keepdims=True) + 1e-12)


def _impulses(places: Floats, heights: Floats, size: int) -> Floats:
    """Shared between the two steps around each place, so that nothing is rounded."""
    steps = np.floor(places).astype(int)
    after = places - steps
    signal = np.zeros(size + 1)
    np.add.at(signal, steps, heights * (1 - after))
    np.add.at(signal, steps + 1, heights * after)
    return signal[:size]


def _band(size: int) -> Floats:
    """The weight of each frequency."""
    radians = 2 * np.pi * np.fft.rfftfreq(size, d=STEP)
    low, high = (np.exp(-0.5 * (radians * width) ** 2) for width in (FINEST, COARSEST))
    return np.asarray(low - high)


def _peak(agreement: Floats) -> tuple[float, float, float]:
    """The lag of the highest value, in steps, found between them too; that value; and the standard
    deviation of all values."""
    most = min(int(LONGEST_OFFSET / STEP), len(agreement) // 2 - 2)
    values = np.concatenate([agreement[-most - 1 :], agreement[: most + 2]])  # negative lags wrap
    place = int(values[1:-1].argmax()) + 1
    before, height, after = values[place - 1 : place + 2]
    curvature = before - 2 * height + after
    between = 0.5 * (before - after) / curvature if curvature else 0.0
    return float(place - most - 1 + between), float(height), float(values.std()) + 1e-12
