"""Reports: the folder of an audit as Markdown and as a self-contained HTML page."""

import typing

from esoteric_drbg.lazy import lazy_names as _lazy_names

if typing.TYPE_CHECKING:
    from esoteric_drbg.conformance.report.findings import read_report

__all__ = ["read_report"]

#: A module is imported when one of its names is first used: an assessment does not need all of them.
__getattr__, __dir__ = _lazy_names(__name__, {"read_report": "findings"})
