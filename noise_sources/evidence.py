"""The evidence behind the claims of our own sources; docs/sources/ has the same figures with their circumstances."""

from __future__ import annotations

from esoteric_drbg.noise_sources.claims import Evidence

__all__ = ["EPYC_25", "EPYC_26", "measured"]

#: The machine classes that the claims were measured on.
EPYC_25 = "AMD EPYC family 25, KVM guest, TSC of 2450 MHz stepping at 100 MHz, Linux 6.18"
EPYC_26 = "AMD EPYC family 26, KVM guest, TSC stepping at 100 MHz, Linux 6.18"


def measured(assessed: float, *, machine_class: str = EPYC_26, date: str = "2026-11-23") -> Evidence:
    """Return the evidence of recordings whose lowest figure is ``assessed`` bits per symbol."""
    return Evidence(
        dataset="1,000,000 consecutive symbols, and a 1000 x 1000 restart matrix by rows and by columns",
        date=date,
        machine_class=machine_class,
        assessed=assessed,
        method="SP 800-90B 6.3.1 to 6.3.10 on symbols and bitstring",
    )
