"""Reference kernel of Hash_DRBG's working state, SP 800-90A Rev. 1 section 10.1.1.

The methods are the numbered algorithms of the standard; the limits and errors of section 9 belong to the caller
(:mod:`esoteric_drbg.mechanisms.hash_drbg`). Do not call this layer directly: it checks no security strength.
"""

from __future__ import annotations

import hashlib
import operator
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from esoteric_drbg.errors import ForkedStateError, InvalidInputError, ReseedRequiredError
from esoteric_drbg.kernels.reference.exclusive import MAX_REQUEST_BYTES, ExclusiveState
from esoteric_drbg.kernels.reference.hash_df import derived

__all__ = ["HashDrbgState"]

#: seedlen in bytes by hash function, SP 800-90A table 2.
_SEED_BYTES = {
    "sha1": 55,
    "sha224": 55,
    "sha256": 55,
    "sha384": 111,
    "sha512": 111,
    "sha512_224": 55,
    "sha512_256": 55,
}
_RESEED_INTERVAL = 1 << 48
_DETACH_BYTES = 1 << 15


class HashDrbgState(ExclusiveState):
    """Working state of Hash_DRBG, with the output budget of its seed.

    Parameters
    ----------
    hash_name : str
        ``"sha1"``, ``"sha224"``, ``"sha256"``, ``"sha384"``, ``"sha512"``, ``"sha512_224"`` or ``"sha512_256"`` (the
        Rust twin implements ``"sha256"``).
    on_exhausted : callable, optional
        ``on_exhausted(n_bytes) -> bytes`` answers :meth:`token_bytes` when the budget does not suffice.
    """

    def __init__(self, hash_name: str = "sha256", on_exhausted: Callable[[int], bytes] | None = None) -> None:
        if hash_name not in _SEED_BYTES:
            raise InvalidInputError(f"hash_name={hash_name!r}: expected one of {', '.join(_SEED_BYTES)}")
        self._hash_name = hash_name
        self._seed_bytes = _SEED_BYTES[hash_name]
        self._on_exhausted = on_exhausted
        self._mixed_at_ns = 0
        self._mix_interval_ns = 1 << 64
        super().__init__("Hash_DRBG")

    @property
    def budget_bits(self) -> int:
        """Bits of output that :meth:`token_bytes` and :meth:`draw` may still produce from this seed."""
        return self._budget_bits

    def _hash(self, data: bytes) -> bytes:
        return hashlib.new(self._hash_name, data).digest()

    def _hash_df(self, string: bytes) -> bytes:
        """Hash_df, 10.3.1, for seedlen bits."""
        outlen = 8 * hashlib.new(self._hash_name).digest_size
        return derived(self._hash_name, string, 8 * self._seed_bytes, outlen, 8 * len(string))

    def _set_seed(self, seed: bytes) -> None:
        self._v = int.from_bytes(seed, "big")
        constant = self._hash_df(b"\x00" + seed)
        self._c = int.from_bytes(constant, "big")
        self._reseed_counter = 1
        self._budget_bits = 0

    def instantiate(
        self,
        entropy_input: bytes,
        nonce: bytes,
        personalization_string: bytes | None = None,
        generation: int | None = None,
    ) -> None:
        """Hash_DRBG_Instantiate_algorithm, 10.1.1.2.

        Parameters
        ----------
        generation : int, optional
            Fork generation in which the entropy input was obtained; by default that of this process.
        """
        seed_material = bytes(entropy_input) + bytes(nonce) + bytes(personalization_string or b"")
        with self._seeding(generation, instantiated=False):
            self._set_seed(self._hash_df(seed_material))

    def reseed(
        self, entropy_input: bytes, additional_input: bytes | None = None, generation: int | None = None
    ) -> None:
        """Hash_DRBG_Reseed_algorithm, 10.1.1.3; ``generation`` as for :meth:`instantiate`."""
        with self._seeding(generation, instantiated=True):
            v = self._v.to_bytes(self._seed_bytes, "big")
            seed_material = b"\x01" + v + bytes(entropy_input) + bytes(additional_input or b"")
            self._set_seed(self._hash_df(seed_material))

    def generate(self, n_bytes: int, additional_input: bytes | None = None) -> bytes:
        """Hash_DRBG_Generate_algorithm, 10.1.1.4, without its check of the reseed interval."""
        self._check_request(n_bytes)
        with self._requested():
            return self._generate(n_bytes, additional_input)

    def _generate(self, n_bytes: int, additional_input: bytes | None = None) -> bytes:
        modulus = 1 << (8 * self._seed_bytes)
        if additional_input:
            v = self._v.to_bytes(self._seed_bytes, "big")
            w = self._hash(b"\x02" + v + bytes(additional_input))
            self._v = (self._v + int.from_bytes(w, "big")) % modulus
        returned = self._hashgen(n_bytes)
        h = self._hash(b"\x03" + self._v.to_bytes(self._seed_bytes, "big"))
        self._v = (self._v + int.from_bytes(h, "big") + self._c + self._reseed_counter) % modulus
        self._reseed_counter += 1
        return returned

    def _hashgen(self, n_bytes: int) -> bytes:
        """Hashgen, 10.1.1.4."""
        modulus = 1 << (8 * self._seed_bytes)
        data = self._v
        blocks = []
        remaining = n_bytes
        while remaining > 0:
            block = self._hash(data.to_bytes(self._seed_bytes, "big"))
            blocks.append(block[:remaining])
            remaining -= len(block)
            data = (data + 1) % modulus
        return b"".join(blocks)

    def grant(self, bits: int) -> None:
        """Set the budget: the process that seeded the state may draw ``bits`` bits until ``on_exhausted`` is called."""
        self._budget_bits = bits
        self._mixed_at_ns = time.monotonic_ns()

    def mix_every(self, interval_ns: int) -> None:
        """Let :meth:`token_bytes` call ``on_exhausted`` whenever nothing was mixed in for ``interval_ns``."""
        self._mix_interval_ns = interval_ns

    def mixing_due(self) -> bool:
        """Return True if nothing was mixed in for the interval of :meth:`mix_every`."""
        return time.monotonic_ns() - self._mixed_at_ns >= self._mix_interval_ns

    def mix(self, extra: bytes) -> None:
        """Mix ``extra`` into the state by a Generate request without output: it adds no credited entropy."""
        self.generate(0, extra)
        self._mixed_at_ns = time.monotonic_ns()

    def revoke(self) -> None:
        """Set the budget to zero."""
        self._budget_bits = 0

    def zeroize(self) -> None:
        """Forget the state; it is uninstantiated afterwards (9.4). Python cannot overwrite integers in place."""
        self._v = self._c = self._reseed_counter = self._budget_bits = 0
        self._seal = self._sealed()

    def _sealed(self) -> int:
        return hash((self._v, self._c, self._reseed_counter))

    def charge(self, n_bytes: int) -> bool:
        """Take ``n_bytes`` off the budget for a later request; if it is too small, return False and take nothing."""
        with self._opened(instantiated=False):
            return self._charge(n_bytes)

    def _charge(self, n_bytes: int) -> bool:
        requests = -(-n_bytes // MAX_REQUEST_BYTES)
        covered = (
            8 * n_bytes <= self._budget_bits
            and self._reseed_counter + requests <= _RESEED_INTERVAL + 1
            and not self.forked()
        )
        if covered:
            self._budget_bits -= 8 * n_bytes
        return covered

    def take(self, n_bytes: int) -> bytes | None:
        """Do :meth:`charge` and :meth:`draw` in one; if the budget is too small, return None and take nothing."""
        return self.draw(n_bytes) if self.charge(n_bytes) else None

    def draw(self, n_bytes: int) -> bytes:
        """Return ``n_bytes`` bytes, which were charged before, by as many Generate requests as needed."""
        with self._requested():
            return b"".join(self._requests(n_bytes))

    def draw_into(self, buffer: bytearray | memoryview) -> None:
        """Fill a writable buffer with bytes, which were charged before."""
        with memoryview(buffer) as view:
            if view.readonly or not view.c_contiguous:
                raise InvalidInputError("expected a writable, contiguous buffer of bytes")
            with view.cast("B") as octets:
                octets[:] = self.draw(len(octets))

    def _requests(self, n_bytes: int) -> Iterator[bytes]:
        for begin in range(0, n_bytes, MAX_REQUEST_BYTES):
            yield self._generate(min(MAX_REQUEST_BYTES, n_bytes - begin))

    def token_bytes(self, nbytes: int | None = None) -> bytes:
        """Return a random byte string of nbytes bytes, 32 if nbytes is None or missing."""
        length = 32 if nbytes is None else operator.index(nbytes)
        if length > sys.maxsize:
            raise OverflowError(f"nbytes={length} does not fit a size")
        if 0 < length <= _DETACH_BYTES and self._seal == self._sealed() and not self.mixing_due():
            with suppress(ForkedStateError), self._opened(instantiated=False):
                if self._charge(length):
                    return self._generate(length)
        if self._on_exhausted is None:
            raise ReseedRequiredError("the seed's output budget is used up")
        return self._on_exhausted(length)
