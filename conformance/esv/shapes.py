"""The shape of a bundle's documents, by the JSON Schemas in the folder ``schemas``: fields, types, and ranges."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from importlib import resources
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

__all__ = ["shape_violations"]


def shape_violations(where: str, document: object, schema: str) -> list[str]:
    """Return what is wrong with the shape of a document, each violation with its place.

    Parameters
    ----------
    where : str
        Beginning of each violation.
    document : object
        What :func:`json.loads` returned.
    schema : str
        ``"registration"``, ``"rbg"`` or ``"manifest"``.

    Examples
    --------
    >>> shape_violations("manifest.json", {"format": 2, "sha256": {}, "note": ""}, "manifest")
    ['manifest.json: note is no field of it', 'manifest.json: format is 2, expected 1']
    """
    file = resources.files("esoteric_drbg.conformance.esv") / "schemas" / f"{schema}.schema.json"
    validator = Draft202012Validator(json.loads(file.read_text(encoding="utf-8")))
    errors = sorted(validator.iter_errors(document), key=lambda error: [str(part) for part in error.absolute_path])
    return list(dict.fromkeys(text for error in errors for text in _words(where, error)))


def _words(where: str, error: ValidationError) -> Iterator[str]:
    """Yield the text for one error of the library: one, or one for each field that is missing or unknown."""
    schema: dict[str, Any] = dict(error.schema) if isinstance(error.schema, dict) else {}
    fields: dict[str, Any] = schema.get("properties", {})
    document: Any = error.instance
    if error.validator == "required":
        for name, field in fields.items():
            if name not in document:
                yield f"{_place(where, [*error.absolute_path, name])} is missing, expected {_expected(field)}"
    elif error.validator == "additionalProperties":
        for name in document:
            if name not in fields:
                yield f"{_place(where, [*error.absolute_path, name])} is no field of it"
    elif error.validator == "type" and schema.get("type") in {"array", "object"}:
        yield f"{_place(where, error.absolute_path)} is no {'list' if schema['type'] == 'array' else 'object'}"
    else:
        yield f"{_place(where, error.absolute_path)} is {document!r}, expected {_expected(schema)}"


def _expected(schema: dict[str, Any]) -> str:
    return str(schema.get("description", schema.get("type", "something else")))


def _place(where: str, path: Iterable[str | int]) -> str:
    """Return the place of a field; items of a list are counted from 1."""
    parts = [where]
    for part in path:
        if isinstance(part, int):
            parts[-1] += f" {part + 1}"
        else:
            parts.append(part)
    return ": ".join(parts)
