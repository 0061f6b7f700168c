"""The non-IID track: the estimators of SP 800-90B 6.3 and the entropy of a conditioning component's output (3.1.5)."""

import typing

from esoteric_drbg.lazy import lazy_names as _lazy_names

if typing.TYPE_CHECKING:
    from esoteric_drbg.conformance.entropy.conditioning_entropy import conditioning_output_entropy
    from esoteric_drbg.conformance.entropy.non_iid import assess_non_iid

__all__ = ["assess_non_iid", "conditioning_output_entropy"]

#: A module is imported when one of its names is first used: an assessment does not need all of them.
__getattr__, __dir__ = _lazy_names(
    __name__, {"assess_non_iid": "non_iid", "conditioning_output_entropy": "conditioning_entropy"}
)
