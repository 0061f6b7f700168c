"""Health tests: exact cutoffs, the two continuous tests, and the state machine around them (SP 800-90B section 4)."""

from esoteric_drbg.health_tests.continuous import AdaptiveProportionTest, RepetitionCountTest
from esoteric_drbg.health_tests.cutoffs import apt_can_fail, apt_cutoff, apt_window, rct_cutoff
from esoteric_drbg.health_tests.monitor import HealthMonitor, HealthProfile, HealthState, MonitorReport

__all__ = [
    "AdaptiveProportionTest",
    "HealthMonitor",
    "HealthProfile",
    "HealthState",
    "MonitorReport",
    "RepetitionCountTest",
    "apt_can_fail",
    "apt_cutoff",
    "apt_window",
    "rct_cutoff",
]
