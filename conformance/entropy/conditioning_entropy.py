"""Entropy of a conditioning component's output, SP 800-90B 3.1.5."""

from __future__ import annotations

import attrs

from esoteric_drbg.conformance.documents import Document
from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.seeding.conditioning import output_entropy

__all__ = ["ConditioningAssessment", "conditioning_output_entropy"]

#: Input entropy beyond n_out, in bits, at which SP 800-90C gives the output of a vetted component full entropy.
FULL_ENTROPY_EXCESS = 64


@attrs.frozen(kw_only=True)
class ConditioningAssessment(Document):
    """Result of :func:`conditioning_output_entropy`; all lengths and entropies in bits.

    Attributes
    ----------
    kind : str
        ``"vetted"`` (3.1.5.1), ``"non-vetted"`` (3.1.5.2) or ``"bijective"`` (3.1.5: it cannot lose entropy).
    n_in, n_out, nw, h_in
        As given.
    h_prime : float or None
        h', assessed entropy per bit of the output data; non-vetted components only.
    output_entropy : float or None
        Output_Entropy(n_in, n_out, nw, h_in) of 3.1.5.1.2; None for a bijective component.
    h_out : float
        Entropy of one output.
    decided_by : str
        The bound that decides: ``"Output_Entropy"``, ``"0.999 n_out"``, ``"h' x n_out"`` or ``"h_in"``.
    full_entropy : bool
        Whether the output has full entropy by SP 800-90C: vetted, n_out at most nw, and h_in at least n_out + 64.
    """

    kind: str
    n_in: int
    n_out: int
    nw: int
    h_in: float
    h_prime: float | None
    output_entropy: float | None
    h_out: float
    decided_by: str
    full_entropy: bool


def conditioning_output_entropy(
    n_in: int,
    n_out: int,
    nw: int,
    h_in: float,
    *,
    vetted: bool = True,
    h_prime: float | None = None,
    bijective: bool = False,
) -> ConditioningAssessment:
    """Return the entropy of a conditioning component's output.

    Parameters
    ----------
    n_in, n_out, nw : int
        Input length, output length and narrowest internal width, in bits.
    h_in : float
        Min-entropy of one input, 0 to `n_in` bits.
    vetted : bool
        Whether the component is one of 3.1.5.1.1.
    h_prime : float, optional
        h' of 3.1.5.2 for a non-vetted component: h_bitstring of its output data, assessed on the conditioned track.
    bijective : bool
        Whether the component is a bijection: `n_out` equals `n_in`, and no entropy is lost.

    Raises
    ------
    InvalidInputError
        If an argument is out of range, or arguments exclude each other.

    Examples
    --------
    >>> from esoteric_drbg.conformance.entropy.conditioning_entropy import conditioning_output_entropy
    >>> conditioning_output_entropy(512, 256, 256, 320.0).full_entropy
    True
    >>> result = conditioning_output_entropy(512, 256, 256, 300.0, vetted=False, h_prime=0.9)
    >>> result.h_out, result.decided_by
    (230.4, "h' x n_out")
    """
    entropy = output_entropy(n_in, n_out, nw, h_in)
    if bijective:
        if n_in != n_out or h_prime is not None:
            raise InvalidInputError("a bijective component has n_out = n_in, and no h'")
        bounds = [(float(h_in), "h_in")]
    elif vetted:
        if h_prime is not None:
            raise InvalidInputError("h' belongs to components that are not vetted (3.1.5.2)")
        bounds = [(entropy, "Output_Entropy")]
    else:
        if h_prime is None or not 0.0 <= h_prime <= 1.0:
            raise InvalidInputError(f"h'={h_prime}: a component that is not vetted takes h', 0 to 1 bit per output bit")
        bounds = [(entropy, "Output_Entropy"), (0.999 * n_out, "0.999 n_out"), (h_prime * n_out, "h' x n_out")]
    h_out, decided_by = min(bounds)
    return ConditioningAssessment(
        kind="bijective" if bijective else "vetted" if vetted else "non-vetted",
        n_in=n_in,
        n_out=n_out,
        nw=nw,
        h_in=float(h_in),
        h_prime=h_prime,
        output_entropy=None if bijective else entropy,
        h_out=h_out,
        decided_by=decided_by,
        full_entropy=decided_by == "Output_Entropy" and vetted and n_out <= nw and h_in >= n_out + FULL_ENTROPY_EXCESS,
    )
