"""Recording raw data: sequences, restart matrices, and several sources at once."""

import typing

from esoteric_drbg.lazy import lazy_names as _lazy_names

if typing.TYPE_CHECKING:
    from esoteric_drbg.conformance.recording.recorder import machine_facts, record, record_restarts

__all__ = ["machine_facts", "record", "record_restarts"]

#: A module is imported when one of its names is first used: an assessment does not need all of them.
__getattr__, __dir__ = _lazy_names(
    __name__, {"machine_facts": "recorder", "record": "recorder", "record_restarts": "recorder"}
)
