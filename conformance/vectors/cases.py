"""One known-answer case of a DRBG mechanism, the common form for ACVP vector sets and NIST's response files."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import attrs

from esoteric_drbg.errors import EntropyUnavailableError
from esoteric_drbg.mechanisms.base import DRBG
from esoteric_drbg.mechanisms.ctr_drbg import CtrDRBG
from esoteric_drbg.mechanisms.hash_drbg import HashDRBG
from esoteric_drbg.mechanisms.hmac_drbg import HmacDRBG

__all__ = ["CIPHER_NAMES", "HASH_NAMES", "DrbgCase", "Step", "new_mechanism"]

#: Names of hash functions and ciphers in vector files -> ours.
HASH_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "SHA-1": "sha1",
        **{f"{family}-{size}": f"sha{size}" for family in ("SHA", "SHA2") for size in (224, 256, 384, 512)},
        **{f"{family}-512/{size}": f"sha512_{size}" for family in ("SHA", "SHA2") for size in (224, 256)},
    }
)
CIPHER_NAMES: Mapping[str, str] = MappingProxyType({"AES-128": "aes128", "AES-192": "aes192", "AES-256": "aes256"})


@attrs.frozen(kw_only=True)
class Step:
    """A reseed or a generate request, with its inputs."""

    reseed: bool
    entropy_input: bytes
    additional_input: bytes


@attrs.frozen(kw_only=True)
class DrbgCase:
    """A case: instantiate, then the steps; the answer is the output of the last generate."""

    mechanism: str
    primitive: str
    derivation_function: bool
    prediction_resistance: bool
    entropy_input: bytes
    nonce: bytes
    personalization_string: bytes
    steps: Sequence[Step]
    n_bytes: int

    def run(self) -> bytes:
        """Return the output of the last generate; earlier outputs are as long, and dropped.

        Raises
        ------
        EsotericDRBGError
            If the mechanism refuses a request of the case.
        """
        served = deque([self.entropy_input])

        def get_entropy_input(_min_entropy: int) -> bytes:
            if not served:
                raise EntropyUnavailableError("the case holds no entropy input for this reseed")
            return served.popleft()

        drbg = new_mechanism(self.mechanism, self.primitive, get_entropy_input, self.derivation_function)
        limits = drbg.limits
        # The strength that the entropy input can support: vectors state lengths, but no strength.
        strength = min(limits.highest_supported_security_strength, 8 * len(self.entropy_input) or 1)
        drbg.instantiate(
            strength,
            prediction_resistance=self.prediction_resistance,
            nonce=self.nonce if limits.derivation_function else None,
            personalization_string=self.personalization_string,
        )
        out = b""
        for step in self.steps:
            fresh = self.prediction_resistance and not step.reseed
            if step.reseed or fresh:
                served.append(step.entropy_input)
            if step.reseed:
                drbg.reseed(step.additional_input)
            else:
                out = drbg.generate(self.n_bytes, prediction_resistance=fresh, additional_input=step.additional_input)
        drbg.uninstantiate()
        return out


def new_mechanism(mechanism: str, primitive: str, get_entropy_input: object, derivation_function: bool) -> DRBG:
    """Return a mechanism by its names in SP 800-90A tables 2 and 3."""
    serve = get_entropy_input  # one type for three constructors
    if mechanism == "CTR_DRBG":
        return CtrDRBG(serve, cipher_name=primitive, derivation_function=derivation_function)  # type: ignore[arg-type]
    kind = HashDRBG if mechanism == "Hash_DRBG" else HmacDRBG
    return kind(serve, hash_name=primitive, verification=True)  # type: ignore[arg-type]
