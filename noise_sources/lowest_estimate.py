"""A quick, low estimate of the min-entropy of fresh samples, for the gate if no evidence fits.

It runs six of the ten estimators of SP 800-90B 6.3, on the samples and on their bitstring, from counts of the kernels
and plain floats: no numpy with the Rust kernels. It leaves out Compression, whose equation takes a second to solve
without numpy, and Collision, MultiMCW and LZ78Y, which on faults found little that the others had not found
(docs/self-assessment.md).
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from esoteric_drbg.kernels.estimate_bounds import (
    MARKOV_STEPS,
    entropy_of,
    largest_root,
    markov_path,
    most_common_value,
    prediction_bounds,
    upper_bound,
)
from esoteric_drbg.kernels.table import kernel

__all__ = ["LowestEstimate", "load_kernels", "lowest_estimate"]


def load_kernels() -> None:
    """Load the kernels of :func:`lowest_estimate`, so that no seed that a fork interrupts is importing them."""
    for name in ("bit_counts", "lag", "multi_mmc", "tuple_counts"):
        kernel(name)


class LowestEstimate(NamedTuple):
    """The lowest estimate, and what it comes from.

    Attributes
    ----------
    min_entropy : float
        Bits per sample: the lowest of all estimates, those of the bitstring times ``symbol_bits``.
    decided_by : str
        Data set and estimator of the lowest value.
    samples : int
        How many samples it was estimated from.
    """

    min_entropy: float
    decided_by: str
    samples: int


def lowest_estimate(samples: bytes, symbol_bits: int = 8) -> LowestEstimate:
    """Return the lowest estimate of raw samples, one per byte.

    Parameters
    ----------
    samples : bytes
        Raw samples, 64 or more.
    symbol_bits : int
        Width of a sample, 1 to 8 bits.

    Examples
    --------
    >>> lowest_estimate(bytes(1000)).min_entropy
    0.0
    >>> lowest_estimate(bytes(range(100)) * 10).min_entropy < 0.01  # every sample follows from the last one
    True
    """
    n = len(samples)
    alphabet = bytes(sorted(set(samples)))
    if len(alphabet) < 2:
        return LowestEstimate(0.0, "symbols: mcv", n)
    found: list[tuple[float, str]] = []
    if len(alphabet) > 2:
        packed = samples if symbol_bits == 8 else _packed(samples, symbol_bits)
        of_bits = _estimates(packed, n * symbol_bits, 2)
        found += [(symbol_bits * value, f"bitstring: {name}") for name, value in of_bits]
        ranks = bytes.maketrans(alphabet, bytes(range(len(alphabet))))
        literal = _estimates(samples.translate(ranks), n, len(alphabet), max(Counter(samples).values()))
    else:
        literal = _estimates(_packed(samples.translate(bytes.maketrans(alphabet, b"\0\1")), 1), n, 2)
    found += [(value, f"symbols: {name}") for name, value in literal]
    value, name = min(found)
    return LowestEstimate(min(value, float(symbol_bits)), name, n)


def _packed(samples: bytes, width: int) -> bytes:
    """Return the bitstring of samples of ``width`` bits, most significant bit first, padded with zeros."""
    digits = "".join([format(sample, f"0{width}b") for sample in samples])
    digits += "0" * (-len(digits) % 8)
    return int(digits, 2).to_bytes(len(digits) // 8, "big")


def _estimates(data: bytes, n: int, k: int, mode: int = 0) -> list[tuple[str, float]]:
    """Return the estimates of ``n`` samples of an alphabet of ``k`` symbols, packed if bits; ``mode`` as in 6.3.1."""
    found = []
    if k == 2:
        ones, n_00, n_01, n_10, n_11 = kernel("bit_counts")(data, n)
        mode = max(ones, n - ones)
        from_0, from_1 = n_00 + n_01 or 1, n_10 + n_11 or 1
        path = markov_path((n - ones) / n, ones / n, n_00 / from_0, n_01 / from_0, n_10 / from_1, n_11 / from_1)
        found.append(("markov", min(1.0, abs(path) / MARKOV_STEPS)))
    found.append(("mcv", most_common_value(mode, n)))
    most_common, longest, pairs = kernel("tuple_counts")(data, n, k)
    common = memoryview(most_common).cast("Q")
    u = len(common) + 1
    if len(common):
        p = largest_root((count / (n - t + 1) for t, count in enumerate(common, 1)), 1)
        found.append(("t_tuple", entropy_of(upper_bound(p, n))))
    if longest >= u:
        places = (n - w + 1 for w in range(u, longest + 1))
        shares = (count / (m * (m - 1) / 2) for count, m in zip(memoryview(pairs).cast("Q"), places, strict=True))
        found.append(("lrs", entropy_of(upper_bound(largest_root(shares, u), n))))
    for name, skipped in (("lag", 1), ("multi_mmc", 2)):
        correct, longest_run = kernel(name)(data, n, k)
        found.append((name, entropy_of(prediction_bounds(correct, longest_run, n - skipped, k)[2])))
    return found
