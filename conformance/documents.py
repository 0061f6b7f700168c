"""Results as documents: frozen classes as what JSON can say.

Writing is a walk over the fields, which loads nothing: an assessment of a small file would wait for a library longer
than for its result. Reading is in :mod:`esoteric_drbg.conformance.document_files`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

__all__ = ["Document", "field_names", "to_document"]


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
    names = field_names(kind)
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


def field_names(kind: Any) -> tuple[str, ...]:
    """Return the fields of a result's class, none of what is no result."""
    names: tuple[str, ...] | None = getattr(kind, "_fields", None)  # of Frozen and of named tuples
    if names is None:  # asking Frozen for its attributes by attrs would load attrs
        names = tuple(field.name for field in getattr(kind, "__attrs_attrs__", ()))
    return names
