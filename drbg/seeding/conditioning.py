"""The conditioning component: Hash_df (SP 800-90A 10.3.1), and the entropy of its output (SP 800-90B 3.1.5.1.2)."""

from __future__ import annotations

import math

from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.kernels.hash_df import hash_df as _hash_df

__all__ = ["FULL_ENTROPY_MARGIN_BITS", "conditioned_credit", "hash_df", "output_entropy"]

#: A vetted conditioning component's output counts as full entropy when h_in is this much above n_out (SP 800-90C).
FULL_ENTROPY_MARGIN_BITS = 64


def hash_df(
    data: bytes | bytearray | memoryview,
    n_bits: int,
    *,
    hash_name: str = "sha256",
    data_bits: int | None = None,
) -> bytes:
    """Hash_df: derive ``n_bits`` bits from a bit string (SP 800-90A Rev. 1, 10.3.1).

    Parameters
    ----------
    data : bytes-like
        input_string; its leftmost ``data_bits`` bits are used.
    n_bits : int
        no_of_bits_to_return, 1 to 255 x outlen; it need not be a multiple of 8.
    hash_name : str
        ``"sha224"``, ``"sha256"``, ``"sha384"``, ``"sha512"``, ``"sha512_224"`` or ``"sha512_256"``.
    data_bits : int, optional
        Length of input_string in bits if it is no multiple of 8; default all bits of ``data``.

    Returns
    -------
    bytes
        ceil(n_bits / 8) bytes, left-aligned; unused low bits of the last byte are 0.

    Raises
    ------
    InvalidInputError
        If an argument is outside its range.

    Examples
    --------
    >>> hash_df(b"raw symbols", 100).hex()
    '6734d243e63390b81f16831130'
    """
    return _hash_df(data, n_bits, hash_name=hash_name, data_bits=data_bits)


def output_entropy(n_in: int, n_out: int, nw: int, h_in: float) -> float:
    """Output_Entropy(n_in, n_out, nw, h_in) of SP 800-90B 3.1.5.1.2, in bits.

    Parameters
    ----------
    n_in : int
        Input length in bits, 1 or more.
    n_out : int
        Output length in bits, 1 or more.
    nw : int
        Narrowest internal width in bits, 1 or more; if the input is narrower, the input's width counts.
    h_in : float
        Min-entropy of the input in bits, 0 to ``n_in``.

    Returns
    -------
    float
        h_out, 0 to min(n_out, nw, h_in). Relative error below 1e-12 for ``n_in`` up to 2^20.

    Raises
    ------
    InvalidInputError
        If an argument is outside its range.

    Notes
    -----
    With x = 2^-h_in, p_low = (1 - x) / (2^n_in - 1), n = min(n_out, nw, n_in) and m = n_in - n::

        psi   = 2^m p_low + x
        omega = (2^m + sqrt(2 n 2^m ln 2)) p_low
        h_out = -log2(max(psi, omega))

    Every power is kept as its exponent, and p_low 2^n_in = (1 - x) / (1 - 2^-n_in) stays near 1.

    Examples
    --------
    >>> round(output_entropy(512, 256, 256, 256.0), 6)
    255.0
    """
    for label, value in (("n_in", n_in), ("n_out", n_out), ("nw", nw)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise InvalidInputError(f"{label}={value!r}: expected a whole number of bits, 1 or more")
    if not (isinstance(h_in, (int, float)) and 0 <= h_in <= n_in):
        raise InvalidInputError(f"h_in={h_in!r}: expected 0 to n_in={n_in} bits")
    if h_in == 0:
        return 0.0
    n = min(n_out, nw, n_in)
    # ln((1 - 2^-h_in) / (1 - 2^-n_in)), exactly 0 for h_in = n_in.
    log_scale = _log1m_exp2(h_in) - _log1m_exp2(n_in)
    # In units of 2^-n: 2^m p_low = 2^-n scale.
    scale = math.exp(log_scale)
    psi = _log2_sum(math.log2(scale) - n, -float(h_in)) if scale > 0 else -float(h_in)
    # sqrt(2 n 2^m ln 2) / 2^m = sqrt(2 n ln 2) 2^(-m/2)
    spread = math.sqrt(2 * n * math.log(2)) * 2.0 ** ((n - n_in) / 2)
    omega = -n + (log_scale + math.log1p(spread)) / math.log(2)
    return max(0.0, -max(psi, omega))


def _log1m_exp2(h: float) -> float:
    """Return ln(1 - 2^-h) for h > 0."""
    return math.log1p(-(2.0**-h)) if h > 1 else math.log(-math.expm1(-h * math.log(2)))


def _log2_sum(a: float, b: float) -> float:
    """Return log2(2^a + 2^b)."""
    high, low = max(a, b), min(a, b)
    return high + math.log1p(2.0 ** (low - high)) / math.log(2)


def conditioned_credit(n_in: int, n_out: int, nw: int, h_in: float) -> float:
    """Return the credit in bits of a block from a vetted conditioning component.

    ``n_out`` (full entropy) when ``h_in >= n_out + 64`` and the component is wide enough; otherwise
    :func:`output_entropy` rounded down to whole bits. The exact value lies below ``n_out``, ``nw``, ``n_in`` and
    ``h_in``, so the credit does too: a double rounds up close to any of them.

    Raises
    ------
    InvalidInputError
        If an argument is outside the range that :func:`output_entropy` takes.

    Examples
    --------
    >>> conditioned_credit(8 * 640, 256, 256, 320.0), conditioned_credit(8 * 640, 256, 256, 319.0)
    (256.0, 255.0)
    """
    h_out = output_entropy(n_in, n_out, nw, h_in)
    if nw >= n_out and h_in >= n_out + FULL_ENTROPY_MARGIN_BITS:
        return float(n_out)
    return float(max(min(math.floor(h_out), min(n_out, nw, n_in) - 1, math.ceil(h_in) - 1), 0))
