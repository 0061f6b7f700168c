"""What mkdocstrings does not know of our code: roles (``:class:`~package.Name```), ``#:`` comments, frozen classes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import griffe

ROLE = re.compile(r":(?:class|func|mod|meth|attr|exc|data):`(~?)([\w.]+)`")


def objects_of(module: griffe.Object) -> Iterator[griffe.Object]:
    """Yield an object and all objects in it that are defined there."""
    yield module
    for member in module.members.values():
        if isinstance(member, griffe.Object):
            yield from objects_of(member)


def comment_above(attribute: griffe.Object) -> str | None:
    """Return the ``#:`` comment above an attribute."""
    path = attribute.filepath
    if attribute.lineno is None or not isinstance(path, Path) or path not in attribute.lines_collection:
        return None
    lines = attribute.lines_collection[path]
    found: list[str] = []
    for line in reversed(lines[: attribute.lineno - 1]):
        if not line.strip().startswith("#:"):
            break
        found.insert(0, line.strip()[2:].strip())
    return "\n".join(found) or None


def made_init(found: griffe.Class) -> griffe.Function | None:
    """Return the ``__init__`` that ``Frozen`` or attrs makes of a class's annotated names."""
    made = any(str(base).endswith("Frozen") for base in found.bases) or any(
        str(decorator.value).startswith(("attrs.frozen", "attrs.define")) for decorator in found.decorators
    )
    if not made or "__init__" in found.members:
        return None
    parameters = [griffe.Parameter("self", kind=griffe.ParameterKind.positional_or_keyword)]
    for field in found.attributes.values():
        if field.annotation is not None and "property" not in field.labels and "ClassVar" not in str(field.annotation):
            kind = griffe.ParameterKind.keyword_only
            parameters.append(griffe.Parameter(field.name, annotation=field.annotation, kind=kind, default=field.value))
    return griffe.Function("__init__", parameters=griffe.Parameters(*parameters), parent=found, lineno=found.lineno)


class Docstrings(griffe.Extension):
    """Complete the objects of a package, and replace each role by a link where the name has a place on a page."""

    def on_package(self, *, pkg: griffe.Module, **kwargs: Any) -> None:
        """Rewrite the docstrings of a loaded package."""
        for obj in list(objects_of(pkg)):
            init = made_init(obj) if isinstance(obj, griffe.Class) else None
            if init is not None:
                obj.set_member("__init__", init)
            if obj.docstring is None and obj.is_attribute:
                comment = comment_above(obj)
                obj.docstring = griffe.Docstring(comment, parent=obj) if comment else None
            if obj.docstring is not None:
                obj.docstring.value = re.sub(r"::(?=\n\n)", ":", self.linked(obj, obj.docstring.value))

    @staticmethod
    def linked(obj: griffe.Object, text: str) -> str:
        """Return ``text`` of ``obj`` with its roles as optional links."""

        def link(match: re.Match[str]) -> str:
            short, name = match.groups()
            try:
                target = obj.resolve(name)
            except griffe.NameResolutionError:
                target = name
            label = name.rpartition(".")[2] if short else name
            return f'<autoref optional identifier="{target}"><code>{label}</code></autoref>'

        return ROLE.sub(link, text)
