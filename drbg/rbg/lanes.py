"""Lanes: more cores beside an instance's first one, for threads that would wait for it.

Each lane is a core with its own source of seeds. A free lane answers a request that finds the first core busy, and a
request of a signal handler that has interrupted its own thread during a seed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.kernels import ending
from esoteric_drbg.kernels.process import ProcessLocal, ProcessLock, in_one_process
from esoteric_drbg.rbg.core import RBGCore
from esoteric_drbg.rbg.profiles import Profile
from esoteric_drbg.seeding.seed_source import SeedSource

__all__ = ["MOST_LANES", "Lanes"]

#: Most lanes of an instance: more threads than processors do not draw at the same time.
MOST_LANES = min(os.cpu_count() or 1, 8)

_Source = TypeVar("_Source", bound=SeedSource)


class _Others(Generic[_Source]):
    """The lanes beside the first one in one process: a forked child inherits none of them."""

    def __init__(self) -> None:
        self.lock = ProcessLock()
        self.cores: list[RBGCore[_Source]] = []


class Lanes(Generic[_Source]):
    """The cores of one instance: the first core, and those that are made while it is busy.

    Parameters
    ----------
    make_source : callable
        Returns the source of a core's seeds; called once for each core.
    profile : Profile
        The profile of every core.
    construction : str
        The construction of every core.
    sources_are_own : bool
        Whether ``make_source`` returns a new source each time. If all cores would share one source, there is one lane.
    """

    def __init__(
        self, make_source: Callable[[], _Source], *, profile: Profile, construction: str, sources_are_own: bool
    ) -> None:
        self._make_source = make_source
        self._sources_are_own = sources_are_own
        self._others: ProcessLocal[_Others[_Source]] = ProcessLocal(_Others)
        self.first = RBGCore(make_source, profile=profile, construction=construction, answer=self._answer)

    @property
    def others(self) -> list[RBGCore[_Source]]:
        """The lanes of this process beside the first one."""
        return self._others.get().cores

    def _answer(self, n_bytes: int) -> bytes:
        """Answer the requests that the hot path of the first core does not answer."""
        if n_bytes < 0:
            raise InvalidInputError(f"nbytes={n_bytes}: negative argument not allowed")
        return in_one_process(lambda: self._answer_once(n_bytes))

    def _answer_once(self, n_bytes: int) -> bytes:
        answer = self.first.answer_if_free(n_bytes)
        if answer is not None:
            return answer
        lane = self.free_lane()
        return self.first.answer_in_turn(n_bytes) if lane is None else lane.state.token_bytes(n_bytes)

    def free_lane(self) -> RBGCore[_Source] | None:
        """Return a lane for a request that finds the first core busy; None if the request must wait for that core."""
        if not self._sources_are_own:
            return None
        others = self._others.get()
        lock = others.lock.take()
        try:
            in_handler = any(core.seeded_by_this_thread for core in (self.first, *others.cores))
            for lane in others.cores:
                if lane.is_free() and (lane.state.instantiated or not in_handler):
                    return lane
            # A handler makes no lane: that starts threads, and the handler may have interrupted a thread start.
            if in_handler or (1 + len(others.cores) >= MOST_LANES and not ending()):
                return None
            first = self.first
            made = RBGCore(self._make_source, profile=first.profile, construction=first.construction)
            others.cores.append(made)
            return made
        finally:
            lock.release()

    def instantiate(self) -> None:
        """Instantiate the first core anew; the other lanes follow with their next requests."""
        for lane in self.others:
            lane.forget()
        self.first.instantiate()

    def part_from_clone(self) -> bool:
        """If the virtual machine was cloned since the last seed, make a seed due in all lanes; seed the first core."""
        for lane in self.others:
            lane.revoke_after_clone()
        return self.first.part_from_clone()

    def uninstantiate(self) -> None:
        """Overwrite the working state of every lane."""
        for lane in self.others:
            lane.uninstantiate()
        self.first.uninstantiate()

    def status(self) -> dict[str, Any]:
        """Return the figures of the first core, with the seeds and the number of all lanes."""
        others = self.others
        status = self.first.status()
        return {
            **status,
            "seeds": status["seeds"] + sum(lane.seeds for lane in others),
            "lanes": 1 + len(others),
        }
