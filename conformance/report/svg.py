"""Matplotlib's SVG adapted to an HTML page: inline, coloured by the page, without style attributes or images.

A page under the policy ``default-src 'none'`` may neither load images nor use style attributes. So a picture becomes
part of the page, its styles become presentation attributes, its text stays text in the page's own font, and each colour
of :data:`COLOURS` becomes a variable of the page's style sheet, with the colour itself as fallback.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from esoteric_drbg.extras import need

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["COLOURS", "picture", "require_report"]

#: Colours of the pictures in the light scheme, by the name of the style sheet's variable.
COLOURS = {
    "ink": "#1c2530",
    "soft": "#566273",
    "grid": "#dbe1e8",
    "one": "#1f6f9f",
    "two": "#c8761b",
    "claim": "#b8141f",
    "three": "#4b8b3b",
    "four": "#7b5aa6",
    "five": "#0f8a8a",
    "six": "#a8577e",
    "seven": "#6b6f1f",
}
_VARIABLES = {colour: f"var(--{name},{colour})" for name, colour in COLOURS.items()}
_SETTINGS: Any = {
    "svg.hashsalt": "esoteric_drbg",
    "svg.fonttype": "none",
    "font.size": 8.5,
    "axes.labelsize": 8.5,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": COLOURS["soft"],
    "axes.labelcolor": COLOURS["ink"],
    "axes.linewidth": 0.7,
    "axes.unicode_minus": True,
    "text.color": COLOURS["ink"],
    "xtick.color": COLOURS["soft"],
    "ytick.color": COLOURS["soft"],
    "xtick.labelcolor": COLOURS["ink"],
    "ytick.labelcolor": COLOURS["ink"],
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "figure.constrained_layout.use": True,
    "path.simplify": False,
}
_SVG = "{http://www.w3.org/2000/svg}"
_HREF = "{http://www.w3.org/1999/xlink}href"
_NUMBER = re.compile(r"-?\d+\.\d+")
_RECTANGLE = re.compile(r"M ?(\S+) (\S+) L (\S+) \2 L \3 (\S+) L \1 \4 [zZ]")


def require_report() -> None:
    """Raise a clear error if the extra ``report`` is not installed."""
    need("jinja2", "matplotlib")


def picture(name: str, label: str, size: tuple[float, float], draw: Callable[..., None], *arguments: Any) -> str:
    """Draw one picture and return it as an ``<svg>`` element of an HTML page; the same data give the same bytes.

    Parameters
    ----------
    name : str
        Unique on the page: names within the picture begin with it.
    label : str
        Text that describes the picture for those who cannot see it.
    size : tuple of float
        Width and height in inches.
    draw : callable
        Called with the axes and `arguments`.
    """
    import matplotlib as mpl  # noqa: PLC0415 - heavy, and of the extra
    from matplotlib.figure import Figure  # noqa: PLC0415 - of the extra

    with mpl.rc_context(_SETTINGS):
        figure = Figure(figsize=size)
        draw(figure.add_subplot(), *arguments)
        text = io.BytesIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return _inline(ET.fromstring(text.getvalue()), re.sub(r"\W+", "-", name), label)  # noqa: S314 - made here


def _inline(root: ET.Element, prefix: str, label: str) -> str:
    width, height = (float(root.attrib[key].removesuffix("pt")) for key in ("width", "height"))
    _prune(root)
    used = {reference for element in root.iter() for reference in _references(element)}
    names = {name: f"{prefix}-{number}" for number, name in enumerate(sorted(used))}
    for element in root.iter():
        _plain(element, names)
    inner = "".join(ET.tostring(child, encoding="unicode") for child in root)
    inner = re.sub(r' xmlns:?\w*="[^"]*"', "", inner).replace("ns0:", "")
    inner = re.sub(r">\s+<", "><", inner).strip()
    title = label.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return (
        f'<svg role="img" aria-label="{title}" viewBox="0 0 {width:g} {height:g}" width="{width * 4 / 3:.0f}" '
        f'height="{height * 4 / 3:.0f}" stroke-linejoin="round">{inner}</svg>'
    )


def _prune(parent: ET.Element) -> None:
    """Remove metadata, style sheets and empty groups."""
    for child in list(parent):
        _prune(child)
        tag = child.tag.removeprefix(_SVG)
        if tag in {"metadata", "style"} or (tag in {"g", "defs"} and not len(child)):
            parent.remove(child)


def _references(element: ET.Element) -> list[str]:
    found = [element.attrib.get(_HREF, ""), element.attrib.get("clip-path", "")]
    return [re.sub(r"^url\(#|^#|\)$", "", value) for value in found if value]


def _plain(element: ET.Element, names: dict[str, str]) -> None:
    """Turn styles into presentation attributes, shorten paths, and rename the elements that are referred to."""
    attributes = element.attrib
    for part in attributes.pop("style", "").split(";"):
        key, _, value = (piece.strip() for piece in part.partition(":"))
        if key == "font":
            key, value = "font-size", (re.search(r"([\d.]+)px", value) or ["", "8"])[1]
        if key and key not in {"font-family", "stroke-linejoin"}:
            attributes[key] = _VARIABLES.get(value, value.removesuffix("px"))
    for key in ("fill", "stroke"):
        if key in attributes:
            attributes[key] = _VARIABLES.get(attributes[key], attributes[key])
    name = attributes.pop("id", None)
    if name in names:
        attributes["id"] = names[name]
    if _HREF in attributes:
        attributes["href"] = "#" + names[attributes.pop(_HREF).removeprefix("#")]
    if "clip-path" in attributes:
        attributes["clip-path"] = f"url(#{names[_references(element)[-1]]})"
    for key in ("d", "x", "y", "width", "height", "transform"):
        if key in attributes:
            attributes[key] = _NUMBER.sub(_short, attributes[key]).strip()
    if "d" in attributes:
        attributes["d"] = _RECTANGLE.sub(r"M\1 \2H\3V\4H\1z", " ".join(attributes["d"].split()))


def _short(number: re.Match[str]) -> str:
    text = f"{float(number[0]):.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
