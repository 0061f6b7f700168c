"""The RBG instance of a pool, for :meth:`EntropyPool.get_random_bytes`; the function that makes it is registered here.

:mod:`esoteric_drbg.rbg.rbg2` registers that function when it is loaded; the public name
``esoteric_drbg.EntropyPool`` loads it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from esoteric_drbg.errors import DRBGStateError
from esoteric_drbg.seeding.seed_profile import Profile
from esoteric_drbg.seeding.seed_source import SeedSource

__all__ = ["OwnInstance", "hand_over_maker", "make_instance"]


class OwnInstance(Protocol):
    """The interface of an RBG instance over one pool, as :class:`~esoteric_drbg.RBG2Instance` offers it."""

    @property
    def token_bytes(self) -> Callable[..., bytes]:
        """``token_bytes(nbytes=None) -> bytes``."""

    def generate(self, n_bytes: int, *, additional_input: bytes = b"", prediction_resistance: bool = False) -> bytes:
        """Return ``n_bytes`` random bytes."""

    def readinto(self, buffer: bytearray | memoryview) -> int:
        """Fill a buffer with random bytes."""

    def reseed(self, additional_input: bytes = b"") -> None:
        """Seed the instance afresh."""

    def instantiate(self) -> None:
        """Instantiate anew, whatever the state."""

    def uninstantiate(self) -> None:
        """Overwrite the working state."""

    def status(self) -> dict[str, Any]:
        """Return plain figures about the instance."""


#: ``maker(pool, profile=...)``, once it is known.
_makers: list[Callable[..., OwnInstance]] = []


def hand_over_maker(maker: Callable[..., OwnInstance]) -> None:
    """Register ``maker`` as the function that makes the instances of pools from now on."""
    _makers[:] = [maker]


def make_instance(pool: SeedSource, profile: Profile) -> OwnInstance:
    """Return an instance over a pool.

    Raises
    ------
    DRBGStateError
        If no module that makes instances is loaded.
    """
    if not _makers:
        raise DRBGStateError("a pool's own instance needs esoteric_drbg.rbg.rbg2: take EntropyPool from esoteric_drbg")
    return _makers[0](pool, profile=profile)
