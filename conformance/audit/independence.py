"""Pairwise tests of the independence of noise sources, on samples recorded at the same time (SP 800-90C).

A pool adds up the credit of different independence groups. Every pair is tested three ways: linear cross-correlation at
lags -1000 to 1000, mutual information of paired samples against random permutations, and the joint min-entropy of the
pair against the sum of its parts. The p-values are corrected for the number of pairs by Holm's method.

Raw samples of one source may be serially correlated, and a fast source gives many samples for one of a slow source.
Neither may be taken for dependence between sources: the variance of a correlation is Bartlett's, which includes the
autocorrelations of both, and permutations move whole blocks of samples.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from esoteric_drbg.conformance.documents import Document
from esoteric_drbg.conformance.entropy import estimators
from esoteric_drbg.conformance.iid.multiplicity import holm
from esoteric_drbg.conformance.recording.simultaneous import Recording, Symbols, pair_symbols
from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.kernels import kernel_info
from esoteric_drbg.progress import Progress, silent
from esoteric_drbg.version import __version__

__all__ = ["IndependenceAudit", "PairResult", "audit_independence"]

#: Largest lag of the cross-correlation, in samples.
MAX_LAG = 1000
#: Permutations of the mutual information test.
PERMUTATIONS = 999
#: Level at which a pair counts as dependent, after the correction.
ALPHA = 0.01
#: Paired samples that the permutation test uses.
MI_SAMPLES = 20_000
#: Samples in a block that permutations keep together: the serial correlation is shorter. Short recordings have 64
#: blocks.
BLOCK = 256
BLOCKS = 64
#: After this many permutations with as much mutual information, more permutations would not change the verdict.
ENOUGH = 20
#: Share by which the joint min-entropy may be below the sum: estimates are lower for a larger alphabet.
JOINT_SLACK = 0.15


@attrs.frozen(kw_only=True)
class PairResult:
    """Test results of one pair of sources.

    Attributes
    ----------
    first, second : str
    same_group : bool
    paired : int
        Number of paired samples.
    max_z, lag : float, int
        Largest absolute cross-correlation in standard deviations, and its lag; at a positive lag the second follows the
        first. The standard deviation is that of two independent series with the autocorrelations of these.
    correlation_p : float
        p-value of `max_z`, times the number of lags.
    serial : bool
        Whether both sources are serially correlated over many samples: they drift, and more data are needed to decide.
    mutual_information, mutual_information_p : float
        Plug-in estimate in bits per pair, and its p-value (b + 1)/(m + 1) of m permutations, or b/m if b = 20 ended
        them.
    joint, single : float or None
        Lowest min-entropy estimate (Most Common Value and lag predictor) of the pair, and the sum of those of its
        parts, in bits; 4 bits of each sample are used.
    joint_passed : bool
        Whether `joint` is at least 0.85 of `single`. A failure is a warning, not a test with a known error rate.
    p_value : float
        Twice the smaller of the two p-values, at most 1.
    adjusted_p : float
        `p_value` corrected for the number of pairs.
    dependent : bool
        Whether `adjusted_p` is below the level.
    verdict : str
    """

    first: str
    second: str
    same_group: bool
    paired: int
    max_z: float
    lag: int
    correlation_p: float
    serial: bool
    mutual_information: float
    mutual_information_p: float
    joint: float | None
    single: float | None
    joint_passed: bool
    p_value: float
    adjusted_p: float
    dependent: bool
    verdict: str


@attrs.frozen(kw_only=True)
class IndependenceAudit(Document):
    """Result of :func:`audit_independence`: sources, their groups, and every pair."""

    sources: tuple[str, ...]
    groups: tuple[str, ...]
    alpha: float
    permutations: int
    seed: int
    pairs: tuple[PairResult, ...]
    kernels: str
    version: str

    shown_first = ("passed",)

    @property
    def passed(self) -> bool:
        """Whether no pair of different independence groups is dependent."""
        return not any(pair.dependent and not pair.same_group for pair in self.pairs)


def cross_correlation(x: Symbols, y: Symbols, max_lag: int = MAX_LAG) -> tuple[float, int, float, bool]:
    """Return the largest \\|z\\|, its lag, the p-value over all lags, and whether both are serially correlated.

    z is the correlation divided by its standard deviation for independent series. By Bartlett's formula, that is the
    square root of (1 + 2 x the sum of the products of both autocorrelations) / overlap.
    """
    from scipy.special import log_ndtr  # noqa: PLC0415 - slow to import

    n = x.size
    most = min(max_lag, n // 4)
    a, b = (values - values.mean() for values in (x.astype(float), y.astype(float)))
    spread = float(np.sqrt((a @ a) * (b @ b)))
    if spread == 0.0:
        return 0.0, 0, 1.0, False
    size = 1 << (2 * n - 1).bit_length()
    spectra = np.fft.rfft(a, size), np.fft.rfft(b, size)
    products = np.fft.irfft(np.conj(spectra[0]) * spectra[1], size)
    lags = np.arange(-most, most + 1)
    own = [np.fft.irfft(np.abs(s) ** 2, size)[1 : most + 1] for s in spectra]
    inflation = max(1.0, 1 + 2 * float((own[0] / (a @ a)) @ (own[1] / (b @ b))))
    z = products[lags] / spread * n / np.sqrt((n - np.abs(lags)) * inflation)
    best = int(np.argmax(np.abs(z)))
    p = min(1.0, math.exp(float(log_ndtr(-abs(z[best])))) * 2 * lags.size)
    return abs(float(z[best])), int(lags[best]), p, inflation > 1.5


def _sixteen(symbols: Symbols) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Reduce samples to 16 levels in two ways: by rank, and by their low bits."""
    ranked = np.sort(symbols)
    edges = ranked[np.arange(1, 16) * symbols.size // 16]
    return np.searchsorted(np.unique(edges), symbols, side="right"), (symbols & 15).astype(np.intp)


def _information(x: NDArray[np.intp], y: NDArray[np.intp]) -> float:
    """Return the plug-in estimate of the mutual information of two series of 16 levels, in bits."""
    table = np.bincount(16 * x + y, minlength=256).reshape(16, 16) / x.size
    expected = np.outer(table.sum(axis=1), table.sum(axis=0))
    seen = table > 0
    return float((table[seen] * np.log2(table[seen] / expected[seen])).sum())


def mutual_information(
    x: Symbols, y: Symbols, *, permutations: int = PERMUTATIONS, seed: int = 1
) -> tuple[float, float]:
    """Return the mutual information of paired samples in bits, and its permutation p-value.

    The mutual information is the sum over two reductions to 16 levels: by rank, and by the low four bits. Blocks of
    samples are permuted. The p-value is (b + 1)/(m + 1), or b/m if b = 20 ended the permutations early (Besag and
    Clifford 1991).
    """
    rng = np.random.default_rng(seed)
    size = min(x.size, y.size, MI_SAMPLES)
    block = max(1, min(BLOCK, size // BLOCKS))
    size -= size % block
    first, second = (_sixteen(one[:size]) for one in (x, y))
    found = sum(_information(a, b) for a, b in zip(first, second, strict=True))
    blocks = [one.reshape(-1, block) for one in first]
    above = 0
    for done in range(1, permutations + 1):
        order = rng.permutation(len(blocks[0]))
        moved = (one[order].ravel() for one in blocks)
        above += sum(_information(a, b) for a, b in zip(moved, second, strict=True)) >= found - 1e-12
        if above == ENOUGH:
            return found, above / done
    return found, (above + 1) / (permutations + 1)


def joint_entropy(x: Symbols, y: Symbols) -> tuple[float | None, float | None]:
    """Return the lower of the MCV and lag estimates of pairs of 4 bits each, and the sum of the parts' estimates."""
    a, b = ((_sixteen(one)[1]).astype(np.uint8) for one in (x, y))
    figures: list[float | None] = []
    for data in (16 * a + b, a, b):
        levels, translated = np.unique(data, return_inverse=True)
        if levels.size == 1:
            figures.append(0.0)
            continue
        # The estimators take binary samples packed.
        raw = (np.packbits(translated == 1) if levels.size == 2 else translated.astype(np.uint8)).tobytes()
        runs = (estimators.mcv(raw, data.size, levels.size), estimators.lag(raw, data.size, levels.size))
        found = [one.min_entropy for one in runs if one.min_entropy is not None]
        figures.append(min(found) if found else None)
    joint, one, other = figures
    return joint, None if one is None or other is None else one + other


def _pair(first: Recording, second: Recording, permutations: int, seed: int) -> PairResult:
    """Test one pair by itself, before the correction for the number of pairs."""
    x, y = pair_symbols(first, second)
    if x.size < 1000:
        raise InvalidInputError(f"{first.name}, {second.name}: {x.size} symbols were read together, 1,000 are needed")
    max_z, lag, correlation_p, serial = cross_correlation(x, y)
    information, information_p = mutual_information(x, y, permutations=permutations, seed=seed)
    joint, single = joint_entropy(x, y)
    p_value = min(1.0, 2 * min(correlation_p, information_p))
    return PairResult(
        first=first.name,
        second=second.name,
        same_group=first.group == second.group,
        paired=x.size,
        max_z=max_z,
        lag=lag,
        correlation_p=correlation_p,
        serial=serial,
        mutual_information=information,
        mutual_information_p=information_p,
        joint=joint,
        single=single,
        joint_passed=joint is None or single is None or joint >= (1 - JOINT_SLACK) * single,
        p_value=p_value,
        adjusted_p=p_value,
        dependent=False,
        verdict="",
    )


def _verdict(dependent: bool, same_group: bool, serial: bool) -> str:
    if same_group:
        return "same group, dependent" if dependent else "same group, looks independent (information only)"
    if not dependent:
        return "no dependence found"
    return "DEPENDENT across groups" + ("; both drift by themselves, look closer" if serial else "")


def audit_independence(
    recordings: Sequence[Recording],
    *,
    permutations: int | None = None,
    seed: int = 1,
    alpha: float = ALPHA,
    progress: Progress | None = None,
) -> IndependenceAudit:
    """Test every pair of recordings for independence.

    Parameters
    ----------
    recordings : sequence of Recording
        Two or more, as :func:`~esoteric_drbg.conformance.recording.simultaneous.record_together` returns them.
    permutations : int, optional
        Permutations of the mutual information test; if None, 999, or more where Holm's correction needs a smaller
        p-value.
    seed : int
        Seed of the permutations.
    alpha : float
        Significance level after the correction.
    progress : callable, optional
        ``progress(done, total, pair)``.

    Raises
    ------
    InvalidInputError
        If there are fewer than two recordings, or too few samples were recorded at the same time.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> x, y = rng.integers(0, 256, (2, 5000), dtype=np.uint8)
    >>> one, other = (Recording(name=name, group=name, symbols=s) for name, s in (("one", x), ("other", y)))
    >>> audit_independence([one, other], permutations=199).passed
    True
    """
    pairs = list(itertools.combinations(recordings, 2))
    if not pairs or not 0 < alpha < 1:
        raise InvalidInputError(f"{len(recordings)} recordings, alpha={alpha}: two or more, 0 < alpha < 1")
    # 2 / (m + 1) times the number of pairs must be below alpha.
    m = permutations or max(PERMUTATIONS, math.ceil(2 * len(pairs) / alpha) + 1)
    report = progress or silent
    rows = []
    for index, (one, other) in enumerate(pairs):
        rows.append(_pair(one, other, m, seed + index))
        report(index + 1, len(pairs), f"{one.name}, {other.name}")
    results = []
    for row, adjusted in zip(rows, holm([row.p_value for row in rows]), strict=True):
        dependent = adjusted < alpha
        verdict = _verdict(dependent, row.same_group, row.serial)
        results.append(attrs.evolve(row, adjusted_p=adjusted, dependent=dependent, verdict=verdict))
    return IndependenceAudit(
        sources=tuple(one.name for one in recordings),
        groups=tuple(one.group for one in recordings),
        alpha=alpha,
        permutations=m,
        seed=seed,
        pairs=tuple(results),
        kernels=kernel_info().name,
        version=__version__,
    )
