"""The non-IID track: all ten estimators of SP 800-90B 6.3 on the samples and on their bitstring, section 3.1.3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from esoteric_drbg.conformance.documents import Document
from esoteric_drbg.conformance.entropy import estimators
from esoteric_drbg.conformance.entropy.estimates import Estimate, NotEstimated
from esoteric_drbg.conformance.execution.parallel import Task, run_tasks
from esoteric_drbg.conformance.samples.files import Source, read_samples
from esoteric_drbg.conformance.samples.private_copies import bytes_of, private_array
from esoteric_drbg.conformance.samples.reduction import Reduction
from esoteric_drbg.conformance.samples.sample_set import SampleSet
from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.frozen import Frozen
from esoteric_drbg.kernels import kernel_info
from esoteric_drbg.kernels.estimators import Data
from esoteric_drbg.kernels.memory import OutOfMemoryIsOurs
from esoteric_drbg.progress import Progress
from esoteric_drbg.version import __version__

if TYPE_CHECKING:
    from concurrent.futures import Executor  # which loads logging

__all__ = ["ESTIMATORS", "NonIIDAssessment", "assess_non_iid", "estimate_all", "literal_min_entropies"]

#: The ten estimators' names in the order of the standard.
ESTIMATORS = (
    "mcv",
    "collision",
    "markov",
    "compression",
    "t_tuple",
    "lrs",
    "multi_mcw",
    "lag",
    "multi_mmc",
    "lz78y",
)
_TRUNCATED_BITS = 1_000_000

Estimates = Mapping[str, Estimate]

# Estimators that run together, and their cost: nanoseconds a bit, or a sample of larger alphabets, on uniform data.
_COSTS = {
    "mcv": (0.2, 1.8),
    "collision": (0.5, 0.0),
    "markov": (0.2, 0.0),
    "compression": (0.9, 0.0),
    "t_tuple_and_lrs": (12.0, 14.0),
    "multi_mcw": (0.8, 18.0),
    "lag": (1.4, 6.0),
    "multi_mmc": (11.0, 35.0),
    "lz78y": (0.4, 18.0),
}


class NonIIDAssessment(Frozen, Document):
    """Result of :func:`assess_non_iid`; its JSON form is explained in docs/assessment.md.

    Attributes
    ----------
    track : str
        ``"initial"``, or ``"conditioned"`` for the output of a non-vetted conditioning component.
    literal : mapping of str to Estimate, or None
        Estimates on the samples, by name; None on the conditioned track.
    bitstring : mapping of str to Estimate, or None
        Estimates on the bitstring; None for two-symbol data on the initial track, which are their own bitstring.
    h_original : float or None
        Bits per sample: the lowest literal estimate, at most `bits`.
    h_bitstring : float or None
        Bits per bit: the lowest bitstring estimate, at most 1.
    h_assessed : float
        Bits per sample: min(h_original, bits x h_bitstring), of those that exist.
    decided_by : tuple of str
        Data set and estimator of the lowest value: ``("bitstring", "compression")``.
    samples, alphabet, bits : int
        Number of samples, of distinct symbols, and of bits per sample.
    bitstring_bits : int or None
        Length of the bitstring that was assessed.
    sha256 : str
        SHA-256 of the samples, one a byte.
    warnings : tuple of str
        What a reader of the result has to know.
    reduction : Reduction or None
        How wider raw values were reduced to these symbols; None if they were not.
    kernels, version : str
        Which kernels computed it, and which version of this package.
    """

    track: Literal["initial", "conditioned"]
    literal: Estimates | None
    bitstring: Estimates | None
    h_original: float | None
    h_bitstring: float | None
    h_assessed: float
    decided_by: tuple[str, str]
    samples: int
    alphabet: int
    bits: int
    bitstring_bits: int | None
    sha256: str
    warnings: tuple[str, ...]
    reduction: Reduction | None
    kernels: str
    version: str


@OutOfMemoryIsOurs("an assessment")
def assess_non_iid(
    samples: SampleSet | Source,
    bits: int | None = None,
    *,
    conditioned: bool = False,
    bitstring: Literal["all", "truncated", "none"] = "all",
    threads: int | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> NonIIDAssessment:
    """Estimate the min-entropy of a noise source without assuming that its samples are IID.

    Parameters
    ----------
    samples : SampleSet, path, buffer of bytes or array of integers
        Anything but a SampleSet is read by :func:`esoteric_drbg.conformance.read_samples`, which knows more formats.
    bits : int, optional
        Bits per sample; found from the highest bit set if None. A SampleSet has its own.
    conditioned : bool
        Assess the output of a non-vetted conditioning component: the bitstring only, 3.1.5.2.
    bitstring : {"all", "truncated", "none"}
        Assess all bits of the bitstring, its first 1,000,000, or none: literal estimates alone, as the restart tests
        use them.
    threads : int, optional
        Number of threads; one for each usable processor if None.
    executor : concurrent.futures.Executor, optional
        Runs the estimators in place of threads.
    progress : callable, optional
        Called after each estimator.

    Returns
    -------
    NonIIDAssessment

    Raises
    ------
    InvalidInputError
        If there are no samples, or a sample is wider than `bits`.

    Examples
    --------
    >>> import random
    >>> from esoteric_drbg.conformance.entropy.non_iid import assess_non_iid
    >>> result = assess_non_iid(random.Random(1).randbytes(20_000))
    >>> result.bits, result.alphabet, result.decided_by
    (8, 256, ('bitstring', 'compression'))
    """
    if bitstring not in {"all", "truncated", "none"}:
        raise InvalidInputError(f"bitstring={bitstring!r}: expected 'all', 'truncated' or 'none'")
    if conditioned and bitstring == "none":
        raise InvalidInputError("a conditioned assessment is made on the bitstring: bitstring='none' leaves nothing")
    data = samples if isinstance(samples, SampleSet) else read_samples(samples, bits)
    parts: dict[str, tuple[bytes, int, int]] = {}
    if not conditioned:
        parts["literal"] = literal_data(data)
    if conditioned or (data.alphabet > 2 and bitstring != "none"):
        packed, n = data.bitstring(_TRUNCATED_BITS if bitstring == "truncated" else None)
        parts["bitstring"] = (bytes_of(packed), n, 2)
    found = _constant(parts) if data.alphabet == 1 else _estimate_parts(parts, threads, executor, progress)
    lowest = {name: _lowest(estimates) for name, estimates in found.items()}
    # If every estimate is above the upper limit, the limit caps the result, but is not named as what decided it.
    h_original = min(float(data.bits), lowest["literal"][0]) if "literal" in found else None
    h_bitstring = min(1.0, lowest["bitstring"][0]) if "bitstring" in found else None
    candidates = []
    if h_original is not None:
        candidates.append((h_original, "literal"))
    if h_bitstring is not None:
        candidates.append((data.bits * h_bitstring, "bitstring"))
    h_assessed, decisive = min(candidates)
    return NonIIDAssessment(
        track="conditioned" if conditioned else "initial",
        literal=found.get("literal"),
        bitstring=found.get("bitstring"),
        h_original=h_original,
        h_bitstring=h_bitstring,
        h_assessed=h_assessed,
        decided_by=(decisive, lowest[decisive][1]),
        samples=data.symbols.size,
        alphabet=data.alphabet,
        bits=data.bits,
        bitstring_bits=parts["bitstring"][1] if "bitstring" in parts else None,
        sha256=data.sha256,
        warnings=data.warnings,
        reduction=data.reduction,
        kernels=kernel_info().name,
        version=__version__,
    )


@OutOfMemoryIsOurs("an assessment")
def literal_min_entropies(
    data_sets: Sequence[SampleSet],
    *,
    threads: int | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> list[float]:
    """Return the lowest literal estimate of each data set, in bits per sample: H_r and H_c of the restart tests, 3.1.4.

    All estimators of all data sets share the threads.
    """
    parts = {str(index): literal_data(data) for index, data in enumerate(data_sets) if data.alphabet > 1}
    found = _estimate_parts(parts, threads, executor, progress)
    return [
        min(float(data.bits), _lowest(found[str(index)])[0]) if data.alphabet > 1 else 0.0
        for index, data in enumerate(data_sets)
    ]


def literal_data(samples: SampleSet) -> tuple[bytes, int, int]:
    """Return the translated samples as the estimators take them: ``(data, n, k)``."""
    n, k = samples.symbols.size, samples.alphabet
    if k <= 2:
        return np.packbits(samples.translated).tobytes(), n, 2
    return bytes_of(samples.translated), n, k


@OutOfMemoryIsOurs("an assessment")
def estimate_all(
    data: Data,
    n: int,
    k: int,
    *,
    threads: int | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Estimates:
    """Run all ten estimators on one data set, given as the kernels take it.

    Examples
    --------
    >>> from esoteric_drbg.conformance.entropy.non_iid import estimate_all
    >>> estimates = estimate_all(bytes(100), 800, 2)  # 800 bits, all 0
    >>> estimates["mcv"].min_entropy, estimates["multi_mcw"].min_entropy
    (0.0, None)
    """
    if not isinstance(data, bytes):
        data = bytes_of(private_array(np.frombuffer(data, dtype=np.uint8), "data"))
    return _estimate_parts({"data": (data, n, k)}, threads, executor, progress)["data"]


def _estimate_parts(
    parts: Mapping[str, tuple[bytes, int, int]],
    threads: int | None,
    executor: Executor | None,
    progress: Progress | None,
) -> dict[str, Estimates]:
    places, tasks = [], []
    for part, (data, n, k) in parts.items():
        for name, costs in _COSTS.items():
            places.append((part, name))
            cost = n * costs[0 if k == 2 else 1]
            tasks.append(Task(f"{part} {name}", cost, getattr(estimators, name), (data, n, k)))
    results = run_tasks(tasks, threads=threads, executor=executor, progress=progress)
    found: dict[str, dict[str, Estimate]] = {part: {} for part in parts}
    for (part, name), result in zip(places, results, strict=True):
        if isinstance(result, tuple):
            found[part]["t_tuple"], found[part]["lrs"] = result
        else:
            found[part][name] = result
    return {part: {name: estimates[name] for name in ESTIMATORS} for part, estimates in found.items()}


def _constant(parts: Mapping[str, tuple[bytes, int, int]]) -> dict[str, Estimates]:
    """Return the estimates of data in which all samples are equal: no entropy."""
    nothing = NotEstimated(reason="the alphabet is one symbol: no entropy")
    found: dict[str, Estimates] = {}
    for part, (_, n, _) in parts.items():
        certain = estimators.certainty(n)
        found[part] = {name: certain if name == "mcv" else nothing for name in ESTIMATORS}
    return found


def _lowest(estimates: Estimates) -> tuple[float, str]:
    """Return the lowest estimate and its estimator; among equal ones, the first in the standard's order."""
    ran = [(estimate.min_entropy, name) for name, estimate in estimates.items() if estimate.min_entropy is not None]
    return min(ran, key=lambda pair: pair[0])
