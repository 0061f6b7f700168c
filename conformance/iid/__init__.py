"""The IID track of SP 800-90B 5: permutation tests, chi-square tests and the longest repeated substring."""

import typing

from esoteric_drbg.lazy import lazy_names as _lazy_names

if typing.TYPE_CHECKING:
    from esoteric_drbg.conformance.iid.assessment import assess_iid

__all__ = ["assess_iid"]

#: A module is imported when one of its names is first used: an assessment does not need all of them.
__getattr__, __dir__ = _lazy_names(__name__, {"assess_iid": "assessment"})
