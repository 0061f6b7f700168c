"""Our mechanisms beside OpenSSL's: the same entropy, the same operations, every byte compared."""

from __future__ import annotations

import importlib.util
from collections import deque
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esoteric_drbg.mechanisms.base import DRBG
from esoteric_drbg.mechanisms.limits import DRBGLimits
from esoteric_drbg.mechanisms.self_test import all_limits

_DIGESTS = {
    "sha1": "SHA1",
    "sha224": "SHA2-224",
    "sha256": "SHA2-256",
    "sha384": "SHA2-384",
    "sha512": "SHA2-512",
    "sha512_224": "SHA2-512/224",
    "sha512_256": "SHA2-512/256",
}
_CIPHERS = {"aes128": "AES-128-CTR", "aes192": "AES-192-CTR", "aes256": "AES-256-CTR"}


def load_peer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("openssl_peer", Path(__file__).with_name("openssl_peer.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


peer_module = load_peer()
crypto, missing = peer_module.library()
pytestmark = pytest.mark.skipif(crypto is None, reason=missing or "libcrypto 3 is there")


def new_peer(limits: DRBGLimits) -> Any:
    """Return OpenSSL's DRBG for the same mechanism, or skip where this build refuses it."""
    parameters: dict[bytes, int | str | bytes]
    if limits.mechanism == "CTR_DRBG":
        name = "CTR-DRBG"
        parameters = {
            b"cipher": _CIPHERS[limits.primitive],
            b"use_derivation_function": int(limits.derivation_function),
        }
    elif limits.mechanism == "HMAC_DRBG":
        name, parameters = "HMAC-DRBG", {b"mac": "HMAC", b"digest": _DIGESTS[limits.primitive]}
    else:
        name, parameters = "HASH-DRBG", {b"digest": _DIGESTS[limits.primitive]}
    try:
        return peer_module.Peer(crypto, name, parameters)
    except peer_module.PeerError as error:
        pytest.skip(f"{limits.name}: {error}")


additional = st.binary(max_size=32)
operations = st.lists(
    st.one_of(
        # from 1: a request of no bytes is a request of the standard, and nothing at all to EVP_RAND_generate
        st.tuples(st.just("generate"), st.integers(1, 300), additional),
        st.tuples(st.just("generate"), st.sampled_from([4096, 65535, 65536]), additional),
        st.tuples(st.just("fresh"), st.integers(1, 100), additional),
        st.tuples(st.just("reseed"), st.just(0), additional),
    ),
    min_size=1,
    max_size=8,
)


@pytest.mark.parametrize("limits", all_limits(), ids=lambda limits: limits.name)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(data=st.data(), personalization=st.binary(max_size=32), operations=operations)
def test_every_byte_is_openssls(
    limits: DRBGLimits, data: st.DataObject, personalization: bytes, operations: list[tuple[str, int, bytes]]
) -> None:
    strength = limits.highest_supported_security_strength
    seed_bytes = (limits.seedlen or 0) // 8
    if limits.derivation_function:
        entropy = st.integers(strength // 8, 64).flatmap(lambda size: st.binary(min_size=size, max_size=size))
        nonce = data.draw(st.binary(min_size=strength // 16, max_size=32))
    else:
        entropy, nonce = st.binary(min_size=seed_bytes, max_size=seed_bytes), b""
    served: deque[bytes] = deque()
    ours = DRBG(limits, lambda bits: served.popleft(), verification=True)
    with closing(new_peer(limits)) as theirs:
        seed = data.draw(entropy)
        served.append(seed)
        theirs.serve(seed, nonce)
        ours.instantiate(
            strength,
            prediction_resistance=True,
            nonce=nonce if limits.derivation_function else None,
            personalization_string=personalization,
        )
        theirs.instantiate(strength, personalization)
        for name, n_bytes, other in operations:
            if name == "generate":
                assert ours.generate(n_bytes, additional_input=other) == theirs.generate(n_bytes, other)
                continue
            fresh = data.draw(entropy)
            served.append(fresh)
            if name == "reseed":
                ours.reseed(other)
                theirs.reseed(fresh, other)
            else:
                out = ours.generate(n_bytes, prediction_resistance=True, additional_input=other)
                assert out == theirs.generate(n_bytes, other, fresh)
        assert not served


def test_the_peer_is_not_us() -> None:
    """A changed entropy input gives another output: the comparison can fail."""
    limits = all_limits()[2]
    outputs = []
    for entropy in (bytes(32), bytes(31) + b"\x01"):
        with closing(new_peer(limits)) as theirs:
            theirs.serve(entropy, bytes(16))
            theirs.instantiate(256, b"")
            outputs.append(theirs.generate(32, b""))
    assert outputs[0] != outputs[1]
