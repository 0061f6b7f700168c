"""Skeletons of the documents that go with an Entropy Source Validation, filled with the measured values."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from esoteric_drbg.conformance.audit.results import SourceAudit
from esoteric_drbg.conformance.esv.registration import Registration
from esoteric_drbg.conformance.rendering import render
from esoteric_drbg.noise_sources import NoiseSource
from esoteric_drbg.noise_sources.guard import digitization
from esoteric_drbg.version import __version__

__all__ = ["OPEN", "entropy_assessment_report", "public_use_document"]

_TEMPLATES = "esoteric_drbg.conformance.esv"
#: Marks what a person has to write.
OPEN = "**[to be written by the submitter]**"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.6f}"


def _exponent(alpha: float) -> str:
    return f"{math.log2(alpha):.0f}"


def entropy_assessment_report(source: NoiseSource, audit: SourceAudit, facts: Registration) -> str:
    """Return the skeleton of the Entropy Assessment Report with the measured values in it."""
    return render(
        _TEMPLATES,
        "entropy_assessment_report.md.j2",
        source=source,
        audit=audit,
        facts=facts,
        component=facts.conditioning_component[0],
        digitized=digitization(source),
        figure=_figure,
        exponent=_exponent,
        open=OPEN,
        version=__version__,
        date=datetime.now(UTC).date().isoformat(),
    )


def public_use_document(source: NoiseSource, facts: Registration) -> str:
    """Return the skeleton of the Public Use Document."""
    return render(
        _TEMPLATES,
        "public_use_document.md.j2",
        source=source,
        facts=facts,
        component=facts.conditioning_component[0],
        open=OPEN,
        version=__version__,
    )
