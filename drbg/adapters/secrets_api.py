"""The functions of :mod:`secrets` over one process-wide RBG2 instance."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, NoReturn, Self

from esoteric_drbg.adapters.byte_source import ByteSource
from esoteric_drbg.errors import InvalidInputError, KernelUnavailableError
from esoteric_drbg.kernels.table import load_for_seeds
from esoteric_drbg.noise_sources import registry
from esoteric_drbg.rbg.rbg2 import RBG2Instance
from esoteric_drbg.seeding.pool import EntropyPool

if TYPE_CHECKING:
    from hmac import compare_digest

__all__ = [
    "DEFAULT_ENTROPY",
    "SystemRandom",
    "choice",
    "compare_digest",
    "process_instance",
    "randbelow",
    "randbits",
    "token_bytes",
    "token_hex",
    "token_urlsafe",
]

#: Bytes that the ``token_*`` functions use when no length is given.
DEFAULT_ENTROPY = 32

#: 2^-53: one unit in the last place of a float in [0.5, 1).
_ULP = 2.0**-53

registry.load_seeding()
try:
    load_for_seeds()
    _process = RBG2Instance(EntropyPool.for_tokens)
    token_bytes = _process.token_bytes
except KernelUnavailableError as _unusable:
    # ESOTERIC_DRBG_KERNELS names kernels that are not there. The import still succeeds, so that the command line can
    # report it in one line; the first request raises.
    _reason = _unusable.with_traceback(None)

    def token_bytes(nbytes: int | None = None) -> bytes:
        """Raise the error that made the kernels unusable."""
        raise _reason


def process_instance() -> RBG2Instance:
    """Return the RBG2 instance behind this module's functions.

    Examples
    --------
    >>> import esoteric_drbg
    >>> esoteric_drbg.process_instance().profile.name
    'sp800_90c'
    """
    try:
        return _process
    except NameError:
        raise _reason from None


class SystemRandom(random.Random):
    """A :class:`random.Random` that takes every number from an RBG instance.

    Parameters
    ----------
    seed : object, optional
        Has no effect, as with :class:`random.SystemRandom`; neither has :meth:`seed`.
    instance : object, optional
        An :class:`RBG2Instance` or another object with ``token_bytes(n)``; without one, the process-wide instance.

    Notes
    -----
    The state cannot be read or set, so an object of this class is neither copied nor pickled (NotImplementedError).

    Examples
    --------
    >>> SystemRandom().randrange(10) in range(10)
    True
    """

    def __new__(cls, *_: Any, **__: Any) -> Self:  # noqa: D102 - random.Random's own would take a seed
        return super().__new__(cls)

    def __init__(self, seed: Any = None, *, instance: ByteSource | None = None) -> None:
        self._token_bytes = token_bytes if instance is None else instance.token_bytes
        super().__init__()

    def random(self) -> float:
        """Return a float in [0.0, 1.0) with 53 random bits."""
        return (int.from_bytes(self._token_bytes(7), "big") >> 3) * _ULP

    def getrandbits(self, k: int, /) -> int:
        """Return a non-negative int with ``k`` random bits."""
        if k < 0:
            raise InvalidInputError("number of bits must be non-negative")
        n_bytes = (k + 7) // 8
        return int.from_bytes(self._token_bytes(n_bytes), "big") >> (8 * n_bytes - k)

    def randbytes(self, n: int) -> bytes:
        """Return ``n`` random bytes."""
        return self._token_bytes(n)

    def gauss(self, mu: float = 0.0, sigma: float = 1.0) -> float:
        """Return a normally distributed float; no second one is kept, which a forked child would return too."""
        self.gauss_next = None
        try:
            return super().gauss(mu, sigma)
        finally:
            self.gauss_next = None

    def seed(self, *args: Any, **kwds: Any) -> None:
        """Do nothing: an RBG instance is seeded by its noise sources alone."""

    def _notimplemented(self, *args: Any, **kwds: Any) -> NoReturn:
        raise NotImplementedError("the state of an RBG instance is secret")

    getstate = setstate = _notimplemented


_system_random = SystemRandom()

randbits = _system_random.getrandbits
choice = _system_random.choice


def randbelow(exclusive_upper_bound: int) -> int:
    """Return a random int in the range [0, exclusive_upper_bound).

    Raises
    ------
    InvalidInputError
        A :class:`ValueError`, if the bound is not positive.
    """
    if exclusive_upper_bound <= 0:
        raise InvalidInputError("Upper bound must be positive.")
    return _system_random.randrange(exclusive_upper_bound)


def token_hex(nbytes: int | None = None) -> str:
    """Return a random text string in hexadecimal: two digits for each of ``nbytes`` (32) random bytes.

    Examples
    --------
    >>> len(token_hex(16))
    32
    """
    return token_bytes(nbytes).hex()


def token_urlsafe(nbytes: int | None = None) -> str:
    """Return a random URL-safe text string: ``nbytes`` (32) random bytes in Base64 without padding."""
    import base64  # noqa: PLC0415 - only this function needs it

    return base64.urlsafe_b64encode(token_bytes(nbytes)).rstrip(b"=").decode("ascii")


def __getattr__(name: str) -> Any:
    # The standard library's function loads OpenSSL, so it is imported only when it is used.
    if name == "compare_digest":
        from hmac import compare_digest  # noqa: PLC0415

        globals()[name] = compare_digest
        return compare_digest
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
