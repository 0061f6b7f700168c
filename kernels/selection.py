"""Which kernels run in this process: the Rust extension or the Python reference.

The environment variable ``ESOTERIC_DRBG_KERNELS`` is read once, at import:

- ``auto`` (default): Rust where it is built, otherwise the reference; :func:`kernel_info` says which and why;
- ``rust``: Rust, or :class:`~esoteric_drbg.errors.KernelUnavailableError` at the first use;
- ``reference``: the Python reference, even where Rust is built.
"""

from __future__ import annotations

import atexit
import importlib
import os
import sys
import threading
import time
from types import ModuleType
from typing import NamedTuple

from esoteric_drbg.errors import KernelUnavailableError
from esoteric_drbg.kernels.reference.fork_guard import fork_generation as _reference_generation

__all__ = [
    "LOOK_S",
    "KernelInfo",
    "ending",
    "in_request",
    "kernel_info",
    "native",
    "refused_paths",
    "require_usable",
    "stop_if_ending",
]

SWITCH = "ESOTERIC_DRBG_KERNELS"
MODES = ("auto", "rust", "reference")


class KernelInfo(NamedTuple):
    """Which kernels run and why.

    Attributes
    ----------
    name : str
        ``"rust"`` or ``"reference"``; ``"unusable"`` if the environment variable asks for kernels that are missing.
    reason : str
        One sentence for a person.
    features : str
        CPU features that the Rust kernels found and use, separated by blanks; empty for the reference.
    """

    name: str
    reason: str
    features: str


def _load() -> tuple[ModuleType | None, KernelInfo]:
    mode = os.environ.get(SWITCH, "auto").strip().lower() or "auto"
    if mode == "reference":
        return None, KernelInfo("reference", f"{SWITCH}=reference forces the Python reference kernels", "")
    if mode not in MODES:
        return None, KernelInfo("unusable", f"{SWITCH}={mode!r}: expected one of {', '.join(MODES)}", "")
    try:
        module = importlib.import_module("esoteric_drbg.kernels._native")
    except ImportError as error:
        if mode == "rust":
            return None, KernelInfo("unusable", f"{SWITCH}=rust, but the Rust kernels cannot be loaded: {error}", "")
        reason = f"the Rust kernels are not in this installation ({error}); the Python reference runs, slower"
        return None, KernelInfo("reference", reason, "")
    return module, KernelInfo("rust", "the Rust kernels are built in and used", module.cpu_features())


native, _INFO = _load()
#: The thread that ends the interpreter, once it has begun, and the fork generation of its process: a child of a process
#: that is ending does not end.
_ended_by = _ended_in = 0
_generation = _reference_generation if native is None else native.fork_generation

#: Seconds after which a waiting thread wakes up to check for a fork or the end of the interpreter.
LOOK_S = 0.02
#: Seconds that the end of the interpreter waits for threads in a kernel, and at most for threads in a request.
_END_WAITS_S = 0.02
_END_WAITS_AT_MOST_S = 1.0
#: Threads in the middle of a request, and threads that were stopped and never go on.
in_request: set[int] = set()
_stopped: set[int] = set()


def ending() -> bool:
    """Return True once the interpreter has begun to end: threads that were drawing then never release their locks."""
    return _ended_by != 0 and _ended_in == _generation()


def stop_if_ending() -> None:
    """Block this thread and never return if another thread is ending the interpreter.

    A thread calls this after each wait. If it woke up after the interpreter had ended, Python would make it exit,
    through frames of Rust that cannot be left that way: see native/python/src/ending.rs.
    """
    if _ended_by not in (0, threading.get_ident()) and ending():
        _stopped.add(threading.get_ident())
        never = threading.Lock()
        never.acquire()
        never.acquire()


def _end_begins() -> None:
    """Stop the other threads at a safe place; see native/python/src/ending.rs."""
    global _ended_by, _ended_in  # noqa: PLW0603 - of the process
    _ended_in = _generation()
    _ended_by = threading.get_ident()
    if native is not None:
        native.end_begins()
        if threading.active_count() > 1:
            time.sleep(_END_WAITS_S)
    until = time.monotonic() + _END_WAITS_AT_MOST_S
    # In a forked child, in_request may hold threads of the parent that the child does not have.
    while in_request & set(sys._current_frames()) - _stopped - {_ended_by} and time.monotonic() < until:
        time.sleep(LOOK_S / 4)


atexit.register(_end_begins)


def require_usable() -> None:
    """Raise if ``ESOTERIC_DRBG_KERNELS`` asks for kernels that are missing.

    Raises
    ------
    KernelUnavailableError
        If the variable is neither empty nor one of its three values, or is ``rust`` and the extension is not built.
    """
    if _INFO.name == "unusable":
        raise KernelUnavailableError(_INFO.reason)


def kernel_info() -> KernelInfo:
    """Return which kernels run in this process, and why.

    Examples
    --------
    >>> from esoteric_drbg.kernels import kernel_info
    >>> kernel_info().name in {"rust", "reference"}
    True
    """
    return _INFO


def refused_paths() -> list[str]:
    """Return the vector code of the Rust kernels that gave a wrong result on this CPU, as function and version.

    Plain code runs in its place. A ``RuntimeWarning`` at import or at the first assessment says so too.

    Examples
    --------
    >>> from esoteric_drbg.kernels.selection import refused_paths
    >>> refused_paths()
    []
    """
    refused: list[str] = [] if native is None else native.refused_paths()
    return refused
