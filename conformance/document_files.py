"""JSON documents in files: written whole or not at all, and read by msgspec, which names a wrong field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from esoteric_drbg.atomic_write import write_file
from esoteric_drbg.conformance.documents import Document, field_names, to_document
from esoteric_drbg.errors import InvalidInputError

__all__ = ["contradictions", "from_document", "json_object", "parse_document", "read_document", "write_document"]

T = TypeVar("T")


def from_document(kind: type[T], document: object, where: str) -> T:
    """Return a document as an instance of a frozen class; fields that the class does not have are ignored.

    Parameters
    ----------
    kind : type
        An attrs class, a :class:`~esoteric_drbg.frozen.Frozen`, or a msgspec struct.
    document : object
        What :func:`json.loads` returned.
    where : str
        Beginning of the error message: the file, and what it should be.

    Raises
    ------
    InvalidInputError
        If a field is missing or of another type; the message names it.

    Examples
    --------
    >>> from esoteric_drbg.conformance.iid.chi_square import ChiSquare
    >>> from_document(ChiSquare, {"p_value": "high"}, "result.json")
    Traceback (most recent call last):
    ...
    esoteric_drbg.errors.InvalidInputError: result.json: p_value: Expected `float | null`, got `str`
    """
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$")
        field = place.rstrip("`").lstrip(".")
        raise InvalidInputError(": ".join(part for part in (where, field, message) if part)) from None


def contradictions(value: object, document: Any) -> list[str]:
    """Return the contradictions between a document's properties and fields: "passed is True, its fields give False".

    Parameters
    ----------
    value : object
        The result of :func:`from_document`.
    document : object
    """
    found: list[str] = []
    if isinstance(value, (tuple, list)):
        return [
            words
            for one, its_document in zip(value, document, strict=True)
            for words in contradictions(one, its_document)
        ]
    if isinstance(value, Document):
        for name in (*value.shown_first, *value.shown_last):
            given = to_document(getattr(value, name))
            if name in document and document[name] != given:
                found.append(f"{name} is {document[name]!r}, its fields give {given!r}")
    for name in field_names(type(value)):
        if name in document:
            found += [f"{name}: {words}" for words in contradictions(getattr(value, name), document[name])]
    return found


def json_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file.

    Raises
    ------
    InvalidInputError
        If the file cannot be read or holds something else.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise InvalidInputError(f"{path}: {error}") from None
    return _object_in(text, path)


def _object_in(text: bytes | str, path: Path) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"{path}: {error}") from None
    if not isinstance(document, dict):
        raise InvalidInputError(f"{path}: expected a JSON object")
    return document


def read_document(path: Path, kind: type[T], what: str) -> T:
    """Read a file as an instance of a frozen class; `what` names the expected document in an error message.

    Raises
    ------
    InvalidInputError
        If the file cannot be read, is not `what`, or contradicts itself; the message names file and field.
    """
    return _structured(json_object(path), path, kind, what)


def parse_document(text: bytes | str, path: Path, kind: type[T], what: str) -> T:
    """Return a file's text as an instance of a frozen class, as :func:`read_document` does."""
    return _structured(_object_in(text, path), path, kind, what)


def _structured(document: dict[str, Any], path: Path, kind: type[T], what: str) -> T:
    value = from_document(kind, document, f"{path}: not {what}")
    for words in contradictions(value, document):
        raise InvalidInputError(f"{path}: not {what}: {words}")
    return value


def write_document(path: Path, value: object) -> Path:
    """Write a result as a JSON file, atomically, and create its folder if that is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, json.dumps(to_document(value), indent=2, allow_nan=False) + "\n")
    return path
