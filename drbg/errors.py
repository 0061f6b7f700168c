"""The one error family of esoteric_drbg.

::

    EsotericDRBGError
    ├── InvalidInputError (ValueError)        an argument is outside its domain; correct the call
    ├── EntropyUnavailableError               credited min-entropy is short; see the message for what was missing
    ├── SourceError                           a noise source could not deliver
    │   ├── SourceUnavailableError            the hardware or the operating system does not offer it
    │   ├── SourceTimeoutError                a read passed its deadline; the source is retired
    │   └── SourceReadError                   a read failed or returned too little
    ├── HealthTestError                       an SP 800-90B section 4 test raised an alarm; the data was dropped
    ├── DRBGError                             an SP 800-90A function refused
    │   ├── DRBGStateError                    the instance is not instantiated, or is in its error state
    │   │   ├── StateIntegrityError           a fault changed the working state; the instance is in its error state
    │   │   └── ForkedStateError              the working state was seeded in another process; reseed it in this one
    │   ├── RequestTooLargeError              a length limit of SP 800-90A table 2 is exceeded; split the request
    │   ├── ReseedRequiredError               the seed's lifetime is over and no entropy source is attached
    │   └── SelfTestError                     a known-answer test failed; nothing is output
    ├── CloneRefusedError (TypeError)         a state with secrets was about to be copied or pickled
    ├── OutOfMemoryError (MemoryError)        there is not enough memory; nothing was changed
    ├── MissingExtraError (ImportError)       a package is not installed; the message has the pip line of its extra
    └── KernelUnavailableError (ImportError)  the kernels asked for are not built; reinstall or change the switch

Every layer may import this module; it imports nothing of the package.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "CloneRefusedError",
    "DRBGError",
    "DRBGStateError",
    "EntropyUnavailableError",
    "EsotericDRBGError",
    "ForkedStateError",
    "HealthTestError",
    "InvalidInputError",
    "KernelUnavailableError",
    "MissingExtraError",
    "OutOfMemoryError",
    "RequestTooLargeError",
    "ReseedRequiredError",
    "SelfTestError",
    "SourceError",
    "SourceReadError",
    "SourceTimeoutError",
    "SourceUnavailableError",
    "StateIntegrityError",
]


class EsotericDRBGError(Exception):
    """Base class of every error that this package raises itself."""


class InvalidInputError(EsotericDRBGError, ValueError):
    """An argument is outside its domain. The message names the argument, its value and what is allowed."""


class EntropyUnavailableError(EsotericDRBGError):
    """The healthy, credited sources together fall short of the min-entropy asked for.

    Nothing was output and no state was changed. The message names the bits requested, the bits credited and,
    for each source, why it gave less. Repair or add a source, then call again.
    """


class SourceError(EsotericDRBGError):
    """A noise source could not deliver; base class of the three errors below."""


class SourceUnavailableError(SourceError):
    """The hardware or the operating system does not offer this source here; the message says which part is missing."""


class SourceTimeoutError(SourceError):
    """A read did not return within its deadline. The source is retired until an operator resets it."""


class SourceReadError(SourceError):
    """A read raised an error, or returned fewer samples than requested."""


class HealthTestError(EsotericDRBGError):
    """A health test of SP 800-90B section 4 raised an alarm. The tested samples were dropped.

    Attributes
    ----------
    source : str
        Name of the source; empty if the monitor was not given it.
    alarm : Alarm or None
        Everything about the alarm (:class:`esoteric_drbg.health_tests.Alarm`); None if samples of a source that is not
        healthy were refused.
    test : str
        The test whose cutoff was reached first: ``"RCT"``, ``"APT"`` or ``"lag"``; empty without an alarm.
    tier : str
        ``"intermittent"`` or ``"permanent"``; empty without an alarm.
    sample_index : int or None
        The sample at which that cutoff was first reached, counted from 0 at the monitor's last (re)start.
    cutoff : int or None
        That cutoff.
    """

    def __init__(self, message: str = "", *, source: str = "", alarm: Any = None) -> None:
        super().__init__(message)
        self.source = source
        self.alarm = alarm
        first = None if alarm is None else alarm.first
        self.test: str = "" if first is None else first.test
        self.tier: str = "" if alarm is None else alarm.tier
        self.sample_index: int | None = None if first is None else first.sample_index
        self.cutoff: int | None = None if first is None else first.cutoff


class DRBGError(EsotericDRBGError):
    """Base class of the errors with which an SP 800-90A DRBG function refuses a call."""


class DRBGStateError(DRBGError):
    """The DRBG is not instantiated, was uninstantiated, or is in its error state. Instantiate it anew."""


class StateIntegrityError(DRBGStateError):
    """The working state is not as the last DRBG function left it: a memory fault. Nothing is output (11.3.6)."""


class ForkedStateError(DRBGStateError):
    """The working state was seeded in another process, or its entropy input was obtained there.

    Instances and mechanisms reseed and go on; only code that calls a kernel's working state directly sees this error.
    """


class RequestTooLargeError(DRBGError, ValueError):
    """A length is above its limit in SP 800-90A table 2. Split the request or shorten the input."""


class ReseedRequiredError(DRBGError):
    """The seed has reached the end of its lifetime and no entropy source is attached to reseed from."""


class SelfTestError(DRBGError):
    """A known-answer test of SP 800-90A 11.3 failed. The mechanism refuses to run in this process."""


class CloneRefusedError(EsotericDRBGError, TypeError):
    """An object that holds secret state was about to be copied, pickled or serialised."""


class OutOfMemoryError(EsotericDRBGError, MemoryError):
    """There is not enough memory for a request; the message names the request.

    Nothing was changed, and what was allocated for the request was freed. Ask for less, assess fewer samples or files
    at a time, or raise the limit (``ulimit -v``, or the container's limit).
    """


class MissingExtraError(EsotericDRBGError, ImportError):
    """A package of an extra is not installed. Nothing was opened or written; the message has the pip line.

    Attributes
    ----------
    package : str
        Import name of the package: ``"numpy"``.
    extra : str
        Name of the extra: ``"lab"``.
    """

    def __init__(self, message: str = "", *, package: str = "", extra: str = "") -> None:
        super().__init__(message, name=package or None)
        self.package = package
        self.extra = extra


class KernelUnavailableError(EsotericDRBGError, ImportError):
    """``ESOTERIC_DRBG_KERNELS=rust`` was asked for, yet the extension is not built into this installation."""
