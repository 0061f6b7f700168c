"""Templates of reports and evidence bundles, in the folders ``templates`` of their packages.

Values in templates whose names end in ``.html.j2`` are escaped. A missing value is an error.
"""

from __future__ import annotations

from importlib import resources
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined, select_autoescape

__all__ = ["render"]


def render(package: str, name: str, **values: Any) -> str:
    """Return a filled template of a package.

    Parameters
    ----------
    package : str
        The package whose folder ``templates`` contains the template.
    name : str
        File name of the template.
    **values
        Values that the template may use.
    """
    folder = resources.files(package) / "templates"

    def source(template: str) -> str:
        return (folder / template).read_text(encoding="utf-8")

    environment = Environment(
        autoescape=select_autoescape(enabled_extensions=("html.j2",)),
        loader=FunctionLoader(source),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["cell"] = lambda text: str(text).replace("|", "&#124;")
    environment.filters["rows"] = lambda items, row: [row(item) for item in items]
    return environment.get_template(name).render(values)
