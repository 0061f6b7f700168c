"""``pytest --quick``: of each test function the first case, unless it was slow when it last ran here.

How long a test takes is kept in pytest's cache, and measured whenever it runs: a new test runs, and one that has become
slow drops out by itself. The choice is for the inner loop; every other run takes every test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

#: Seconds up to which a test is quick, and what of pytest's cache says how long each took.
QUICK_S = 0.1
_KEY = "esoteric_drbg/seconds"


def chosen(node_ids: list[str], seconds: dict[str, float]) -> set[str]:
    """Return the quick ones of these tests.

    >>> sorted(chosen(["a.py::f[1]", "a.py::f[2]", "a.py::g", "a.py::h"], {"a.py::g": 3.0, "a.py::h": 0.01}))
    ['a.py::f[1]', 'a.py::h']
    """
    first: dict[str, str] = {}
    for node_id in node_ids:
        first.setdefault(node_id.partition("[")[0], node_id)
    return {node_id for node_id in first.values() if seconds.get(node_id, 0.0) <= QUICK_S}


class Quick:
    """The plugin: makes the choice, and keeps the durations."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._measured: dict[str, float] = {}

    def _seconds(self) -> dict[str, float]:
        assert self._config.cache is not None
        known: dict[str, float] = self._config.cache.get(_KEY, {})
        return known

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if not self._config.getoption("--quick"):
            return
        kept = chosen([item.nodeid for item in items], self._seconds())
        self._config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in kept])
        items[:] = [item for item in items if item.nodeid in kept]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._measured[report.nodeid] = self._measured.get(report.nodeid, 0.0) + report.duration

    def pytest_sessionfinish(self) -> None:
        if self._measured and not hasattr(self._config, "workerinput"):  # one writes: not pytest-xdist's workers
            assert self._config.cache is not None
            self._config.cache.set(_KEY, self._seconds() | {key: round(s, 3) for key, s in self._measured.items()})
