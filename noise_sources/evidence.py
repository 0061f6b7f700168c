"""The evidence behind the claims of our own sources; docs/sources/ has the same figures with their circumstances."""

from __future__ import annotations

from esoteric_drbg.noise_sources.claims import Evidence

__all__ = ["MACHINE_CLASS", "measured"]

#: The machine class that the claims were measured on.
MACHINE_CLASS = "AMD EPYC family 26, KVM guest, TSC stepping at 100 MHz, Linux 6.18"


def measured(assessed: float) -> Evidence:
    """Return the evidence of recordings of 2026-11-23 whose lowest figure is ``assessed`` bits per symbol."""
    return Evidence(
        dataset="1,000,000 consecutive symbols, and a 1000 x 1000 restart matrix by rows and by columns",
        date="2026-11-23",
        machine_class=MACHINE_CLASS,
        assessed=assessed,
        method="SP 800-90B 6.3.1 to 6.3.10 on symbols and bitstring",
    )
