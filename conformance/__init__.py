"""Conformance laboratory: records, assesses and audits raw data, outside the seed path."""

import typing

from esoteric_drbg.extras import need as _need
from esoteric_drbg.lazy import lazy_names as _lazy_names

if typing.TYPE_CHECKING:
    from esoteric_drbg.conformance.audit.claim_audit import audit_source
    from esoteric_drbg.conformance.audit.plan import AuditPlan
    from esoteric_drbg.conformance.entropy.conditioning_entropy import conditioning_output_entropy
    from esoteric_drbg.conformance.entropy.non_iid import assess_non_iid
    from esoteric_drbg.conformance.execution.batch import assess_files
    from esoteric_drbg.conformance.iid.assessment import assess_iid
    from esoteric_drbg.conformance.recording.recorder import record, record_restarts
    from esoteric_drbg.conformance.restart.assessment import assess_restart
    from esoteric_drbg.conformance.samples.files import read_samples
    from esoteric_drbg.conformance.samples.sample_set import SampleSet

__all__ = [
    "AuditPlan",
    "SampleSet",
    "assess_files",
    "assess_iid",
    "assess_non_iid",
    "assess_restart",
    "audit_source",
    "conditioning_output_entropy",
    "read_samples",
    "record",
    "record_restarts",
]

# Checked here, so that a missing extra is reported before minutes of recording.
_need("attrs", "numpy", "scipy")

#: A module is imported when one of its names is first used: an assessment does not need all of them.
__getattr__, __dir__ = _lazy_names(
    __name__,
    {
        "AuditPlan": "audit.plan",
        "SampleSet": "samples.sample_set",
        "assess_files": "execution.batch",
        "assess_iid": "iid.assessment",
        "assess_non_iid": "entropy.non_iid",
        "assess_restart": "restart.assessment",
        "audit_source": "audit.claim_audit",
        "conditioning_output_entropy": "entropy.conditioning_entropy",
        "read_samples": "samples.files",
        "record": "recording.recorder",
        "record_restarts": "recording.recorder",
    },
)
