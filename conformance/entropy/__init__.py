"""The non-IID track: the estimators of SP 800-90B 6.3 and a conditioning component's output (3.1.5)."""

import typing

from esoteric_drbg.lazy import lazy_names as _lazy_names

if typing.TYPE_CHECKING:
    from esoteric_drbg.conformance.entropy.conditioning_entropy import conditioning_output_entropy
    from esoteric_drbg.conformance.entropy.non_iid import assess_non_iid

__all__ = ["assess_non_iid", "conditioning_output_entropy"]

#: A module is imported when one of its names is asked for: one assessment needs not all.
__getattr__, __dir__ = _lazy_names(
    __name__, {"assess_non_iid": "non_iid", "conditioning_output_entropy": "conditioning_entropy"}
)
