"""The registrations of an evidence bundle: the entropy source, its conditioning component, and the RBG it seeds.

Their fields have the names that an Entropy Source Validation gives them, in camel case.
"""

from __future__ import annotations

import math

import msgspec

from esoteric_drbg.conformance.audit.plan import FULL_RESTARTS, RESTART_SAMPLES
from esoteric_drbg.conformance.entropy.conditioning_entropy import conditioning_output_entropy
from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.noise_sources import NoiseSource
from esoteric_drbg.rbg.profiles import SP800_90C
from esoteric_drbg.seeding.pool import BLOCK_BITS, BLOCK_H_IN

__all__ = [
    "CONDITIONER",
    "CONDITIONER_NW",
    "ConditioningComponent",
    "RBGRegistration",
    "Registration",
    "rbg_registration",
    "registration",
]

#: The conditioning component: its name in registrations, and its narrowest internal width in bits.
CONDITIONER = "Hash_DF-SHA2-256"
CONDITIONER_NW = 256
#: Most characters of primaryNoiseSource; the schema says the same.
_NAME_CHARACTERS = 64


class ConditioningComponent(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One conditioning component; lengths and entropies in bits."""

    sequence_position: int
    vetted: bool
    description: str
    min_nin: int
    min_hin: float
    nw: int
    n_out: int
    h_out: float


class Registration(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An entropy source: its noise source, and its conditioning components in their order."""

    primary_noise_source: str
    iid_claim: bool
    bits_per_sample: int
    hmin_estimate: float
    physical: bool
    number_of_restarts: int
    samples_per_restart: int
    additional_noise_sources: bool
    number_of_oes: int = msgspec.field(name="numberOfOEs")
    conditioning_component: tuple[ConditioningComponent, ...]


class Mechanism(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The DRBG mechanism of an RBG."""

    mechanism: str
    primitive: str
    derivation_function: bool


class RBGRegistration(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The RBG construction that the source seeds."""

    construction: str
    drbg: Mechanism
    security_strength: int
    instantiate_entropy_bits: int
    nonce: str
    reseed_entropy_bits: int
    reseed_available: bool
    reseed_output_bits: int
    prediction_resistance: bool
    max_bits_per_request: int
    multiple_sources: str


def registration(source: NoiseSource, *, operational_environments: int = 1) -> Registration:
    """Return the registration of an entropy source: noise source and conditioning component.

    Raises
    ------
    InvalidInputError
        If the source has no credit.
    """
    claim = source.claim
    if claim.credit == 0:
        raise InvalidInputError(f"{source.name}: nothing is credited, so there is no entropy source to register")
    name = source.description if len(source.description) <= _NAME_CHARACTERS else source.name[:_NAME_CHARACTERS]
    symbols = math.ceil(BLOCK_H_IN / claim.credit)
    # A sample is conditioned as one byte, whatever its width: the component's input is 8 bits a sample.
    n_in, h_in = 8 * symbols, symbols * claim.credit
    conditioned = conditioning_output_entropy(n_in, BLOCK_BITS, CONDITIONER_NW, h_in)
    component = ConditioningComponent(
        sequence_position=1,
        vetted=True,
        description=CONDITIONER,
        min_nin=n_in,
        min_hin=h_in,
        nw=CONDITIONER_NW,
        n_out=BLOCK_BITS,
        h_out=conditioned.h_out,
    )
    return Registration(
        primary_noise_source=name,
        iid_claim=claim.iid,
        bits_per_sample=source.symbol_bits,
        hmin_estimate=claim.credit,
        physical=source.physical,
        number_of_restarts=FULL_RESTARTS,
        samples_per_restart=RESTART_SAMPLES,
        additional_noise_sources=False,
        number_of_oes=operational_environments,
        conditioning_component=(component,),
    )


def rbg_registration() -> RBGRegistration:
    """Return the registration of the RBG construction that the source seeds."""
    strength = SP800_90C.security_strength
    return RBGRegistration(
        construction="RBG2(NP)",
        drbg=Mechanism(mechanism="Hash_DRBG", primitive="SHA2-256", derivation_function=True),
        security_strength=strength,
        instantiate_entropy_bits=strength + strength // 2,
        nonce="none: the entropy input carries 3/2 security strength (SP 800-90A 8.6.7)",
        reseed_entropy_bits=strength,
        reseed_available=True,
        reseed_output_bits=SP800_90C.seed_output_bits,
        prediction_resistance=True,
        max_bits_per_request=1 << 19,
        multiple_sources=("concatenated, each conditioned on its own; one source per independence group is credited"),
    )
