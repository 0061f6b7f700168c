"""Every self-test on demand: health tests, Hash_df, and each DRBG mechanism (SP 800-90A Rev. 1 section 11.3)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial

from esoteric_drbg.errors import EsotericDRBGError
from esoteric_drbg.frozen import Frozen
from esoteric_drbg.mechanisms.self_test import all_limits, check_mechanism
from esoteric_drbg.seeding.self_test import SELF_TESTS

__all__ = ["SelfTestResult", "run_self_tests"]


class SelfTestResult(Frozen):
    """The result of one self-test; ``fault`` is empty if it passed."""

    name: str
    fault: str
    seconds: float

    @property
    def passed(self) -> bool:
        """True if the self-test found no fault."""
        return not self.fault


def run_self_tests(progress: Callable[[str], object] | None = None) -> list[SelfTestResult]:
    """Run every self-test on demand.

    Parameters
    ----------
    progress : callable, optional
        Called with the name of each test before it runs.

    Examples
    --------
    >>> all(result.passed for result in run_self_tests())
    True
    """
    results = []
    for name, test in _tests():
        if progress is not None:
            progress(name)
        began = time.perf_counter()
        try:
            test()
        except EsotericDRBGError as error:
            fault = str(error)
        except Exception as error:
            fault = f"{type(error).__name__}: {error}"
        else:
            fault = ""
        results.append(SelfTestResult(name=name, fault=fault, seconds=time.perf_counter() - began))
    return results


def _tests() -> Iterator[tuple[str, Callable[[], None]]]:
    yield from SELF_TESTS.items()
    for limits in all_limits():
        yield limits.name, partial(check_mechanism, limits)
