"""Rate and offset between the clocks of two subtitle files of one film.

Only the times and lengths of cues are used, never their words, so it works for any two languages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import numpy.typing as npt

from model.types import Float64
from training.files.records import Cue

#: Frames per second of films, discs and television; a file made for one is often shown at another.
FRAME_RATES = (24 / 1.001, 24.0, 25.0, 30 / 1.001, 30.0)
#: Between two values of a signal.
STEP_SECONDS = 0.1
#: A changed rate must agree better than rate 1 by this factor, since chance finds peaks too.
UNIT_RATE_FACTOR = 1.15
#: Detail between these (seconds) is compared: borders of cues, not of scenes.
FINEST_SECONDS, COARSEST_SECONDS = 0.4, 20.0
#: More characters per second are an error of the file, not fast speech.
MAX_CHARACTERS_PER_SECOND = 40.0
#: Clocks never differ by more (seconds).
MAX_OFFSET_SECONDS = 600.0
#: Usual difference of the same moment between two files (seconds).
RESIDUAL_SECONDS = 0.5
ITERATIONS = 10
#: Fewer moments do not determine a rate, and a rate that drifts further is not believed.
MIN_MOMENTS, MAX_DRIFT = 30, 0.002
#: A new line must differ by more than this somewhere (seconds).
MIN_CHANGE_SECONDS = 0.2


@dataclass(frozen=True)
class Break:
    """Time that only one file has: an advert, a scene that the other cut of the film lacks.

    Attributes:
        source, target: the moment from which the files agree again, in seconds on each file's own
            clock.
        seconds: its length on the source's clock: positive if the source has the time, negative if
            the target has it.
    """

    source: float
    target: float
    seconds: float


@dataclass(frozen=True)
class Timing:
    """Map from the clocks of two files to a common clock, in seconds.

    Without breaks the common clock is the source's: `source = rate * target + offset`. At each
    break, the file that lacks the time is silent for that long.

    Attributes:
        rate, offset: of the line.
        evidence: how far the agreement exceeds that at other offsets, in standard deviations
            (`same_film.py` has the thresholds).
        breaks: in order of time.
        confirmed: intervals in which the files are known to agree, start and end in seconds on the
            target's clock; empty if unknown.
    """

    rate: float = 1.0
    offset: float = 0.0
    evidence: float = 0.0
    breaks: tuple[Break, ...] = ()
    confirmed: tuple[tuple[float, float], ...] = ()

    def seconds_from_confirmed(self, target: float) -> float:
        """Returns how far a moment of the target is from the nearest confirmed interval."""
        return min((max(0.0, a - target, target - b) for a, b in self.confirmed), default=0.0)

    def of_source(self, starts: Float64, times: Float64) -> Float64:
        """Returns source times on the common clock; `starts` are those of their segments."""
        return times + sum(
            max(0.0, -each.seconds) * (starts >= each.source) for each in self.breaks
        )

    def of_target(self, starts: Float64, times: Float64) -> Float64:
        """Returns target times on the common clock; `starts` are those of their segments."""
        return (
            self.rate * times
            + self.offset
            + sum(max(0.0, each.seconds) * (starts >= each.target) for each in self.breaks)
        )


def possible_timings(source: Sequence[Cue], target: Sequence[Cue]) -> list[Timing]:
    """Returns the rates and offsets at which two files agree best, however little that is.

    Both files become signals over time: the starts of cues, and the density of their text (speech
    is dense, a pause is not, even if a cue is shown during it). For each pair of frame rates, the
    offset is at the highest peak of the cross-correlation.

    Args:
        source, target: cues, at least one each.

    Returns:
        The best first, only one of nearly equal rates; last, the clocks unchanged.
    """
    # After the end of one file, a stray time of the other has nothing to agree with.
    source_end, target_end = (max(cue.end_ms for cue in side) / 1000 for side in (source, target))
    longest = min(source_end, max(_rates()) * target_end) + MAX_OFFSET_SECONDS
    steps = int((longest + MAX_OFFSET_SECONDS) / STEP_SECONDS + 4)
    size = 1 << steps.bit_length()  # lags do not wrap
    band = _band_pass(size)
    reference = _normalised(_spectra(source, 1.0, longest, size) * band)
    found = []
    for rate in _rates():
        spectra = _normalised(_spectra(target, rate, longest, size) * band)
        agreement = np.fft.irfft((reference * spectra.conj()).sum(axis=0), n=size)
        lag, height, deviation = _peak(agreement)
        if rate == 1.0:
            height *= UNIT_RATE_FACTOR
        if height > 0:
            found.append((height, Timing(rate, lag * STEP_SECONDS, height / deviation)))
    found.sort(key=lambda each: -each[0])
    best: list[Timing] = []
    for _, timing in found:
        if all(abs(timing.rate / other.rate - 1) > MAX_DRIFT for other in best):
            best.append(timing)
    return [*best, Timing()]


def refined(timing: Timing, source: Float64, target: Float64) -> Timing:
    """Returns the clock with its line fitted to moments, most of which are the same in both files.

    Least squares with Cauchy weights: a moment counts less, the farther it is from the line.

    Args:
        timing: the line to start from.
        source, target: moments, in seconds on each file's own clock, `(moments,)`.
    """
    if len(source) < MIN_MOMENTS:
        return timing
    rate, offset = timing.rate, timing.offset
    without_breaks = replace(timing, breaks=())
    observed = timing.of_source(source, source) - timing.of_target(target, target)
    observed += without_breaks.of_target(target, target)
    for _ in range(ITERATIONS):
        weights = 1 / (1 + ((observed - rate * target - offset) / RESIDUAL_SECONDS) ** 2)
        source_mean, target_mean = (
            np.average(side, weights=weights) for side in (observed, target)
        )
        variance = np.sum(weights * (target - target_mean) ** 2)
        rate = float(
            np.sum(weights * (observed - source_mean) * (target - target_mean))
            / max(variance, 1e-9)
        )
        offset = float(source_mean - rate * target_mean)
    line = replace(timing, rate=rate, offset=offset)
    change = np.max(np.abs(rate * target + offset - without_breaks.of_target(target, target)))
    is_credible = abs(rate / timing.rate - 1) <= MAX_DRIFT
    return line if change > MIN_CHANGE_SECONDS and is_credible else timing


def _rates() -> list[float]:
    """Returns the ratios of all pairs of frame rates, those nearest to 1 first."""
    return sorted({a / b for a, b in product(FRAME_RATES, FRAME_RATES)}, key=lambda r: abs(r - 1))


def filtered_signals(cues: Sequence[Cue], size: int) -> Float64:
    """Returns a file's two signals, band-pass filtered, at steps of `STEP_SECONDS`, `(2, size)`.

    Args:
        size: more steps than the file has.
    """
    length = 1 << size.bit_length()  # the filter's ends do not meet
    spectra = _spectra(cues, 1.0, np.inf, length) * _band_pass(length)
    return np.asarray(np.fft.irfft(spectra, n=length)[:, :size])


def _spectra(
    cues: Sequence[Cue], rate: float, longest: float, size: int
) -> npt.NDArray[np.complex128]:
    """Returns the spectra of a file's two signals up to `longest` seconds, `(2, frequencies)`."""
    times = rate * np.array([(cue.start_ms, cue.end_ms) for cue in cues]) / 1000
    is_near = times[:, 1] <= longest
    starts, ends = times[is_near].T / STEP_SECONDS
    lengths = np.array([len(cue.text) for cue in cues])[is_near]
    density = np.minimum(
        lengths / np.maximum(ends - starts, 1) / STEP_SECONDS, MAX_CHARACTERS_PER_SECOND
    )
    changes = _impulses(starts, density, size) - _impulses(ends, density, size)
    signals = [
        _impulses(starts, np.ones_like(density), size),
        np.sqrt(np.maximum(np.cumsum(changes), 0.0)),
    ]
    return np.fft.rfft(np.stack(signals), axis=1)


