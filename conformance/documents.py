"""Results as documents: frozen classes converted to plain JSON values.

The conversion walks over the fields and imports no library: importing one would take longer than assessing a small
file. Reading is in :mod:`esoteric_drbg.conformance.document_files`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

__all__ = ["Document", "field_names", "to_document"]


class Document:
    """Base of results that have a JSON form, with the names of the fields.

    Attributes
    ----------
    shown_first, shown_last : tuple of str
        Properties that the document shows before and after the fields.
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
    names = field_names(kind)
    if names:
        if isinstance(value, Document):
            names = (*value.shown_first, *names, *value.shown_last)
        return {name: to_document(getattr(value, name)) for name in names}
    if hasattr(kind, "__struct_fields__"):
        import msgspec  # noqa: PLC0415 - a msgspec class, so msgspec is loaded already

        return to_document(msgspec.to_builtins(value))
    if isinstance(value, Mapping):
        return {name: to_document(one) for name, one in value.items()}
    if isinstance(value, (tuple, list)):
        return [to_document(one) for one in value]
    return value


def field_names(kind: Any) -> tuple[str, ...]:
    """Return the field names of a result's class; an empty tuple for any other class."""
    names: tuple[str, ...] | None = getattr(kind, "_fields", None)  # of Frozen and of named tuples
    if names is None:  # asking Frozen for its attributes by attrs would load attrs
        names = tuple(field.name for field in getattr(kind, "__attrs_attrs__", ()))
    return names
