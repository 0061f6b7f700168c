"""The metadata of a noise source: one frozen object, set by its class, or by an instance that knows more."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.frozen import Frozen
from esoteric_drbg.noise_sources.claims import Claim

__all__ = ["SourceInfo", "Told", "fault_of", "from_class_attributes", "read_through"]

#: The fields that are text and must not be empty.
TEXTS = ("name", "description", "category", "physics", "independence_group")


class SourceInfo(Frozen):
    """Metadata of one noise source.

    Attributes
    ----------
    name : str
        Identifier, unique among installed sources: lower case, digits, underscores.
    description : str
        What is measured, in one line of a table.
    category : str
        ``timing``, ``memory``, ``storage``, ``system``, ``cpu_rng``, ``network``, ``sensor`` or ``gpu``.
    physics : str
        What fluctuates and why, in a sentence or two.
    independence_group : str
        Sources whose noise has a common cause share a group; a seed credits only one source of a group.
    estimated_rate : float
        Expected raw samples per second, for planning only: the measured rate counts.
    platforms : tuple of str
        Values of ``sys.platform`` for which the source is written; empty means every platform.
    physical : bool
        True for a physical noise source, False for a non-physical one (SP 800-90B 2.2.1).
    symbol_bits : int
        Width of a raw sample in bits, 1 to 8.
    claim : Claim
        H_submitter, with its evidence.
    bounded : bool
        True if ``read_raw`` itself keeps ``deadline_s``, whatever the hardware does. Any other source, and every source
        of another package, is read in a thread that is abandoned at the deadline.
    opt_in : bool
        True if the source is read only when the user names it, because it listens to a sensor or sends packets.

    Raises
    ------
    InvalidInputError
        If a text is empty, ``symbol_bits`` is not 1 to 8 or not that of the claim, or ``estimated_rate`` is not
        above 0.

    Examples
    --------
    >>> info = SourceInfo(
    ...     name="dice",
    ...     description="Throws of a die",
    ...     category="sensor",
    ...     physics="A die bounces.",
    ...     independence_group="dice",
    ...     estimated_rate=0.5,
    ... )
    >>> info.symbol_bits, info.claim.credit
    (8, 0.0)
    >>> info.replace(name="")
    Traceback (most recent call last):
        ...
    esoteric_drbg.errors.InvalidInputError: a noise source has no name
    """

    name: str
    description: str
    category: str
    physics: str
    independence_group: str
    estimated_rate: float
    platforms: tuple[str, ...] = ()
    physical: bool = True
    symbol_bits: int = 8
    claim: Claim = Claim(min_entropy=0.0)
    bounded: bool = False
    opt_in: bool = False

    def _check(self) -> None:
        fault = fault_of(self._values())
        if fault:
            label = self.name if type(self.name) is str and self.name.strip() else "a noise source"
            raise InvalidInputError(f"{label} {fault}")


def fault_of(values: Mapping[str, Any]) -> str:
    """Return what is wrong with the metadata of a source, or an empty string."""
    for label in TEXTS:
        if not (type(values[label]) is str and values[label].strip()):
            return f"has no {label}"
    bits, claim, rate = values["symbol_bits"], values["claim"], values["estimated_rate"]
    if type(bits) is not int or bits not in range(1, 9):
        return f"has symbols of {bits if type(bits) is int else '?'} bits; 1 to 8 are possible"
    if type(rate) not in (int, float) or not (math.isfinite(rate) and rate > 0):
        return "has no estimated_rate above 0"
    if type(claim) is not Claim or claim.symbol_bits != bits:
        return f"has no Claim for symbols of {bits} bits"
    return ""


class Told:
    """One value of ``info``, read as an attribute of the source or of its class."""

    def __init__(self, label: str) -> None:
        self._label = label

    def __get__(self, source: Any, owner: Any) -> Any:
        info = getattr(owner if source is None else source, "info", None)
        if info is not None:
            return getattr(info, self._label)
        if self._label in SourceInfo._defaults:
            return SourceInfo._defaults[self._label]
        raise AttributeError(f"no info, and so no {self._label}")


def _is_plain(value: object) -> bool:
    return not hasattr(type(value), "__get__")


def from_class_attributes(cls: type) -> bool:
    """Set ``info`` of a class that states its metadata as class attributes; return whether the class does so.

    That was the way before :class:`SourceInfo`, and works for one more release. If the attributes are incomplete or
    impossible, ``info`` is not set, and the guard of the source reports what is missing.
    """
    own = vars(cls)
    old = [label for label in SourceInfo._fields if label in own and _is_plain(own[label])]
    if not old or "info" in own:
        return False
    inherited = getattr(cls, "info", None)
    values = {} if inherited is None else inherited._values()
    for base in reversed(cls.__mro__):
        values |= {
            label: vars(base)[label]
            for label in SourceInfo._fields
            if label in vars(base) and _is_plain(vars(base)[label])
        }
    try:
        info = SourceInfo(**values)
    except (InvalidInputError, TypeError):
        return True
    cls.info = info  # type: ignore[attr-defined]
    return True


def read_through(cls: type, told: Mapping[str, Told]) -> None:
    """Let every plain attribute that a class with ``info`` has, or inherits, be read from its ``info``."""
    own = vars(cls)
    if "info" in own:
        for label in SourceInfo._fields:
            found = next(vars(base)[label] for base in cls.__mro__ if label in vars(base))
            if _is_plain(found):
                setattr(cls, label, told[label])
