"""Health tests: exact cutoffs, the tests of SP 800-90B 4.4, a developer-defined test (4.5) and the state machine."""

from esoteric_drbg.health_tests.alarm import Alarm, Finding
from esoteric_drbg.health_tests.continuous import AdaptiveProportionTest, RepetitionCountTest
from esoteric_drbg.health_tests.cutoffs import (
    LagCutoffs,
    apt_can_fail,
    apt_cutoff,
    apt_window,
    lag_can_fail,
    lag_cutoffs,
    rct_cutoff,
)
from esoteric_drbg.health_tests.lag_predictor import LagPredictorTest
from esoteric_drbg.health_tests.monitor import HealthMonitor, HealthProfile, HealthState, MonitorReport

__all__ = [
    "AdaptiveProportionTest",
    "Alarm",
    "Finding",
    "HealthMonitor",
    "HealthProfile",
    "HealthState",
    "LagCutoffs",
    "LagPredictorTest",
    "MonitorReport",
    "RepetitionCountTest",
    "apt_can_fail",
    "apt_cutoff",
    "apt_window",
    "lag_can_fail",
    "lag_cutoffs",
    "rct_cutoff",
]
