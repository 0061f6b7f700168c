"""Reference kernel of the fork generation: a number that differs between a process and its parent.

A page marked MADV_WIPEONFORK holds it: Linux zeroes the page in every child, however the child was made and whatever
its process id is. On other systems the process id and a count of Python's own forks must do.
"""

from __future__ import annotations

import itertools
import mmap
import os
import sys

__all__ = ["fork_generation"]

#: MADV_WIPEONFORK of Linux 4.14; the module mmap has no name for it.
_WIPE_ON_FORK = 18

_fresh = itertools.count(1)
_forks = 0


def _wiped_page() -> memoryview | None:
    """Return a page, as 64-bit words, that is all zeros in a child; None where the system has no such pages."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        page = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        page.madvise(_WIPE_ON_FORK)
    except (OSError, ValueError):
        return None
    return memoryview(page).cast("Q")


_page = _wiped_page()


def fork_generation() -> int:
    """Return the fork generation of this process: never 0, and never that of its parent.

    Examples
    --------
    >>> fork_generation() == fork_generation() > 0
    True
    """
    if _page is None:
        return os.getpid() << 32 | _forks
    if not _page[0]:
        _page[0] = next(_fresh)
    return _page[0]


def _count_fork() -> None:
    global _forks  # noqa: PLW0603 - of the process
    _forks += 1


if _page is None and hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_count_fork)
