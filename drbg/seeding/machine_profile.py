"""The machine profile: audits and self-assessments of this machine, stored for seeding.

The profile is a JSON file: one of the user, and a system-wide one that an image can ship; docs/self-assessment.md lists
its contents. An audit in it lowers a claim. A self-assessment allows credit for a source whose evidence fits only
other machines, and only on the machine on which it was made. Neither allows more credit than the shipped claim.
"""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from esoteric_drbg.atomic_write import write_file
from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.frozen import Frozen
from esoteric_drbg.noise_sources import Claim, NoiseSource
from esoteric_drbg.process.forks import loading

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "SYSTEM_PATH",
    "StoredAssessment",
    "audited_claims",
    "default_path",
    "load",
    "save",
    "save_self_assessments",
    "self_assessments",
]

#: The profile of all users of this machine.
SYSTEM_PATH = "/etc/esoteric_drbg/machine.json"
_VARIABLE = "ESOTERIC_DRBG_MACHINE_PROFILE"
#: Version 1 had audits only.
_FORMAT = 2
_FORMATS = (1, 2)
_MOST_BYTES = 4 << 20


class StoredAssessment(Frozen):
    """A self-assessment of one source, as it is stored.

    Attributes
    ----------
    h_lowest : float
        The lowest estimate, in bits per sample.
    parameters : mapping
        The source's parameters: :meth:`esoteric_drbg.noise_sources.NoiseSource.parameters`.
    machine : mapping
        Facts and identity of the machine for which it holds.
    package : str
        Version of this package that made it.
    date : str
        When it was made (ISO 8601, UTC).
    where : str
        The file that contains it.
    """

    h_lowest: float
    parameters: Mapping[str, Any]
    machine: Mapping[str, Any]
    package: str
    date: str
    where: str


def default_path() -> Path:
    """Return the path of this user's profile.

    If ``ESOTERIC_DRBG_MACHINE_PROFILE`` names a profile, no other is read. Otherwise it is
    ``esoteric_drbg/machine.json`` in the user's configuration folder (``XDG_CONFIG_HOME``, or ``~/.config``).
    """
    from pathlib import Path  # noqa: PLC0415 - not on the token path

    return Path(_default_path())


def _default_path() -> str:
    named = os.environ.get(_VARIABLE)
    if named:
        return named
    folder = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")  # noqa: PTH111 - never raises
    return os.path.join(folder, "esoteric_drbg", "machine.json")  # noqa: PTH118 - no pathlib on the token path


def _places(path: Path | None) -> list[str]:
    """Return the profiles in force: the given or named one, otherwise the user's and the system's."""
    if path is not None:
        return [str(path)]
    return [_default_path()] if os.environ.get(_VARIABLE) else [_default_path(), SYSTEM_PATH]


def load(path: Path | None = None) -> dict[str, float]:
    """Return the audited min-entropy of each source, in bits per sample; empty if there is no profile.

    Raises
    ------
    InvalidInputError
        If a profile exists but cannot be read, or if anybody but this user or root may have written it: seeding must
        not go on as if there had been no audit.
    """
    audited: dict[str, float] = {}
    for place in _places(path):
        document = _document(place)
        for name, facts in _section(document, place, "sources").items():
            value = _figure(facts, "h_assessed", name, place)
            audited[name] = min(value, audited.get(name, value))
    return audited


def self_assessments(path: Path | None = None) -> dict[str, list[StoredAssessment]]:
    """Return every stored self-assessment by source, of whatever machine.

    Raises
    ------
    InvalidInputError
        As :func:`load`.
    """
    found: dict[str, list[StoredAssessment]] = {}
    for place in _places(path):
        document = _document(place)
        for name, records in _section(document, place, "self_assessed").items():
            if not isinstance(records, list):
                raise _malformed(place)
            for record in records:
                lowest = _figure(record, "h_lowest", name, place)
                parameters, machine = record.get("parameters"), record.get("machine")
                if not (isinstance(parameters, dict) and isinstance(machine, dict)):
                    raise _malformed(place)
                stored = StoredAssessment(
                    h_lowest=lowest,
                    parameters=parameters,
                    machine=machine,
                    package=str(record.get("package", "")),
                    date=str(record.get("date", "")),
                    where=place,
                )
                found.setdefault(name, []).append(stored)
    return found


def _document(place: str) -> dict[str, Any]:
    """Return the contents of a profile; an empty document if there is none."""
    text = _text(place)
    if text is None:
        return {"format": _FORMAT}
    with loading:
        import json  # noqa: PLC0415 - only where there is a profile

    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise _malformed(place) from None
    if not isinstance(document, dict) or "format" not in document:
        raise _malformed(place)
    if document["format"] not in _FORMATS:
        raise InvalidInputError(f"machine profile {place}: format {document['format']!r}, expected {_FORMAT}")
    return document


