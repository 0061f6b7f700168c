"""The evidence bundle of an Entropy Source Validation: data files, registrations, manifest, document skeletons.

Everything is computed from recordings of the source as seeding reads it. Nothing is sent anywhere: the laboratory
submits.
"""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

from esoteric_drbg.atomic_write import new_folder
from esoteric_drbg.conformance.audit.claim_audit import SourceAudit
from esoteric_drbg.conformance.audit.plan import FULL_RESTARTS, FULL_SAMPLES, RESTART_SAMPLES
from esoteric_drbg.conformance.entropy.conditioning_entropy import conditioning_output_entropy
from esoteric_drbg.conformance.esv.documents import entropy_assessment_report, public_use_document
from esoteric_drbg.conformance.recording.recorder import file_sha256
from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.noise_sources import NoiseSource
from esoteric_drbg.rbg.profiles import SP800_90C
from esoteric_drbg.seeding.pool import BLOCK_BITS, BLOCK_H_IN
from esoteric_drbg.version import __version__

__all__ = ["CONDITIONER", "FILES", "NAME_CHARACTERS", "rbg_registration", "registration", "write_bundle"]

#: The conditioning component: its name in registrations, and its narrowest internal width in bits.
CONDITIONER = "Hash_DF-SHA2-256"
CONDITIONER_NW = 256
#: Most characters of primaryNoiseSource.
NAME_CHARACTERS = 64
#: The files of a bundle, apart from the manifest.
FILES = {
    "raw": "raw_noise.bin",
    "restarts": "restarts.bin",
    "registration": "registration.json",
    "rbg": "rbg.json",
    "assessment": "assessment.json",
    "report": "entropy_assessment_report.md",
    "public_use": "public_use_document.md",
}
MANIFEST = "manifest.json"


def registration(source: NoiseSource, *, operational_environments: int = 1) -> dict[str, Any]:
    """Return the registration of an entropy source: noise source and conditioning component.

    Raises
    ------
    InvalidInputError
        If nothing is claimed, or the name does not fit.
    """
    claim = source.claim
    if claim.credit == 0:
        raise InvalidInputError(f"{source.name}: nothing is credited, so there is no entropy source to register")
    name = source.description if len(source.description) <= NAME_CHARACTERS else source.name[:NAME_CHARACTERS]
    symbols = math.ceil(BLOCK_H_IN / claim.credit)
    # A symbol is conditioned as one byte, whatever its width: the component's input is 8 bits a symbol.
    n_in, h_in = 8 * symbols, symbols * claim.credit
    conditioned = conditioning_output_entropy(n_in, BLOCK_BITS, CONDITIONER_NW, h_in)
    return {
        "primaryNoiseSource": name,
        "iidClaim": claim.iid,
        "bitsPerSample": source.symbol_bits,
        "hminEstimate": claim.credit,
        "physical": source.physical,
        "numberOfRestarts": FULL_RESTARTS,
        "samplesPerRestart": RESTART_SAMPLES,
        "additionalNoiseSources": False,
        "numberOfOEs": operational_environments,
        "conditioningComponent": [
            {
                "sequencePosition": 1,
                "vetted": True,
                "description": CONDITIONER,
                "minNin": n_in,
                "minHin": h_in,
                "nw": CONDITIONER_NW,
                "nOut": BLOCK_BITS,
                "hOut": conditioned.h_out,
            }
        ],
    }


def rbg_registration() -> dict[str, Any]:
    """Return the registration of the RBG construction that the source seeds."""
    strength = SP800_90C.security_strength
    return {
        "construction": "RBG2(NP)",
        "drbg": {"mechanism": "Hash_DRBG", "primitive": "SHA2-256", "derivationFunction": True},
        "securityStrength": strength,
        "instantiateEntropyBits": strength + strength // 2,
        "nonce": "none: the entropy input carries 3/2 security strength (SP 800-90A 8.6.7)",
        "reseedEntropyBits": strength,
        "reseedAvailable": True,
        "reseedOutputBits": SP800_90C.seed_output_bits,
        "predictionResistance": True,
        "maxBitsPerRequest": 1 << 19,
        "multipleSources": "concatenated, each conditioned on its own; one source per independence group is credited",
    }


def write_bundle(source: NoiseSource, audit: SourceAudit, folder: Path) -> dict[str, str]:
    """Write the evidence bundle of one source.

    Parameters
    ----------
    source : NoiseSource
        The source that was audited.
    audit : SourceAudit
        A complete audit of it: nothing left out.
    folder : Path
        A new or empty folder.

    Returns
    -------
    dict of str to str
        The manifest: SHA-256 by file name.

    Raises
    ------
    InvalidInputError
        If the audit is not complete or is of another source, or the folder is not empty.
    """
    if audit.name != source.name:
        raise InvalidInputError(f"the audit is of {audit.name}, not of {source.name}")
    if audit.left_out:
        raise InvalidInputError(f"the audit of {audit.name} left out: {'; '.join(audit.left_out)}")
    if folder.exists() and any(folder.iterdir()):
        raise InvalidInputError(f"{folder} is not empty: a bundle gets a folder of its own")
    facts = registration(source)
    with new_folder(folder) as made:
        partial = Path(made)
        raw, restarts = (Path(file) for file in audit.files)
        shutil.copyfile(raw, partial / FILES["raw"])
        shutil.copyfile(restarts, partial / FILES["restarts"])
        for key, document in (
            ("registration", facts),
            ("rbg", rbg_registration()),
            ("assessment", {"version": __version__, **audit.as_dict(), "files": [FILES["raw"], FILES["restarts"]]}),
        ):
            (partial / FILES[key]).write_text(json.dumps(document, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        (partial / FILES["report"]).write_text(entropy_assessment_report(source, audit, facts), encoding="utf-8")
        (partial / FILES["public_use"]).write_text(public_use_document(source, facts), encoding="utf-8")
        manifest = {file: file_sha256(partial / file) for file in sorted(FILES.values())}
        (partial / MANIFEST).write_text(
            json.dumps({"format": 1, "sha256": manifest}, indent=2) + "\n", encoding="utf-8"
        )
        if (partial / FILES["raw"]).stat().st_size != FULL_SAMPLES:
            raise InvalidInputError(f"{raw} has not exactly {FULL_SAMPLES:,} samples")
    return manifest
