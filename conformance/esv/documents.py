"""Skeletons of the documents that go with an Entropy Source Validation, filled with the measured values."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from esoteric_drbg.conformance.audit.claim_audit import SourceAudit
from esoteric_drbg.noise_sources import NoiseSource
from esoteric_drbg.noise_sources.guard import digitization
from esoteric_drbg.version import __version__

__all__ = ["OPEN", "entropy_assessment_report", "public_use_document"]

#: What a person has to write.
OPEN = "**[to be written by the submitter]**"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.6f}"


def entropy_assessment_report(source: NoiseSource, audit: SourceAudit, facts: dict[str, Any]) -> str:
    """Return the skeleton of the Entropy Assessment Report with the measured values in it."""
    component = facts["conditioningComponent"][0]
    machine = "\n".join(f"| {key.replace('_', ' ')} | {value} |" for key, value in audit.machine.items())
    tests = "\n".join(
        f"| {test.test} | {test.tier} | {test.cutoff} | 2^{math.log2(test.alpha):.0f} | {test.alarms} in {test.chances:,} |"
        + ("" if test.can_fail else " never fails: the cutoff exceeds the window |")
        for test in audit.false_alarms
    )
    estimates = "\n".join(
        f"| {name} | {_figure(value.min_entropy)} |" for name, value in (audit.sequential.literal or {}).items()
    )
    restart = audit.restart
    digitized = digitization(source)
    date = datetime.now(UTC).date().isoformat()
    return f"""# Entropy Assessment Report (skeleton): {source.name}

Written by esoteric_drbg {__version__} on {date} from its own recordings. Bold brackets mark what a person has to write.

## 1. Noise source

- Name: {facts["primaryNoiseSource"]}
- Kind: {"physical" if source.physical else "non-physical"}
- Physics: {source.physics} {OPEN}
- Digitization: {digitized}
- Sample: {source.symbol_bits} bits, stored one a byte
- Independence group: {source.independence_group}

## 2. Operating environment

| | |
|---|---|
{machine}

Range of conditions (temperature, voltage, load): {OPEN}

## 3. Assessment (SP 800-90B section 3.1)

| figure | value |
|---|---|
| track | {"IID" if facts["iidClaim"] else "non-IID"} |
| H_submitter | {audit.h_submitter:g} |
| H_original | {_figure(audit.h_original)} |
| H_bitstring | {_figure(audit.h_bitstring)} |
| H_I | {_figure(audit.h_initial)} |
| restart sanity check | {"passed" if restart.sanity_passed else "failed"}: X_row {restart.x_row}, X_column {restart.x_column}, cutoff {restart.row_cutoff} |
| H_r, H_c | {_figure(audit.h_row)}, {_figure(audit.h_column)} |
| verdict on the claim | {audit.verdict}: {"; ".join(audit.reasons)} |

| estimator (literal) | bits per sample |
|---|---|
{estimates}

Justification of H_submitter, a stochastic model or a heuristic argument: {OPEN}

## 4. Health tests (SP 800-90B section 4)

| test | tier | cutoff | alpha | alarms on the raw data |
|---|---|---|---|---|
{tests}

Known failure modes and which test catches each: docs/sources/{source.name}.md; {OPEN}

## 5. Conditioning (SP 800-90B section 3.1.5)

{component["description"]}, vetted: n_in {component["minNin"]}, h_in {component["minHin"]:g}, nw {component["nw"]}, n_out {component["nOut"]}; h_out
{component["hOut"]:.9f}.

## 6. Statement of the submitter

{OPEN}
"""


def public_use_document(source: NoiseSource, facts: dict[str, Any]) -> str:
    """Return the skeleton of the Public Use Document."""
    component = facts["conditioningComponent"][0]
    return f"""# Public Use Document (skeleton): {source.name}

Version of the module: esoteric_drbg {__version__}. No certificate exists: {OPEN}

- Description: {source.description}.
- Security boundary: the Python process that imports the package. {OPEN}
- Operating conditions: {OPEN}
- Configuration: none is needed; `EntropyPool.auto()` credits the source where its start-up test passes.
- Interface: `EntropyPool.seed_material` (GetEntropy): multiples of {component["nOut"]} bits with full entropy.
- Min-entropy rate: {component["hOut"]:.6f} bits per {component["nOut"]}-bit output; {facts["hminEstimate"]:g} bits per raw sample.
- Health tests: repetition count and adaptive proportion, at start-up, continuously and on demand (`pool --test`).
- Maintenance: {OPEN}
- Required tests by the user: `esoteric-drbg audit {source.name}` on each new class of machine.
"""
