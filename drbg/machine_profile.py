"""What an audit found on this machine, for seeding: credit = min(shipped claim, audited).

The profile is a JSON file that ``esoteric-drbg audit --save`` writes. It can lower a claim and never raise one, so a
forged profile costs entropy that is counted, never entropy that is missing.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from esoteric_drbg.atomic_write import write_file
from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.noise_sources import Claim, NoiseSource

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["audited_claims", "default_path", "load", "save"]

_FORMAT = 1


def default_path() -> Path:
    """Return where the profile of this machine lies.

    ``ESOTERIC_DRBG_MACHINE_PROFILE`` names it; otherwise it is ``esoteric_drbg/machine.json`` in the user's
    configuration folder (``XDG_CONFIG_HOME``, or ``~/.config``).
    """
    from pathlib import Path  # noqa: PLC0415 - not on the token path

    return Path(_default_path())


def _default_path() -> str:
    named = os.environ.get("ESOTERIC_DRBG_MACHINE_PROFILE")
    if named:
        return named
    folder = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")  # noqa: PTH111 - never raises
    return os.path.join(folder, "esoteric_drbg", "machine.json")  # noqa: PTH118 - no pathlib on the token path


def load(path: Path | None = None) -> dict[str, float]:
    """Return the audited min-entropy of each source, in bits per symbol; nothing where there is no profile.

    Raises
    ------
    InvalidInputError
        If there is a profile and it cannot be read: seeding does not go on as if nobody had audited.
    """
    place = path or _default_path()
    try:
        with open(place, encoding="utf-8") as file:  # noqa: PTH123 - no pathlib on the token path
            text = file.read()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"machine profile {place}: {error}") from None
    import json  # noqa: PLC0415 - only where there is a profile

    try:
        document = json.loads(text)
        if document["format"] != _FORMAT:
            raise InvalidInputError(f"machine profile {place}: format {document['format']!r}, expected {_FORMAT}")
        audited = {name: float(facts["h_assessed"]) for name, facts in document["sources"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InvalidInputError(
            f"machine profile {place}: not what an audit writes; remove it, or audit with --save"
        ) from None
    for name, value in audited.items():
        if not (math.isfinite(value) and 0 <= value <= 64):
            raise InvalidInputError(f"machine profile {place}: {name} has {value} bits per symbol")
    return audited


def save(audits: Mapping[str, Mapping[str, Any]], path: Path | None = None) -> Path:
    """Add the results of audits to the profile, written to a temporary file and renamed.

    Parameters
    ----------
    audits : mapping of str to mapping
        By source: ``h_assessed`` in bits per symbol, and what else is worth keeping.
    """
    import json  # noqa: PLC0415 - not on the token path

    path = path or default_path()
    load(path)  # a broken profile is not built upon
    document: dict[str, Any] = {"format": _FORMAT, "sources": {}}
    if path.exists():
        document = json.loads(path.read_text(encoding="utf-8"))
    document["sources"].update({name: dict(facts) for name, facts in audits.items()})
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, json.dumps(document, indent=2, sort_keys=True, allow_nan=False) + "\n")
    return path


def audited_claims(sources: Iterable[NoiseSource], audited: Mapping[str, float]) -> dict[str, Claim]:
    """Return the claims that an audit lowered, by source name."""
    lowered = {}
    for source in sources:
        claim, here = source.claim, audited.get(source.name)
        if here is not None and here < claim.min_entropy:
            for_tests = claim.health_min_entropy or (None if here else claim.cutoff_entropy)
            lowered[source.name] = claim.replace(min_entropy=here, health_min_entropy=for_tests)
    return lowered
