"""DRBG chains: an RBGC construction of SP 800-90C, seeded by Generate requests to its parent.

::

    noise sources ──► RBG2Instance ──► RBGCInstance ──► RBGCInstance
                      (the root)       (a child)        (its child)

A child costs the noise sources almost nothing: one request of 384 bits when it is instantiated and one of 256 bits for
every reseed. It suits a library that wants its own generator.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, NoReturn

from esoteric_drbg.errors import CloneRefusedError, DRBGStateError, InvalidInputError
from esoteric_drbg.rbg.lanes import Lanes
from esoteric_drbg.rbg.profiles import SP800_90C, Profile
from esoteric_drbg.rbg.rbg2 import RBG2Instance
from esoteric_drbg.seeding.ledger import LedgerEntry, SeedLedger

__all__ = ["ParentSeeds", "RBGCInstance"]


class RBGCInstance:
    """A Hash_DRBG SHA-256 instance that is seeded and reseeded by its parent.

    Parameters
    ----------
    parent : RBG2Instance or RBGCInstance
        The instance that gives every seed, by a fresh Generate request. It cannot be changed, so that a chain has a
        beginning and no circle.
    profile : Profile
        How many output bits a seed may give, and the security strength: at most the parent's.

    Raises
    ------
    InvalidInputError
        If the parent is no instance, or weaker than the profile asks for.

    Notes
    -----
    Thread-safe. A forked child process reseeds before its first byte, and so does its parent instance. Prediction
    resistance is not offered: it would have to reach the noise sources through every link.

    Examples
    --------
    >>> from esoteric_drbg import process_instance
    >>> child = RBGCInstance(process_instance())
    >>> grandchild = RBGCInstance(child)
    >>> len(grandchild.token_bytes(32)), grandchild.depth
    (32, 2)
    """

    def __init__(self, parent: RBG2Instance | RBGCInstance, *, profile: Profile = SP800_90C) -> None:
        if not isinstance(parent, (RBG2Instance, RBGCInstance)):
            raise InvalidInputError(f"parent is a {type(parent).__name__}: expected an RBG2Instance or RBGCInstance")
        _require_strength(parent, profile.security_strength)
        self._parent = parent
        make_seeds = partial(ParentSeeds, self, parent)
        self._lanes = Lanes(make_seeds, profile=profile, construction="RBGC", sources_are_own=True)
        self._core = self._lanes.first
        #: ``token_bytes(nbytes=None) -> bytes``, with the signature of :func:`secrets.token_bytes`.
        self.token_bytes = self._core.state.token_bytes

    @property
    def parent(self) -> RBG2Instance | RBGCInstance:
        """Where the seeds come from."""
        return self._parent

    @property
    def profile(self) -> Profile:
        """Lifetime and strength of a seed."""
        return self._core.profile

    @property
    def depth(self) -> int:
        """The number of links from the root of the chain to this instance; 1 for the root's children."""
        return sum(1 for _ in _ancestors(self))

    def generate(self, n_bytes: int, *, additional_input: bytes = b"") -> bytes:
        """Return ``n_bytes`` bytes, by as many Generate requests and seeds as needed.

        Parameters
        ----------
        n_bytes : int
            Bytes asked for, 0 or more.
        additional_input : bytes
            Goes into each request; adds no credited entropy.

        Raises
        ------
        InvalidInputError
            If ``n_bytes`` is negative.
        EntropyUnavailableError
            If seeds are due up to the root and the noise sources fall short. Nothing is returned.
        """
        if n_bytes < 0:
            raise InvalidInputError(f"n_bytes={n_bytes}: negative argument not allowed")
        if not additional_input:
            return self.token_bytes(n_bytes)
        return self._core.generate(n_bytes, additional_input, prediction_resistance=False)

    def reseed(self, additional_input: bytes = b"") -> None:
        """Take a fresh seed from the parent now."""
        self._core.reseed(additional_input)

    def instantiate(self) -> None:
        """Instantiate anew with a seed from the parent, whatever the state: the way out of the error state (11.3.6).

        Raises
        ------
        EntropyUnavailableError
            If seeds are due up to the root and the noise sources fall short.
        SelfTestError
            If the self-test of the mechanism fails.
        """
        self._lanes.instantiate()

    def uninstantiate(self) -> None:
        """Overwrite the working state (9.4). The next request instantiates anew."""
        self._lanes.uninstantiate()

    def part_from_clone(self) -> bool:
        """Reseed and return True if the kernel shows that the virtual machine was cloned since the last seed.

        Raises
        ------
        EntropyUnavailableError
            If the noise sources fall short. The seed stays due, and nothing is output before it.
        """
        return self._lanes.part_from_clone()

    def status(self) -> dict[str, Any]:
        """Return plain figures about the instance, without any secret."""
        return {**self._lanes.status(), "depth": self.depth}

    def __reduce__(self) -> NoReturn:
        raise CloneRefusedError("an RBG instance holds secret state: it is neither copied nor pickled")

    def __repr__(self) -> str:
        return f"<RBGCInstance Hash_DRBG SHA-256, {self.profile.name}, depth {self.depth}>"


def _require_strength(parent: RBG2Instance | RBGCInstance, security_strength: int) -> None:
    offered = parent.profile.security_strength
    if security_strength > offered:
        raise InvalidInputError(
            f"security_strength={security_strength}: the parent offers {offered} bits, and a chain never grows stronger"
        )


def _ancestors(instance: RBG2Instance | RBGCInstance) -> Iterator[RBG2Instance | RBGCInstance]:
    """Yield the parent, its parent, and so on; raise if the instance is among them."""
    above = instance
    while isinstance(above, RBGCInstance):
        above = above._parent
        if above is instance:
            raise DRBGStateError("a chain of instances runs in a circle: an instance never seeds itself")
        yield above


class ParentSeeds:
    """The seed source of a child: each seed is one Generate request to the parent."""

    def __init__(self, child: RBGCInstance, parent: RBG2Instance | RBGCInstance) -> None:
        self._child = child
        self._parent = parent

    def seed_material(self, min_entropy: int) -> tuple[bytes, SeedLedger]:
        """Return the output of one Generate request to the parent, of ``min_entropy`` bits."""
        for _ in _ancestors(self._child):
            pass
        self._parent.part_from_clone()  # up to the root: the clone would get the same seed from the same state
        _require_strength(self._parent, self._child.profile.security_strength)
        seed = self._parent.generate(-(-min_entropy // 8))
        n_bits = 8 * len(seed)
        entry = LedgerEntry(
            source="parent",
            independence_group="parent",
            symbols=len(seed),
            min_entropy=8.0,
            health="output of a DRBG: tested where its noise is",
            n_in=n_bits,
            n_out=n_bits,
            nw=n_bits,
            h_in=n_bits,
            h_out=n_bits,
            credited_bits=n_bits,
            note="a Generate request to the parent instance, at its security strength (SP 800-90C, RBGC)",
        )
        return seed, SeedLedger(min_entropy, n_bits, (entry,))

    def seeds_ahead(self, n_seeds: int) -> list[tuple[bytes, SeedLedger]]:
        """Return an empty list: a child takes a seed from its parent only when the seed is due."""
        return []

    def uncredited_material(self) -> tuple[bytes, tuple[LedgerEntry, ...]]:
        """Return nothing: the root adds the material without credit."""
        return b"", ()
