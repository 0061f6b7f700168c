"""The profile of an instance: how strong its seeds are and how long each may be used."""

from __future__ import annotations

from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.frozen import Frozen

__all__ = ["SP800_90A", "SP800_90C", "Profile"]


class Profile(Frozen):
    """How strong the seeds of an instance are, and how long each may be used.

    Attributes
    ----------
    name : str
        The name by which commands and reports call it.
    security_strength : int
        Security strength in bits; Hash_DRBG with SHA-256 supports up to 256.
    seed_output_bits : int
        Output bits after which the instance reseeds from its noise sources. The ceilings of SP 800-90A table 2
        (2^48 requests of at most 2^19 bits) hold in every profile.
    """

    name: str
    security_strength: int = 256
    seed_output_bits: int

    def _check(self) -> None:
        if self.security_strength not in {112, 128, 192, 256}:
            raise InvalidInputError(f"security_strength={self.security_strength}: expected 112, 128, 192 or 256")
        if self.seed_output_bits < 8:
            raise InvalidInputError(f"seed_output_bits={self.seed_output_bits}: a seed must give at least 8 bits")


#: The default: an RBG2 reseeds within 2^17 output bits (SP 800-90C).
SP800_90C = Profile(name="sp800_90c", seed_output_bits=1 << 17)

#: Without the limit of SP 800-90C; the ceilings of SP 800-90A table 2 remain.
SP800_90A = Profile(name="sp800_90a", seed_output_bits=(1 << 64) - 1)
