"""The profiles of this package's instances, by name."""

from __future__ import annotations

from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.seeding.seed_profile import SP800_90A, SP800_90C, Profile

__all__ = ["PROFILES", "SP800_90A", "SP800_90C", "Profile", "profile_named"]

PROFILES = {profile.name: profile for profile in (SP800_90C, SP800_90A)}


def profile_named(name: str) -> Profile:
    """Return the profile of that name.

    Examples
    --------
    >>> profile_named("sp800_90c").seed_output_bits
    131072
    """
    try:
        return PROFILES[name]
    except KeyError:
        raise InvalidInputError(f"profile {name!r}: expected one of {', '.join(PROFILES)}") from None
