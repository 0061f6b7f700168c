"""DRBG mechanisms that test themselves: the functions of SP 800-90A Rev. 1 section 9 with the self-test of 11.3.

This low-level layer is for laboratories and for the RBG instances. Applications call
:func:`esoteric_drbg.token_bytes`: a mechanism alone does not test the noise that seeds it.
"""

from __future__ import annotations

import math
import time

from esoteric_drbg.errors import SelfTestError
from esoteric_drbg.mechanisms import self_test
from esoteric_drbg.mechanisms.envelope import Envelope, GetEntropyInput

__all__ = ["DRBG", "GetEntropyInput"]

#: Instantiations within these seconds after a passed self-test are in quick succession: one test is enough (11.3.2).
SUCCESSION_S = 10.0
#: Seconds after which the next reseed tests the mechanism again (11.3.3, 11.3.4). Code does not change while a process
#: runs it, and the seal detects a changed working state at each request: only a fault of the machine is left to find.
INTERVAL_S = 3600.0

# When each mechanism's self-test last passed in this process (time.monotonic), by the mechanism's name.
_tested: dict[str, float] = {}


class DRBG(Envelope):
    """A DRBG mechanism with one working state, and a source of entropy input to (re)seed it from.

    The base class of :class:`~esoteric_drbg.mechanisms.hash_drbg.HashDRBG`,
    :class:`~esoteric_drbg.mechanisms.hmac_drbg.HmacDRBG` and
    :class:`~esoteric_drbg.mechanisms.ctr_drbg.CtrDRBG`, which differ only in their parameters.

    Notes
    -----
    Thread-safe. A forked child reseeds before its first byte, however it was forked and whatever the parent was doing.
    Copying and pickling are refused. An exception of ``get_entropy_input`` is passed on and leaves the state unchanged.
    """

    def _test_before_instantiate(self) -> None:
        self._test_unless_passed_within(SUCCESSION_S)

    def _test_before_reseed(self) -> None:
        self._test_unless_passed_within(INTERVAL_S)

    def _test_unless_passed_within(self, seconds: float) -> None:
        """Run the self-test of 11.3, unless this mechanism passed it so recently."""
        now = time.monotonic()
        if now - _tested.get(self.limits.name, -math.inf) < seconds:
            return
        try:
            self_test.check_mechanism(self.limits)
        except SelfTestError:
            self.fail("the self-test failed")
            raise
        _tested[self.limits.name] = now
