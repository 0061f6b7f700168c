"""Reference kernels of the DRBG mechanisms' working states, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.extras import or_its_extra
from esoteric_drbg.kernels.reference.hash_drbg import HashDrbgState
from esoteric_drbg.kernels.reference.hmac_drbg import HmacDrbgState

if TYPE_CHECKING:
    from esoteric_drbg.kernels.reference.ctr_drbg import CtrDrbgState

__all__ = ["new_drbg_state"]


def new_drbg_state(
    mechanism: str, primitive: str, derivation_function: bool, ctr_len: int
) -> HashDrbgState | HmacDrbgState | CtrDrbgState:
    """Return an uninstantiated working state of Hash_DRBG, HMAC_DRBG or CTR_DRBG."""
    if mechanism == "Hash_DRBG":
        return HashDrbgState(primitive)
    if mechanism == "HMAC_DRBG":
        return HmacDrbgState(primitive)
    if mechanism == "CTR_DRBG":
        try:
            from esoteric_drbg.kernels.reference.ctr_drbg import CtrDrbgState  # noqa: PLC0415 - AES is an extra's
        except ModuleNotFoundError as error:
            raise or_its_extra(error) from None
        return CtrDrbgState(primitive, derivation_function=derivation_function, ctr_len=ctr_len)
    raise InvalidInputError(f"mechanism={mechanism!r}: expected Hash_DRBG, HMAC_DRBG or CTR_DRBG")
