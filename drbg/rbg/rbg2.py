"""The RBG2 instance: a Hash_DRBG that seeds and reseeds itself from an entropy pool (SP 800-90C, RBG2(NP))."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from esoteric_drbg.errors import CloneRefusedError, InvalidInputError
from esoteric_drbg.rbg.lanes import Lanes
from esoteric_drbg.rbg.profiles import SP800_90C, Profile
from esoteric_drbg.seeding.ledger import SeedLedger
from esoteric_drbg.seeding.own_instance import hand_over_maker
from esoteric_drbg.seeding.pool import EntropyPool

__all__ = ["EntropyPool", "RBG2Instance"]


class RBG2Instance:
    """An RBG2(NP) construction: one Hash_DRBG SHA-256 instance over one entropy pool.

    Parameters
    ----------
    pool : EntropyPool or callable
        The pool, or a function that returns it when the first seed is due.
    profile : Profile
        How many output bits a seed may give: 2^17 in ``SP800_90C`` (the default).
    construction : str
        The name that :meth:`status` gives it.

    Raises
    ------
    InvalidInputError
        If ``pool`` is neither.

    Notes
    -----
    Thread-safe. A forked child reseeds before its first byte, however it was forked, and never continues a seed or a
    request that its parent began: a request that a fork interrupts starts again in the child. Copying and pickling are
    refused. If a function makes the pool, threads that would wait for each other get lanes, each with its own pool.

    Examples
    --------
    >>> rbg = RBG2Instance(EntropyPool.auto())
    >>> len(rbg.generate(100))
    100
    >>> rbg.uninstantiate()
    """

    def __init__(
        self,
        pool: EntropyPool | Callable[[], EntropyPool],
        *,
        profile: Profile = SP800_90C,
        construction: str = "RBG2(NP)",
    ) -> None:
        if isinstance(pool, EntropyPool):
            given = pool
            self._lanes = Lanes(lambda: given, profile=profile, construction=construction, sources_are_own=False)
        elif callable(pool):
            self._lanes = Lanes(pool, profile=profile, construction=construction, sources_are_own=True)
        else:
            raise InvalidInputError(f"pool={pool!r}: expected an EntropyPool, or a function that makes one")
        self._core = self._lanes.first
        #: ``token_bytes(nbytes=None) -> bytes``: the hot path, with the signature of :func:`secrets.token_bytes`.
        self.token_bytes = self._core.state.token_bytes

    @property
    def pool(self) -> EntropyPool:
        """The entropy pool behind this instance."""
        return self._core.source

    @property
    def profile(self) -> Profile:
        """Lifetime and strength of a seed."""
        return self._core.profile

    @property
    def construction(self) -> str:
        """The name that :meth:`status` gives it."""
        return self._core.construction

    @property
    def seeds(self) -> int:
        """The number of seeds that the first lane has received."""
        return self._core.seeds

    @property
    def last_ledger(self) -> SeedLedger | None:
        """The ledger of the first lane's last seed; None before the first one."""
        return self._core.last_ledger

    def generate(self, n_bytes: int, *, additional_input: bytes = b"", prediction_resistance: bool = False) -> bytes:
        """Return ``n_bytes`` bytes, by as many Generate requests and seeds as needed.

        Parameters
        ----------
        n_bytes : int
            Bytes asked for, 0 or more.
        additional_input : bytes
            Goes into each request; adds no credited entropy.
        prediction_resistance : bool
            Reseed from the noise sources before each request (SP 800-90A 8.8).

        Raises
        ------
        InvalidInputError
            If ``n_bytes`` is negative.
        EntropyUnavailableError
            If a seed is due and the pool falls short. Nothing is returned.
        """
        if n_bytes < 0:
            raise InvalidInputError(f"n_bytes={n_bytes}: negative argument not allowed")
        if not additional_input and not prediction_resistance:
            return self.token_bytes(n_bytes)
        return self._core.generate(n_bytes, additional_input, prediction_resistance=prediction_resistance)

    def reseed(self, additional_input: bytes = b"") -> None:
        """Seed the instance afresh from the noise sources now (SP 800-90A 9.2; 9.1 before the first seed).

        Raises
        ------
        EntropyUnavailableError
            If the pool falls short. The rest of the old seed's budget remains usable.
        """
        self._core.reseed(additional_input)

    def instantiate(self) -> None:
        """Instantiate anew from the noise sources, whatever the state: the way out of the error state (11.3.6).

        Raises
        ------
        EntropyUnavailableError
            If the pool falls short.
        SelfTestError
            If the self-test of the mechanism fails.
        """
        self._lanes.instantiate()

    def uninstantiate(self) -> None:
        """Overwrite the working state (9.4). The next request instantiates anew, unless the instance has failed."""
        self._lanes.uninstantiate()

    def readinto(self, buffer: bytearray | memoryview) -> int:
        """Fill a writable, contiguous buffer with random bytes, without an intermediate copy.

        Returns
        -------
        int
            Number of bytes: the length of the buffer.

        Raises
        ------
        InvalidInputError
            If the buffer is read-only or not contiguous.
        EntropyUnavailableError
            If a seed is due and the pool falls short. The buffer is then overwritten with zeros.
        """
        with memoryview(buffer) as view:
            if view.readonly or not view.c_contiguous:
                raise InvalidInputError("buffer: expected a writable, contiguous buffer")
            with view.cast("B") as octets:
                self._core.read_into(octets)
                return len(octets)

    def part_from_clone(self) -> bool:
        """Reseed and return True if the kernel shows that the virtual machine was cloned since the last seed.

        Raises
        ------
        EntropyUnavailableError
            If the pool falls short. The seed stays due, and nothing is output before it.
        """
        return self._lanes.part_from_clone()

    def status(self) -> dict[str, Any]:
        """Return plain figures about the instance, without any secret."""
        return self._lanes.status()

    def __reduce__(self) -> NoReturn:
        raise CloneRefusedError("an RBG instance holds secret state: it is neither copied nor pickled")

    def __repr__(self) -> str:
        state = "instantiated" if self._core.drbg.instantiated else "not yet instantiated"
        return f"<RBG2Instance Hash_DRBG SHA-256, {self.profile.name}, {state}>"


hand_over_maker(RBG2Instance)
