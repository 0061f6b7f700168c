"""The evidence bundle of an Entropy Source Validation: data files, registrations, manifest, document skeletons.

Everything is computed from recordings of the source as seeding reads it. Nothing is sent anywhere: the laboratory
submits.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import attrs

from esoteric_drbg.atomic_write import new_folder
from esoteric_drbg.conformance.audit.plan import FULL_SAMPLES
from esoteric_drbg.conformance.audit.results import SourceAudit
from esoteric_drbg.conformance.document_files import write_document
from esoteric_drbg.conformance.esv.documents import entropy_assessment_report, public_use_document
from esoteric_drbg.conformance.esv.registration import rbg_registration, registration
from esoteric_drbg.conformance.recording.recorder import file_sha256
from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.noise_sources import NoiseSource
from esoteric_drbg.version import __version__

__all__ = ["FILES", "MANIFEST", "Manifest", "registration", "write_bundle"]

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


@attrs.frozen(kw_only=True)
class Manifest:
    """The files of a bundle: SHA-256 by name."""

    format: int = 1
    sha256: dict[str, str]


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
            write_document(partial / FILES[key], document)
        (partial / FILES["report"]).write_text(entropy_assessment_report(source, audit, facts), encoding="utf-8")
        (partial / FILES["public_use"]).write_text(public_use_document(source, facts), encoding="utf-8")
        manifest = {file: file_sha256(partial / file) for file in sorted(FILES.values())}
        write_document(partial / MANIFEST, Manifest(sha256=manifest))
        if (partial / FILES["raw"]).stat().st_size != FULL_SAMPLES:
            raise InvalidInputError(f"{raw} has not exactly {FULL_SAMPLES:,} samples")
    return manifest
