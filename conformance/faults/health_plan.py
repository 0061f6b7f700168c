"""Plans of the continuous health tests of SP 800-90B 4.4: their false alarms, and their detection of named faults.

The figures of RCT and APT for IID data are exact, from the start of a window: run lengths by a recursion, windows by
binomials. A stuck source and a period are deterministic, averaged over the phase of the window. Entrained data,
repeated blocks, and the developer-defined Lag Predictor Test ("lag") on IID data are simulated, with a fixed seed and a
99 % Clopper-Pearson interval. The false alarms of the Lag Predictor Test are bounds that hold for every source with the
claimed min-entropy.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from fractions import Fraction

import attrs

from esoteric_drbg.conformance.documents import Document
from esoteric_drbg.conformance.faults.health_simulation import Cutoffs, Detection, clopper_pearson, simulated
from esoteric_drbg.conformance.faults.models import FAULTS, Fault, worst_distribution
from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.health_tests import (
    LagCutoffs,
    apt_cutoff,
    apt_window,
    lag_cutoffs,
    rct_cutoff,
)
from esoteric_drbg.health_tests.cutoffs import SPAN_WINDOWS, Real
from esoteric_drbg.kernels.health import LAG_PREDICTORS, LAGS

__all__ = ["Detection", "HealthPlan", "clopper_pearson", "parse_alpha", "plan_health", "rct_within"]

#: The hazard of a run no longer changes after this many times the cutoff, in samples.
_BURN_IN = 60
_DAY_S = 86_400


@attrs.frozen(kw_only=True)
class HealthPlan(Document):
    """Result of :func:`plan_health`.

    Attributes
    ----------
    min_entropy, alpha : float
        H in bits per sample, and the false-alarm probability behind the cutoffs.
    symbol_bits, window : int
        Width of a sample in bits, and W.
    rct_cutoff, apt_cutoff : int
        C of each test; an APT cutoff above the window never fails.
    rct_false_alarm, apt_false_alarm : float
        For the worst IID source of this H: new runs of C per sample, and failing windows per window.
    lag_cutoffs : LagCutoffs
        Cutoffs of the Lag Predictor Test: correct predictions in a row, in a window, and in a span of `span` windows.
    lag_false_alarms : tuple of float
        Upper bounds for every source of this H: a failing run that begins at a sample, a failing window, a failing
        span.
    lag_false_alarm : float
        Upper bound for the three together, per sample.
    rct_false_alarms_per_day, apt_false_alarms_per_day, lag_false_alarms_per_day : float or None
        At `rate` samples per second; for the Lag Predictor Test, an upper bound.
    within : int
        Samples after the onset of a fault that `detections` count.
    detections : tuple of Detection
    """

    min_entropy: float
    alpha: float
    symbol_bits: int
    window: int
    rct_cutoff: int
    apt_cutoff: int
    rct_false_alarm: float
    apt_false_alarm: float
    span: int
    lag_cutoffs: LagCutoffs
    lag_false_alarms: tuple[float, float, float]
    lag_false_alarm: float
    rate: float | None
    rct_false_alarms_per_day: float | None
    apt_false_alarms_per_day: float | None
    lag_false_alarms_per_day: float | None
    within: int
    seed: int
    detections: tuple[Detection, ...]


def parse_alpha(text: str) -> Real:
    """Read a probability: ``2^-30``, ``1e-9``, ``1/1000``. The result is exact.

    Examples
    --------
    >>> parse_alpha("2^-30") == 2**-30, parse_alpha("1/8")
    (True, Fraction(1, 8))
    """
    base, caret, exponent = text.partition("^")
    try:
        if not caret:
            return Fraction(text)
        power = int(exponent)
        if abs(power) > 4096:
            raise InvalidInputError(f"alpha={text!r}: the exponent is beyond 4096")
        return Fraction(base) ** power
    except (ValueError, ZeroDivisionError):
        raise InvalidInputError(f"alpha={text!r}: expected a probability such as 2^-30, 1e-9 or 1/1000") from None


def rct_within(distribution: Sequence[tuple[float, int]], cutoff: int, n: int) -> float:
    """Return the probability that `n` IID samples contain a run of `cutoff` or more.

    Parameters
    ----------
    distribution : sequence of (float, int)
        Each probability, with the number of symbols that have it.
    cutoff, n : int
        In samples.

    Notes
    -----
    The recursion carries the probability of "no run yet, a run of i starts here" from sample to sample. Once the hazard
    is constant, the tail is geometric and equals the recursion to double precision.

    Examples
    --------
    >>> rct_within([(0.5, 2)], 2, 3)
    0.75
    """
    if n < cutoff:
        return 0.0
    starts = [deque([0.0] * (cutoff - 1), maxlen=cutoff - 1) for _ in distribution]
    ends = [0.0] * len(distribution)
    last = [p ** (cutoff - 1) for p, _ in distribution]
    alive, log_alive, hazard = 1.0, 0.0, 0.0
    steps = min(n, _BURN_IN * cutoff)
    for _ in range(steps):
        alarms = 0.0
        following = 0.0
        for i, (p, times) in enumerate(distribution):
            start = p * max(alive - ends[i], 0.0)
            fired = last[i] * starts[i][0]
            ends[i] = p * ends[i] + start - fired
            starts[i].append(start)
            alarms += times * fired
            following += times * ends[i]
        hazard = min(alarms / alive, 1.0)
        if hazard >= 1.0 or following <= 0.0:
            return 1.0
        log_alive += math.log1p(-hazard)
        alive = following
        if alive < 1e-200:  # only ratios matter: nothing underflows
            ends = [value / alive for value in ends]
            starts = [deque((value / alive for value in row), maxlen=cutoff - 1) for row in starts]
            alive = 1.0
    return -math.expm1(log_alive + (n - steps) * math.log1p(-hazard))


def _tail(count: int, trials: int, p: float) -> float:
    """P(X >= count) for X binomial."""
    from scipy.special import betainc  # noqa: PLC0415 - slow to import

    if count <= 0:
        return 1.0
    return float(betainc(count, trials - count + 1, p)) if count <= trials else 0.0


def _window_fails(distribution: Sequence[tuple[float, int]], cutoff: int, length: int) -> float:
    """P(the value of a window's first sample occurs `cutoff` times in its first `length` samples)."""
    return math.fsum(times * p * _tail(cutoff - 1, length - 1, p) for p, times in distribution) if length else 0.0


def _iid(name: str, distribution: Sequence[tuple[float, int]], plan: Cutoffs, n: int) -> list[Detection]:
    """RCT and APT on IID data, from the start of a window."""
    rct, apt, window = plan.rct, plan.apt, plan.window
    rate = math.fsum(m * p**rct * (1 - p) / -math.expm1(rct * math.log(p)) for p, m in distribution if 0 < p < 1)
    fails = _window_fails(distribution, apt, window)
    whole, rest = divmod(n, window)
    missed = (1 - fails) ** whole * (1 - _window_fails(distribution, apt, rest))
    mean = None
    if fails > 0:
        later = math.fsum(fails - _window_fails(distribution, apt, length) for length in range(window))
        mean = (1 / fails - 1) * window + later / fails
    return [
        _exact(name, "RCT", rct_within(distribution, rct, n), 1 / rate if rate else None),
        _exact(name, "APT", 1 - missed, mean, "" if apt <= window else "the cutoff exceeds the window"),
    ]


def _periodic(fault: Fault, symbol_bits: int, plan: Cutoffs, n: int) -> list[Detection]:
    """Different symbols in turn, at equal steps; no sample before the onset equals one of them."""
    name, period = fault.name, fault.length
    rct, apt, window = plan.rct, plan.apt, plan.window
    need = (apt - 1) * period + 1
    seen = need <= window
    note = "" if seen else f"in {window} symbols no symbol comes more than {-(-window // period)} times, cutoff {apt}"
    apt_line = _exact(
        name,
        "APT",
        min(1.0, max(0, n - need + 1) / window) if seen else 0.0,
        (window - 1) / 2 + need if seen else None,
        note,
    )
    # The prediction by the period's lag is correct from the second period on. The prediction by a straight line is
    # correct from the third sample on: to the end of the period, or always if all symbols come in turn.
    delays = [period + plan.lag.run] if period <= LAGS else []
    if period >= 2 + plan.lag.run or period * fault.step == 1 << symbol_bits:
        delays.append(2 + plan.lag.run)
    if delays:
        lag_line = _exact(name, "lag", float(n >= min(delays)), float(min(delays)))
    else:
        lag_line = _exact(name, "lag", 0.0, None, f"longer than {LAGS} symbols, shorter than a run of {plan.lag.run}")
    if period == 1:
        return [_exact(name, "RCT", float(n >= rct), float(rct)), apt_line, lag_line]
    return [_exact(name, "RCT", 0.0, None, "no two neighbours are equal"), apt_line, lag_line]


def _exact(fault: str, test: str, within: float, delay: float | None, note: str = "") -> Detection:
    return Detection(fault=fault, test=test, within=within, interval=None, mean_delay=delay, how="exact", note=note)


def plan_health(
    min_entropy: float,
    alpha: Real,
    *,
    symbol_bits: int = 8,
    window: int | None = None,
    rate: float | None = None,
    within: int = 16_384,
    faults: Sequence[Fault] = FAULTS,
    seed: int = 1,
    trials: int = 200,
) -> HealthPlan:
    """Return cutoffs, expected false alarms and the power against faults, SP 800-90B 4.3 and 4.4.

    Parameters
    ----------
    min_entropy : float
        H in bits per sample, above 0 and at most `symbol_bits`.
    alpha : float, int, str, Decimal or Fraction
        False-alarm probability behind the cutoffs.
    symbol_bits : int
        Width of a sample in bits, 1 to 8.
    window : int, optional
        W; by default the window of 4.4.2 for this width.
    rate : float, optional
        Samples per second, for alarms per day.
    within : int
        Samples after the onset of a fault.
    faults : sequence of Fault
    seed, trials : int
        Seed and number of trials of the simulated faults.

    Raises
    ------
    InvalidInputError
        If an argument is outside its range.

    Examples
    --------
    >>> plan = plan_health(0.5, 2**-30, faults=())
    >>> plan.rct_cutoff, plan.apt_cutoff
    (61, 422)
    """
    if not 1 <= symbol_bits <= 8 or not 0 < min_entropy <= symbol_bits:
        raise InvalidInputError(f"min_entropy={min_entropy}, symbol_bits={symbol_bits}: expected 0 < H <= bits <= 8")
    if within < 1 or trials < 1 or (rate is not None and not 0 < rate < math.inf):
        raise InvalidInputError(f"within={within}, trials={trials}, rate={rate}: expected positive numbers")
    length = window or apt_window(symbol_bits)
    span = min(SPAN_WINDOWS, (1 << 16) // length)
    plan = Cutoffs(
        rct=rct_cutoff(min_entropy, alpha),
        apt=apt_cutoff(min_entropy, alpha, length),
        lag=lag_cutoffs(min_entropy, alpha, length, span),
        window=length,
        span=span,
    )
    worst = worst_distribution(min_entropy, symbol_bits)
    per_symbol = math.fsum(times * (1 - p) * p**plan.rct for p, times in worst)
    per_window = _window_fails(worst, plan.apt, length)
    right = 2.0**-min_entropy
    lag_alarms = (
        LAG_PREDICTORS * right**plan.lag.run,
        LAG_PREDICTORS * _tail(plan.lag.window, length, right),
        LAG_PREDICTORS * _tail(plan.lag.span, length * span, right),
    )
    lag_alarm = lag_alarms[0] + lag_alarms[1] / length + lag_alarms[2] / (length * span)
    detections: list[Detection] = []
    for fault in faults:
        names: tuple[str, ...] = ("RCT", "APT", "lag")
        if fault.kind in {"stuck", "periodic"}:
            # A binary source has no period of more than two different symbols: longer ones are simulated.
            if fault.length * fault.step <= 1 << symbol_bits:
                detections += _periodic(fault, symbol_bits, plan, within)
                continue
        elif fault.kind in {"biased", "loss"}:
            detections += _iid(fault.name, fault.distribution(min_entropy, symbol_bits), plan, within)
            names = ("lag",)
        detections += simulated(fault, min_entropy, symbol_bits, plan, within, seed, trials, names)
    return HealthPlan(
        min_entropy=float(min_entropy),
        alpha=float(alpha),
        symbol_bits=symbol_bits,
        window=length,
        rct_cutoff=plan.rct,
        apt_cutoff=plan.apt,
        rct_false_alarm=per_symbol,
        apt_false_alarm=per_window,
        span=span,
        lag_cutoffs=plan.lag,
        lag_false_alarms=lag_alarms,
        lag_false_alarm=lag_alarm,
        rate=rate,
        rct_false_alarms_per_day=None if rate is None else per_symbol * rate * _DAY_S,
        apt_false_alarms_per_day=None if rate is None else per_window * rate / length * _DAY_S,
        lag_false_alarms_per_day=None if rate is None else lag_alarm * rate * _DAY_S,
        within=within,
        seed=seed,
        detections=tuple(detections),
    )