def _normalised(spectra: npt.NDArray[np.complex128]) -> npt.NDArray[np.complex128]:
    return spectra / (np.linalg.norm(spectra, axis=1, keepdims=True) + 1e-12)


def _impulses(positions: Float64, heights: Float64, size: int) -> Float64:
    """Returns a signal in which each impulse is split between the two steps around its position."""
    steps = np.floor(positions).astype(int)
    after = positions - steps
    signal = np.zeros(size + 1)
    np.add.at(signal, steps, heights * (1 - after))
    np.add.at(signal, steps + 1, heights * after)
    return signal[:size]


def _band_pass(size: int) -> Float64:
    """Returns the weight of each frequency."""
    radians = 2 * np.pi * np.fft.rfftfreq(size, d=STEP_SECONDS)
    low, high = (
        np.exp(-0.5 * (radians * width) ** 2) for width in (FINEST_SECONDS, COARSEST_SECONDS)
    )
    return np.asarray(low - high)


def _peak(agreement: Float64) -> tuple[float, float, float]:
    """Returns the lag of the highest value, interpolated between steps, that value, and the
    standard deviation of all values."""
    most = min(int(MAX_OFFSET_SECONDS / STEP_SECONDS), len(agreement) // 2 - 2)
    values = np.concatenate([agreement[-most - 1 :], agreement[: most + 2]])  # negative lags wrap
    index = int(values[1:-1].argmax()) + 1
    lag = index - most - 1 + vertex_of(values[index - 1 : index + 2])
    return lag, float(values[index]), float(values.std()) + 1e-12


def vertex_of(values: Float64) -> float:
    """Returns the place of the vertex of the parabola through three values, from the middle one."""
    before, height, after = values
    curvature = before - 2 * height + after
    return float(0.5 * (before - after) / curvature) if curvature else 0.0
