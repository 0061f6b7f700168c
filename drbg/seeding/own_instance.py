"""The instance that a pool's own random bytes come from. A pool makes none: what makes instances says so here.

:mod:`esoteric_drbg.rbg.rbg2` hands over its maker when it is loaded, which the public name
``esoteric_drbg.EntropyPool`` sees to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from esoteric_drbg.errors import DRBGStateError
from esoteric_drbg.seeding.seed_profile import Profile
from esoteric_drbg.seeding.seed_source import SeedSource

__all__ = ["OwnInstance", "hand_over_maker", "make_instance"]


class OwnInstance(Protocol):
    """An RBG instance over one pool: what :class:`~esoteric_drbg.RBG2Instance` offers."""

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
    """Let pools have their own instances made by ``maker`` from now on."""
    _makers[:] = [maker]


def make_instance(pool: SeedSource, profile: Profile) -> OwnInstance:
    """Return an instance over a pool.

    Raises
    ------
    DRBGStateError
        If nothing that makes instances is loaded.
    """
    if not _makers:
        raise DRBGStateError("a pool's own instance needs esoteric_drbg.rbg.rbg2: take EntropyPool from esoteric_drbg")
    return _makers[0](pool, profile=profile)