def _section(document: Mapping[str, Any], place: str, name: str) -> dict[str, Any]:
    section = document.get(name, {})
    if not isinstance(section, dict):
        raise _malformed(place)
    return section


def _figure(record: Any, key: str, name: str, place: str) -> float:
    """Return a figure of a record, in bits per sample."""
    try:
        value = float(record[key])
    except (ValueError, KeyError, TypeError, OverflowError):
        raise _malformed(place) from None
    if not (math.isfinite(value) and 0 <= value <= 64):
        raise InvalidInputError(f"machine profile {place}: {name} has {value} bits per sample")
    return value


def _malformed(place: str) -> InvalidInputError:
    return InvalidInputError(
        f"machine profile {place}: not what an audit or a self-assessment writes; remove it, or make it again "
        "(audit --save, self-assess)"
    )


def _text(place: str) -> str | None:
    """Return a profile's text, or None if there is none; refuse a file that somebody else may have written."""
    flags = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        handle = os.open(place, flags)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if os.path.islink(place):  # noqa: PTH114 - no pathlib on the token path
            raise InvalidInputError(
                f"machine profile {place}: a symbolic link; name the file itself in {_VARIABLE}"
            ) from None
        raise InvalidInputError(f"machine profile {place}: {error}") from None
    try:
        if fault := _distrusted(os.fstat(handle)):
            raise InvalidInputError(f"machine profile {place}: {fault}")
        with open(handle, encoding="utf-8", closefd=False) as file:
            text = file.read(_MOST_BYTES + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"machine profile {place}: {error}") from None
    finally:
        os.close(handle)
    if len(text) > _MOST_BYTES:
        raise _malformed(place)
    return text


def _distrusted(facts: os.stat_result) -> str:
    """Return why a file is not trusted, and what to do; an empty string if only this user or root can write it."""
    if not stat.S_ISREG(facts.st_mode):
        return "no regular file; remove it, or make it again (self-assess)"
    if not hasattr(os, "geteuid"):
        return ""
    if facts.st_uid not in {0, os.geteuid()}:
        return f"it belongs to user {facts.st_uid}, neither to this one nor to root; chown it, or make it again"
    if facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "others than its owner may write it: chmod go-w it, after a look at what it says"
    return ""


def save(audits: Mapping[str, Mapping[str, Any]], path: Path | None = None) -> Path:
    """Add the results of audits to the profile.

    Parameters
    ----------
    audits : mapping of str to mapping
        For each source: ``h_assessed`` in bits per sample, and any other figures to keep.
    """
    path = path or default_path()
    document = _document(str(path))  # a broken profile is not added to
    section = _section(document, str(path), "sources")
    load(path)
    section.update({name: dict(facts) for name, facts in audits.items()})
    return _write(path, {**document, "sources": section})


def save_self_assessments(records: Mapping[str, Mapping[str, Any]], path: Path | None = None) -> Path:
    """Add self-assessments to the profile; each replaces an older one of the same source on the same machine.

    Parameters
    ----------
    records : mapping of str to mapping
        For each source: ``h_lowest`` in bits per sample, ``parameters``, ``machine``, ``package``, ``date``, and any
        other figures to keep.
    """
    path = path or default_path()
    document = _document(str(path))
    section = _section(document, str(path), "self_assessed")
    self_assessments(path)
    for name, record in records.items():
        others = [old for old in section.get(name, []) if _of(old) != _of(record)]
        section[name] = [*others, dict(record)]
    return _write(path, {**document, "self_assessed": section})


def _of(record: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what identifies machine and kernels of a stored self-assessment, without measured figures: they vary."""
    names = ("cpu", "kernel", "hypervisor", "clock_source", "kernels", "counter")
    return tuple(record["machine"].get(name) for name in names)


def _write(path: Path, document: Mapping[str, Any]) -> Path:
    """Write a profile that only its owner may change, by renaming a temporary file."""
    import json  # noqa: PLC0415 - not on the token path

    content = json.dumps({"sources": {}, **document, "format": _FORMAT}, indent=2, sort_keys=True, allow_nan=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, content + "\n", mode=0o644)
    return path


def audited_claims(sources: Iterable[NoiseSource], audited: Mapping[str, float]) -> dict[str, Claim]:
    """Return the claims that an audit lowered, by source name."""
    return {
        source.name: lowered_claim(source.claim, audited[source.name])
        for source in sources
        if source.name in audited and audited[source.name] < source.claim.min_entropy
    }


def lowered_claim(claim: Claim, min_entropy: float) -> Claim:
    """Return a claim with less min-entropy; the cutoffs of the health tests follow from it, unless it is 0."""
    for_tests = claim.health_min_entropy or (None if min_entropy else claim.cutoff_entropy)
    return claim.replace(min_entropy=min_entropy, health_min_entropy=for_tests)
