"""Results as documents and back: frozen classes to what JSON can say, and files to frozen classes.

Writing is a walk over the fields, which loads nothing: an assessment of a small file would wait for a library longer
than for its result. Reading is msgspec's, which names the field that is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from esoteric_drbg.atomic_write import write_file
from esoteric_drbg.errors import InvalidInputError

__all__ = [
    "Document",
    "contradictions",
    "from_document",
    "json_object",
    "parse_document",
    "read_document",
    "to_document",
    "write_document",
]

T = TypeVar("T")


class Document:
    """Base of results that are documents, too. The fields of the class are the names of its JSON form.

    Attributes
    ----------
    shown_first, shown_last : tuple of str
        Properties that the document shows before and behind the fields.
    """

    __slots__ = ()
    shown_first: ClassVar[tuple[str, ...]] = ()
    shown_last: ClassVar[tuple[str, ...]] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return all figures by the names of the JSON form, as plain JSON-ready values."""
        document: dict[str, Any] = to_document(self)
        return document


def to_document(value: Any) -> Any:
    """Return a result as plain JSON-ready values: classes and named tuples as objects, sequences as lists.

    Examples
    --------
    >>> from esoteric_drbg.conformance.entropy.estimates import NotEstimated
    >>> to_document({"lag": NotEstimated(reason="too few samples")})
    {'lag': {'min_entropy': None, 'reason': 'too few samples'}}
    """
    kind = type(value)
    names = _field_names(kind)
    if names:
        if isinstance(value, Document):
            names = (*value.shown_first, *names, *value.shown_last)
        return {name: to_document(getattr(value, name)) for name in names}
    if hasattr(kind, "__struct_fields__"):
        import msgspec  # noqa: PLC0415 - its own classes, so it is loaded

        return to_document(msgspec.to_builtins(value))
    if isinstance(value, Mapping):
        return {name: to_document(one) for name, one in value.items()}
    if isinstance(value, (tuple, list)):
        return [to_document(one) for one in value]
    return value


def _field_names(kind: Any) -> tuple[str, ...]:
    """Return the fields of a result's class, none of what is no result."""
    names: tuple[str, ...] | None = getattr(kind, "_fields", None)  # of Frozen and of named tuples
    if names is None:  # asking Frozen for its attributes by attrs would load attrs
        names = tuple(field.name for field in getattr(kind, "__attrs_attrs__", ()))
    return names


def from_document(kind: type[T], document: object, where: str) -> T:
    """Return a document as a frozen class. Names that the class does not have are left aside.

    Parameters
    ----------
    kind : type
        An attrs class, a :class:`~esoteric_drbg.frozen.Frozen`, or a msgspec struct.
    document : object
        What :func:`json.loads` returned.
    where : str
        How the message begins: the file, and what it should be.

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
    import msgspec  # noqa: PLC0415 - for reading alone

    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$")
        field = place.rstrip("`").lstrip(".")
        raise InvalidInputError(": ".join(part for part in (where, field, message) if part)) from None


def contradictions(value: object, document: Any) -> list[str]:
    """Return what a document says of properties that its fields do not give: "passed is True, its fields give False".

    Parameters
    ----------
    value : object
        What :func:`from_document` made of it.
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
    for name in _field_names(type(value)):
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
    """Read a file as a frozen class; `what` it should be is for the message.

    Raises
    ------
    InvalidInputError
        If the file cannot be read, is not `what`, or contradicts itself; the message names file and field.
    """
    return _structured(json_object(path), path, kind, what)


def parse_document(text: bytes | str, path: Path, kind: type[T], what: str) -> T:
    """Return a file's text as a frozen class, as :func:`read_document` does."""
    return _structured(_object_in(text, path), path, kind, what)


def _structured(document: dict[str, Any], path: Path, kind: type[T], what: str) -> T:
    value = from_document(kind, document, f"{path}: not {what}")
    for words in contradictions(value, document):
        raise InvalidInputError(f"{path}: not {what}: {words}")
    return value


def write_document(path: Path, value: object) -> Path:
    """Write a result as a JSON file, atomically, and its folder if that is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, json.dumps(to_document(value), indent=2, allow_nan=False) + "\n")
    return path
