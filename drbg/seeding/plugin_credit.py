"""The credit of plug-ins: 0, unless the operator names them and an assessment on this machine supports their claim.

A plug-in is a noise source of another package, installed by an entry point. Its claim, its evidence and its rate are
not verified. The operator names it in the environment variable ``ESOTERIC_DRBG_CREDIT_PLUGINS`` (names,
separated by commas) or in the argument ``credited_plugins`` of :meth:`EntropyPool.auto`; the credit is then min(claim,
half of what was assessed here). A source that a program itself passes to a pool is no plug-in: the program's own code
then stands for the claim.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NamedTuple

from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.noise_sources import Claim, NoiseSource
from esoteric_drbg.noise_sources.guard import is_foreign
from esoteric_drbg.noise_sources.registry import BUILT_IN, BrokenPlugin
from esoteric_drbg.seeding.credit import self_assessed

__all__ = ["CREDIT_PLUGINS_VARIABLE", "PluginCredit", "assessed_here", "claim_in_force", "plugin_credits"]

#: Names of the plug-ins that may earn credit, separated by commas.
CREDIT_PLUGINS_VARIABLE = "ESOTERIC_DRBG_CREDIT_PLUGINS"


class PluginCredit(NamedTuple):
    """The decision on one plug-in: the claim in force, and the reason for the ledger."""

    claim: Claim
    note: str


def assessed_here(name: str) -> float | None:
    """Return the lowest figure that an assessment on this machine found for a source, in bits per sample, or None."""
    half = self_assessed(name)
    return None if half is None else 2 * half


def plugin_credits(sources: Iterable[NoiseSource], credited_plugins: Iterable[str] = ()) -> dict[str, PluginCredit]:
    """Return the decision on each foreign source, by name.

    Parameters
    ----------
    sources : iterable of NoiseSource
        The installed sources, behind guards.
    credited_plugins : iterable of str
        Names of plug-ins, in addition to those in ``ESOTERIC_DRBG_CREDIT_PLUGINS``.

    Raises
    ------
    InvalidInputError
        If a name is not that of an installed plug-in.

    Examples
    --------
    >>> from esoteric_drbg.noise_sources import create
    >>> plugin_credits([create("memory_timing")])
    {}
    """
    if isinstance(credited_plugins, str):
        raise InvalidInputError(f"credited_plugins={credited_plugins!r}: expected names, as in ({credited_plugins!r},)")
    sources = list(sources)
    foreign = [source for source in sources if is_foreign(source)]
    known = [source.name for source in sources if is_foreign(source) or type(source) is BrokenPlugin]
    named: set[str] = set()
    for place, names in ((CREDIT_PLUGINS_VARIABLE, _named_by_environment()), ("credited_plugins", credited_plugins)):
        for name in names:
            if name not in known:
                raise InvalidInputError(f"{place}: {_unknown(name, known)}")
            named.add(name)
    return {source.name: _decided(source, named=source.name in named) for source in foreign}


def claim_in_force(source: NoiseSource) -> Claim:
    """Return the claim by which :meth:`EntropyPool.auto` credits an installed source; our sources keep their own."""
    if not is_foreign(source):
        return source.claim
    return _decided(source, named=source.name in _named_by_environment()).claim


def _named_by_environment() -> list[str]:
    return [name.strip() for name in os.environ.get(CREDIT_PLUGINS_VARIABLE, "").split(",") if name.strip()]


def _unknown(name: object, known: list[str]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - only on an error

    if isinstance(name, str) and name in BUILT_IN:
        return f"{name} is a source of esoteric_drbg and needs no such word"
    nearest = get_close_matches(str(name), known, n=1, cutoff=0.0)
    return f"no plug-in named {name!r} is installed" + (f"; the nearest is {nearest[0]!r}" if nearest else "")


def _decided(source: NoiseSource, *, named: bool) -> PluginCredit:
    """Decide on one plug-in."""
    name, claim = source.name, source.claim
    if claim.evidence is None or not claim.min_entropy:
        return PluginCredit(claim.replace(evidence=None), "no evidence, no credit")
    if not named:
        note = f"plug-in without credit: nobody named it in {CREDIT_PLUGINS_VARIABLE} or credited_plugins"
        return PluginCredit(claim.replace(evidence=None), note)
    assessed = assessed_here(name)
    if assessed is None:
        note = f"plug-in without credit until it is assessed here: run esoteric-drbg self-assess {name}"
        return PluginCredit(claim.replace(evidence=None), note)
    credit = min(claim.min_entropy, assessed / 2)
    note = f"plug-in credited by the operator: min(claim {claim.min_entropy:g}, half of {assessed:g} assessed here)"
    for_tests = claim.health_min_entropy or (None if credit else claim.cutoff_entropy)
    return PluginCredit(claim.replace(min_entropy=credit, health_min_entropy=for_tests), note)
