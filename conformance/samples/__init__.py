"""Samples: files of them in every format, wide samples reduced, rows and columns."""

import typing

from esoteric_drbg.lazy import lazy_names as _lazy_names

if typing.TYPE_CHECKING:
    from esoteric_drbg.conformance.samples.files import read_samples
    from esoteric_drbg.conformance.samples.sample_set import SampleSet

__all__ = ["SampleSet", "read_samples"]

#: A module is imported when one of its names is asked for: one assessment needs not all.
__getattr__, __dir__ = _lazy_names(__name__, {"SampleSet": "sample_set", "read_samples": "files"})
