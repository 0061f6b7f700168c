"""Samples: reading files of every format, reducing wide samples, transposing matrices."""

import typing

from esoteric_drbg.lazy import lazy_names as _lazy_names

if typing.TYPE_CHECKING:
    from esoteric_drbg.conformance.samples.files import read_samples
    from esoteric_drbg.conformance.samples.sample_set import SampleSet

__all__ = ["SampleSet", "read_samples"]

#: A module is imported when one of its names is first used: an assessment does not need all of them.
__getattr__, __dir__ = _lazy_names(__name__, {"SampleSet": "sample_set", "read_samples": "files"})
