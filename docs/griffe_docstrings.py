"""What our docstrings have and Markdown has not: roles (``:class:`~package.Name```), ``::`` blocks, ``#:`` comments."""

from __future__ import annotations

import re
from collections.abc import Iterator
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
    if attribute.lineno is None or attribute.filepath not in attribute.lines_collection:
        return None
    lines = attribute.lines_collection[attribute.filepath]
    found: list[str] = []
    for line in reversed(lines[: attribute.lineno - 1]):
        if not line.strip().startswith("#:"):
            break
        found.insert(0, line.strip()[2:].strip())
    return "\n".join(found) or None


class Roles(griffe.Extension):
    """Replace each role by its name in code, which is a link where the name has a place on a page."""

    def on_package(self, *, pkg: griffe.Module, **kwargs: Any) -> None:
        """Rewrite the docstrings of a loaded package."""
        for obj in list(objects_of(pkg)):
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
