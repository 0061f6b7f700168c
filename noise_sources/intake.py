"""The intake: the one place that accepts what a noise source returns or raises.

Nothing from a source is trusted. Samples become a private immutable copy whose type, count and width were checked;
health tests, conditioning, recordings and assessments all use that copy. An exception of a source becomes a
:class:`Fault` with our own text: returned data are never part of a message.

A source that is not ours, or that cannot bound its reads, is called in a thread that is abandoned at the deadline. In
that thread every exception is a fault, ``SystemExit`` and ``KeyboardInterrupt`` included: a user's Ctrl-C never reaches
it. Bounded sources of ours are called in the caller's own thread. They raise only ``Exception``, so any other
``BaseException`` came from Ctrl-C or a signal handler and is passed on.
"""

from __future__ import annotations

import sys
from types import ModuleType, TracebackType
from typing import Any, NamedTuple, NoReturn

from esoteric_drbg.errors import EsotericDRBGError, SourceReadError
from esoteric_drbg.noise_sources.raw_source import Availability, RawSource

__all__ = ["Fault", "checked_answer", "checked_samples", "checked_values", "one_line", "read_inline"]

#: Longest text from a source that is shown, in characters.
LONGEST_TEXT = 200
#: Longest wait for one call of a source, in seconds.
LONGEST_WAIT_S = 86_400.0
# Read by ``type`` itself, so that a metaclass cannot interfere.
_MRO = type.__dict__["__mro__"].__get__
_NAME = type.__dict__["__name__"].__get__
_MODULE = type.__dict__["__module__"].__get__


class Fault(NamedTuple):
    """Why a call of a source has no result.

    Attributes
    ----------
    words : str
        What happened, in one line, without any sample.
    hung : bool
        True if the call did not return within its deadline.
    received : int or None
        Number of samples returned, if that number is the fault.
    error : EsotericDRBGError or None
        The error that a source of ours raised.
    forked : bool
        True in a child that was forked during the call: the calling thread belonged to the parent.
    """

    words: str
    hung: bool = False
    received: int | None = None
    error: EsotericDRBGError | None = None
    forked: bool = False


