"""OpenSSL's own DRBGs (EVP_RAND of libcrypto 3) through ctypes, fed with entropy by its TEST-RAND."""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["Peer", "PeerError", "library"]

_INTEGER, _UNSIGNED, _UTF8, _OCTETS = 1, 2, 4, 5


class PeerError(Exception):
    """OpenSSL refused."""


class _Param(ctypes.Structure):
    _fields_ = (
        ("key", ctypes.c_char_p),
        ("data_type", ctypes.c_uint),
        ("data", ctypes.c_void_p),
        ("data_size", ctypes.c_size_t),
        ("return_size", ctypes.c_size_t),
    )


def library() -> tuple[Any, str]:
    """Return libcrypto 3, or None and why there is none."""
    name = ctypes.util.find_library("crypto") or "libcrypto.so.3"
    try:
        crypto = ctypes.CDLL(name)
        crypto.OpenSSL_version_num.restype = ctypes.c_ulong
        version = crypto.OpenSSL_version_num() >> 28
    except (OSError, AttributeError) as error:
        return None, f"no libcrypto: {error}"
    if version < 3:
        return None, f"{name} is of OpenSSL {version}, and EVP_RAND came with 3"
    for function, result, arguments in (
        ("EVP_RAND_fetch", ctypes.c_void_p, (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p)),
        ("EVP_RAND_free", None, (ctypes.c_void_p,)),
        ("EVP_RAND_CTX_new", ctypes.c_void_p, (ctypes.c_void_p, ctypes.c_void_p)),
        ("EVP_RAND_CTX_free", None, (ctypes.c_void_p,)),
        ("EVP_RAND_CTX_set_params", ctypes.c_int, (ctypes.c_void_p, ctypes.c_void_p)),
        (
            "EVP_RAND_instantiate",
            ctypes.c_int,
            (ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p),
        ),
        ("EVP_RAND_uninstantiate", ctypes.c_int, (ctypes.c_void_p,)),
        (
            "EVP_RAND_generate",
            ctypes.c_int,
            (
                ctypes.c_void_p,
                ctypes.c_char_p,
                ctypes.c_size_t,
                ctypes.c_uint,
                ctypes.c_int,
                ctypes.c_char_p,
                ctypes.c_size_t,
            ),
        ),
        (
            "EVP_RAND_reseed",
            ctypes.c_int,
            (ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t),
        ),
    ):
        bound = getattr(crypto, function)
        bound.restype, bound.argtypes = result, arguments
    return crypto, ""


@contextmanager
def _params(values: dict[bytes, int | bytes | str]) -> Iterator[Any]:
    """Yield an array of OSSL_PARAM that lives as long as the block."""
    array = (_Param * (len(values) + 1))()
    keep: list[Any] = []
    for slot, (key, value) in zip(array, values.items(), strict=False):
        if isinstance(value, int):
            held: Any = ctypes.c_uint(value)
            kind, size = _UNSIGNED, ctypes.sizeof(held)
        elif isinstance(value, str):
            held = ctypes.create_string_buffer(value.encode())
            kind, size = _UTF8, len(value)
        else:
            held = ctypes.create_string_buffer(value, len(value) + 1)
            kind, size = _OCTETS, len(value)
        keep.append(held)
        slot.key, slot.data_type, slot.data = key, kind, ctypes.addressof(held)
        slot.data_size, slot.return_size = size, ctypes.c_size_t(-1).value
    yield ctypes.byref(array)
    del keep


class Peer:
    """One DRBG of OpenSSL.

    Parameters
    ----------
    mechanism : str
        ``"HASH-DRBG"``, ``"HMAC-DRBG"`` or ``"CTR-DRBG"``.
    parameters : dict
        ``digest``, ``mac``, ``cipher``, ``use_derivation_function``.
    """

    def __init__(self, crypto: Any, mechanism: str, parameters: dict[bytes, int | str | bytes]) -> None:
        self._crypto = crypto
        self._contexts: list[int] = []
        self._source = self._new(b"TEST-RAND", None)
        self._set(self._source, {b"strength": 256})
        self._check(crypto.EVP_RAND_instantiate(self._source, 256, 0, None, 0, None), "TEST-RAND")
        self._drbg = self._new(mechanism.encode(), self._source)
        self._set(self._drbg, parameters)

    def _new(self, name: bytes, parent: int | None) -> int:
        algorithm = self._crypto.EVP_RAND_fetch(None, name, None)
        if not algorithm:
            raise PeerError(f"OpenSSL has no {name.decode()}")
        context = self._crypto.EVP_RAND_CTX_new(algorithm, parent)
        self._crypto.EVP_RAND_free(algorithm)
        if not context:
            raise PeerError(f"no context of {name.decode()}")
        self._contexts.append(context)
        return int(context)

    def _set(self, context: int, values: dict[bytes, int | str | bytes]) -> None:
        with _params(values) as params:
            self._check(self._crypto.EVP_RAND_CTX_set_params(context, params), f"parameters {values}")

    def _check(self, done: int, what: str) -> None:
        if done != 1:
            raise PeerError(f"OpenSSL refused: {what}")

    def serve(self, entropy: bytes, nonce: bytes = b"") -> None:
        """Set what the next call finds as entropy and nonce."""
        self._set(self._source, {b"test_entropy": entropy, b"test_nonce": nonce})

    def instantiate(self, strength: int, personalization: bytes) -> None:
        done = self._crypto.EVP_RAND_instantiate(self._drbg, strength, 0, personalization, len(personalization), None)
        self._check(done, "instantiate")

    def reseed(self, entropy: bytes, additional: bytes) -> None:
        self.serve(entropy)
        self._check(self._crypto.EVP_RAND_reseed(self._drbg, 0, None, 0, additional, len(additional)), "reseed")

    def generate(self, n_bytes: int, additional: bytes, fresh: bytes | None = None) -> bytes:
        """Return output; with prediction resistance from ``fresh`` entropy where it is given."""
        if fresh is not None:
            self.serve(fresh)
        out = ctypes.create_string_buffer(max(n_bytes, 1))
        self._check(
            self._crypto.EVP_RAND_generate(
                self._drbg, out, n_bytes, 0, int(fresh is not None), additional, len(additional)
            ),
            "generate",
        )
        return out.raw[:n_bytes]

    def close(self) -> None:
        """Free everything, children first."""
        while self._contexts:
            self._crypto.EVP_RAND_CTX_free(self._contexts.pop())
