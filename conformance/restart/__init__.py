"""Restart tests of SP 800-90B 3.1.4."""

import typing

from esoteric_drbg.lazy import lazy_names as _lazy_names

if typing.TYPE_CHECKING:
    from esoteric_drbg.conformance.restart.assessment import assess_restart

__all__ = ["assess_restart"]

#: A module is imported when one of its names is first used: an assessment does not need all of them.
__getattr__, __dir__ = _lazy_names(__name__, {"assess_restart": "assessment"})