def one_line(text: object, longest: int = LONGEST_TEXT) -> str:
    """Return a foreign text as one printable line of at most ``longest`` characters; empty if it is no text.

    Examples
    --------
    >>> one_line("no\\n\\tdevice\\x1b[31m")
    'no device [31m'
    """
    if type(text) is not str:
        return ""
    head = text[: 4 * longest]
    line = " ".join("".join(character if character.isprintable() else " " for character in head).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def class_name(thing: object) -> str:
    """Return the name of an object's class, or of the nearest base class that a module defines.

    The name of a class that was made at run time may contain samples.
    """
    for cls in _MRO(type(thing)):
        name, module = _NAME(cls), _MODULE(cls)
        found = sys.modules.get(module) if type(module) is str else None
        if type(found) is ModuleType and vars(found).get(name) is cls:
            return one_line(name)
    return "object"


def is_ours(source: object) -> bool:
    """Return True if the class of a source is one of this package's own."""
    cls = type(source)
    name, module = _NAME(cls), _MODULE(cls)
    if type(module) is not str or not module.startswith("esoteric_drbg."):
        return False
    return vars(sys.modules.get(module, sys)).get(name) is cls


def described(error: BaseException, *, ours: bool = False) -> Fault:
    """Return the fault for an exception; text of a foreign source is shown only if it is a literal in its code.

    Other text may contain samples.
    """
    if ours:
        if isinstance(error, EsotericDRBGError):
            return Fault(one_line(str(error)), error=error)
        return Fault(one_line(f"{type(error).__name__}: {error}"))
    name, words = class_name(error), _literal(error)
    if not words:
        return Fault(f"{name} was raised")
    return Fault(words if EsotericDRBGError in _MRO(type(error)) else f"{name}: {words}")


def _literal(error: BaseException) -> str:
    """Return the text of an exception if it is a literal in the code that raised it, otherwise an empty string."""
    arguments = BaseException.__dict__["args"].__get__(error)
    if len(arguments) != 1 or type(arguments[0]) is not str:
        return ""
    (words,) = arguments
    traceback: TracebackType | None = BaseException.__dict__["__traceback__"].__get__(error)
    while traceback is not None:
        if any(type(constant) is str and constant == words for constant in traceback.tb_frame.f_code.co_consts):
            return one_line(words)
        traceback = traceback.tb_next
    return ""


def _is_array(kind: type) -> bool:
    """Return True for ``array.array`` and ``numpy.ndarray``, if their modules are loaded."""
    for module, name in (("array", "array"), ("numpy", "ndarray")):
        found = sys.modules.get(module)
        if found is not None and getattr(found, name, None) is kind:
            return True
    return False


def checked_samples(data: object, n_samples: int, symbol_bits: int, *, trusted: bool = False) -> bytes | Fault:
    """Return a private, immutable copy of the samples that a source returned, or what is wrong with them.

    Parameters
    ----------
    data : object
        The returned object: ``bytes``, ``bytearray``, ``memoryview``, ``array`` or ``ndarray``, and no subclass of
        these, with 8-bit unsigned items in one contiguous dimension.
    n_samples, symbol_bits : int
        How many samples were asked for, and their width in bits.
    trusted : bool
        True if an immutable object need not be copied, because nobody else can change its memory.

    Examples
    --------
    >>> checked_samples(bytearray(b"abc"), 3, 8)
    b'abc'
    >>> checked_samples(b"abc", 3, 4).words
    'a sample is wider than 4 bits'
    >>> checked_samples("abc", 3, 8).words
    'returned a str: expected bytes'
    """
    samples = data if trusted and type(data) is bytes else _private_copy(data, n_samples)
    if isinstance(samples, Fault):
        return samples
    if len(samples) != n_samples:
        return _miscounted(len(samples), n_samples)
    if symbol_bits < 8 and samples.translate(None, bytes(range(1 << symbol_bits))):
        return Fault(f"a sample is wider than {symbol_bits} bits")
    return samples


def _private_copy(data: Any, n_samples: int) -> bytes | Fault:
    """Return a copy of a buffer; a buffer of another length than ``n_samples`` bytes is not copied."""
    kind = type(data)
    if not (kind in (bytes, bytearray, memoryview) or _is_array(kind)):
        return Fault(f"returned a {class_name(data)}: expected bytes")
    try:
        with memoryview(data) as view:
            if view.format != "B" or view.ndim != 1 or not view.c_contiguous:
                return Fault(f"returned a {kind.__name__} that is no contiguous row of 8-bit unsigned items")
            if view.nbytes != n_samples:
                return _miscounted(view.nbytes, n_samples)
            return view.tobytes()
    except (ValueError, TypeError, BufferError):
        return Fault(f"returned a {kind.__name__} that cannot be read")


def _miscounted(received: int, n_samples: int) -> Fault:
    return Fault(f"{received} samples came, {n_samples} were asked for", received=received)


def checked_values(data: object, n_samples: int) -> Any:
    """Return a private copy of raw values at full width, an ``array`` of typecode Q, or what is wrong with them."""
    from array import array  # noqa: PLC0415 - not needed on the token path

    if type(data) is not array or data.typecode != "Q":
        return Fault(f"read_wide() returned a {class_name(data)}: expected an array of typecode Q")
    values = array("Q", data)
    if len(values) != n_samples:
        return Fault(f"{len(values)} values came, {n_samples} were asked for", received=len(values))
    return values


def checked_answer(answer: object) -> Availability | Fault:
    """Return the answer of ``availability()``, with its reason as one line, or what is wrong with it."""
    if type(answer) not in (Availability, tuple):
        return Fault(f"availability() returned a {class_name(answer)}: expected an Availability")
    fields: Any = answer
    if len(fields) != 2 or type(fields[0]) is not bool or type(fields[1]) is not str:
        return Fault("availability() returned other things than True or False and a reason")
    if fields[0] and not fields[1] and type(answer) is Availability:
        return answer
    return Availability(fields[0], one_line(fields[1]))


def read_inline(source: RawSource, n_samples: int, symbol_bits: int, deadline_s: float | None) -> bytes | Fault:
    """Read a bounded source of ours in this thread."""
    try:
        data = source.read_raw(n_samples, deadline_s=deadline_s)
    except Exception as error:
        return described(error, ours=True)
    return checked_samples(data, n_samples, symbol_bits, trusted=True)


def raise_fault(name: str, fault: Fault) -> NoReturn:
    """Raise the error for a fault of the source ``name``, for direct callers of the source."""
    if fault.error is not None:
        raise fault.error
    raise SourceReadError(f"{name}: {fault.words}")
