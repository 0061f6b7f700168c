"""Audits: min-entropy claims of sources, their independence, and self-assessments on this machine."""

import typing

from esoteric_drbg.lazy import lazy_names as _lazy_names

if typing.TYPE_CHECKING:
    from esoteric_drbg.conformance.audit.claim_audit import audit_source
    from esoteric_drbg.conformance.audit.plan import AuditPlan

__all__ = ["AuditPlan", "audit_source"]

#: A module is imported when one of its names is first used: an assessment does not need all of them.
__getattr__, __dir__ = _lazy_names(__name__, {"AuditPlan": "plan", "audit_source": "claim_audit"})
