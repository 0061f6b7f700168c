"""The DRBG functions of SP 800-90A Rev. 1 section 9, around any working state; they do not test themselves.

:class:`~esoteric_drbg.mechanisms.base.DRBG` adds the self-test of section 11.3, which uses these functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn, TypeVar

from esoteric_drbg.errors import (
    CloneRefusedError,
    DRBGStateError,
    InvalidInputError,
    RequestTooLargeError,
    ReseedRequiredError,
    StateIntegrityError,
)
from esoteric_drbg.kernels.drbg import DrbgState, new_drbg_state
from esoteric_drbg.kernels.process import ProcessLock, fork_generation, in_one_process
from esoteric_drbg.mechanisms.limits import FULL_CTR_LEN, VERIFICATION_ONLY, DRBGLimits

__all__ = ["STRENGTHS", "Envelope", "GetEntropyInput"]

#: Get_entropy_input (9.1): bits of min-entropy requested -> entropy input that has them; or raises an error.
GetEntropyInput = Callable[[int], bytes]

_Answer = TypeVar("_Answer")

#: Security strengths that an instantiation can have, in bits (8.4).
STRENGTHS = (112, 128, 192, 256)


class Envelope:
    """Instantiate, reseed, generate and uninstantiate one working state, within the limits of its mechanism.

    Notes
    -----
    Thread-safe. A forked child reseeds before its first byte, however it was forked and whatever the parent was doing.
    Copying and pickling are refused. An exception of ``get_entropy_input`` is passed on and leaves the state unchanged.
    """

    def __init__(
        self,
        limits: DRBGLimits,
        get_entropy_input: GetEntropyInput,
        *,
        state: DrbgState | None = None,
        verification: bool = False,
    ) -> None:
        if limits.primitive in VERIFICATION_ONLY and not verification:
            raise InvalidInputError(
                f"{limits.name} is for the verification of old vectors alone (verification=True): SHA-1 is no longer "
                "acceptable for generating"
            )
        self.limits = limits
        self.state = state or new_drbg_state(
            limits.mechanism,
            limits.primitive,
            derivation_function=limits.derivation_function,
            ctr_len=limits.ctr_len,
        )
        self._get_entropy_input = get_entropy_input
        self._security_strength = 0
        self._prediction_resistance = False
        self._failed = ""
        self._lock = ProcessLock()

    @property
    def instantiated(self) -> bool:
        """True between :meth:`instantiate` and :meth:`uninstantiate`."""
        return self._security_strength > 0

    @property
    def failed(self) -> str:
        """Why the instance is in its error state (11.3.6); empty if it is not."""
        return self._failed

    @property
    def security_strength(self) -> int:
        """Security strength of this instantiation in bits; 0 when there is none."""
        return self._security_strength

    def instantiate(
        self,
        security_strength: int | None = None,
        *,
        prediction_resistance: bool = False,
        personalization_string: bytes = b"",
        nonce: bytes | None = None,
    ) -> None:
        """Instantiate_function, 9.1.

        Parameters
        ----------
        security_strength : int, optional
            Bits requested, rounded up to 112, 128, 192 or 256. Default: the highest strength supported.
        prediction_resistance : bool
            Whether :meth:`generate` may be asked for prediction resistance.
        personalization_string : bytes
            At most 2^35 bits (seedlen without a derivation function). It adds no credited entropy.
        nonce : bytes, optional
            Section 8.6.7. Without a nonce, the entropy input carries 3/2 security_strength bits of min-entropy.
            CTR_DRBG without a derivation function takes no nonce, but seedlen bits of full entropy.

        Raises
        ------
        InvalidInputError, RequestTooLargeError
            If an argument is outside its limits.
        DRBGStateError
            If the instance is instantiated already.
        SelfTestError
            If the self-test of the mechanism fails: the instance is in its error state.
        """
        began_in = fork_generation()
        in_one_process(
            lambda: self._instantiate(
                security_strength, prediction_resistance, personalization_string, nonce, began_in=began_in
            )
        )

    def _instantiate(
        self,
        security_strength: int | None,
        prediction_resistance: bool,
        personalization_string: bytes,
        nonce: bytes | None,
        *,
        began_in: int,
    ) -> None:
        limits = self.limits
        lock = self._lock.take()
        try:
            # In a child that is forked meanwhile this function starts again and overwrites what the parent had done.
            if self.instantiated and began_in == fork_generation():
                raise DRBGStateError(f"{limits.name} is already instantiated; uninstantiate it first")
            self._test_before_instantiate()
            asked = limits.highest_supported_security_strength if security_strength is None else security_strength
            if not 0 < asked <= limits.highest_supported_security_strength:
                raise InvalidInputError(
                    f"security_strength={asked}: {limits.name} supports 1 to "
                    f"{limits.highest_supported_security_strength}"
                )
            if nonce and not limits.derivation_function:
                raise InvalidInputError(f"nonce: {limits.name} takes none; its entropy input has full entropy")
            self._check_length(
                "personalization_string", personalization_string, limits.max_personalization_string_length
            )
            self._check_length("nonce", nonce or b"", limits.max_length)
            strength = next(step for step in STRENGTHS if step >= asked)
            generation = fork_generation()
            entropy_input = self._entropy_input(strength if nonce is not None else self._entropy_with_nonce(strength))
            self.state.instantiate(entropy_input, nonce or b"", personalization_string, generation)
            self._security_strength = strength
            self._prediction_resistance = prediction_resistance
            self._failed = ""
        finally:
            lock.release()

    def reseed(self, additional_input: bytes = b"") -> None:
        """Reseed_function, 9.2.

        Raises
        ------
        DRBGStateError
            If the instance is not instantiated, or is in its error state.
        RequestTooLargeError
            If ``additional_input`` is longer than 2^35 bits (seedlen without a derivation function).
        SelfTestError
            If the self-test of the mechanism was due and fails: the instance is in its error state.
        """
        in_one_process(lambda: self._reseed(additional_input))

    def _reseed(self, additional_input: bytes) -> None:
        lock = self._lock.take()
        try:
            self._require_ready()
            self._check_length("additional_input", additional_input, self.limits.max_additional_input_length)
            self._test_before_reseed()
            generation = fork_generation()
            if self.state.instantiated:
                entropy_input = self._entropy_input(self._security_strength)
                self.guarded(lambda: self.state.reseed(entropy_input, additional_input, generation))
            else:
                # A fork or an exception of a signal handler interrupted a function of the working state and left it
                # overwritten: instantiate it anew.
                entropy_input = self._entropy_input(self._entropy_with_nonce(self._security_strength))
                self.state.instantiate(entropy_input, b"", additional_input, generation)
        finally:
            lock.release()

    def _entropy_with_nonce(self, security_strength: int) -> int:
        """Return the min-entropy in bits of an entropy input that replaces the nonce, too (8.6.7)."""
        return security_strength * 3 // 2 if self.limits.derivation_function else security_strength

    def generate(
        self,
        n_bytes: int,
        *,
        security_strength: int = 0,
        prediction_resistance: bool = False,
        additional_input: bytes = b"",
    ) -> bytes:
        """Generate_function, 9.3.

        Parameters
        ----------
        n_bytes : int
            Bytes asked for, 0 to 65,536 (2^19 bits; less where ctr_len is short).
        security_strength : int
            Bits the caller needs; refused if the instance offers less.
        prediction_resistance : bool
            Reseed from fresh entropy before generating.
        additional_input : bytes
            At most 2^35 bits (seedlen without a derivation function). It adds no credited entropy.

        Returns
        -------
        bytes
            Exactly ``n_bytes`` pseudorandom bytes.

        Raises
        ------
        DRBGStateError
            If the instance is not instantiated, or is in its error state.
        InvalidInputError, RequestTooLargeError
            If an argument is outside its limits.
        """
        return in_one_process(
            lambda: self._generate(n_bytes, security_strength, prediction_resistance, additional_input)
        )

    def _generate(
        self, n_bytes: int, security_strength: int, prediction_resistance: bool, additional_input: bytes
    ) -> bytes:
        lock = self._lock.take()
        try:
            self._require_ready()
            if n_bytes < 0:
                raise InvalidInputError(f"n_bytes={n_bytes}: a length is not negative")
            if 8 * n_bytes > self.limits.max_number_of_bits_per_request:
                limit = self.limits.max_number_of_bits_per_request
                raise RequestTooLargeError(
                    f"n_bytes={n_bytes}: one request returns at most {limit} bits ({limit // 8} bytes)"
                )
            if security_strength > self._security_strength:
                raise InvalidInputError(
                    f"security_strength={security_strength}: this instance offers {self._security_strength} bits"
                )
            self._check_length("additional_input", additional_input, self.limits.max_additional_input_length)
            if prediction_resistance and not self._prediction_resistance:
                raise InvalidInputError("prediction_resistance was not asked for when this instance was instantiated")
            if prediction_resistance or self._seed_is_due():
                self.reseed(additional_input)
                additional_input = b""
            return self.guarded(lambda: self.state.generate(n_bytes, additional_input))
        finally:
            lock.release()

    def generate_long(self, n_bytes: int) -> bytes:
        """Return any number of bytes, by as many consecutive Generate requests as needed.

        Parameters
        ----------
        n_bytes : int
            Bytes asked for, 0 or more; one request is made for every 65,536 bytes (2^19 bits).

        Raises
        ------
        DRBGStateError
            If the instance is not instantiated, or is in its error state.
        InvalidInputError
            If ``n_bytes`` is negative.
        """
        return in_one_process(lambda: self._generate_long(n_bytes))

    def _generate_long(self, n_bytes: int) -> bytes:
        limits = self.limits
        request_bytes = limits.max_number_of_bits_per_request // 8
        lock = self._lock.take()
        try:
            self._require_ready()
            if n_bytes < 0:
                raise InvalidInputError(f"n_bytes={n_bytes}: a length is not negative")
            requests = -(-n_bytes // request_bytes)
            in_one_piece = self.state.reseed_counter + requests <= limits.reseed_interval + 1
            if in_one_piece and limits.ctr_len == FULL_CTR_LEN and not self._seed_is_due():
                return self.guarded(lambda: self.state.draw(n_bytes))
            begins = range(0, n_bytes, request_bytes)
            return b"".join(self.generate(min(request_bytes, n_bytes - begin)) for begin in begins)
        finally:
            lock.release()

    def guarded(self, function: Callable[[], _Answer]) -> _Answer:
        """Run a function of the working state; if a fault has changed that state, enter the error state (11.3.6)."""
        try:
            return function()
        except StateIntegrityError:
            self.fail("the working state changed by itself")
            raise

    def uninstantiate(self) -> None:
        """Uninstantiate_function, 9.4: overwrite the working state; the instance can be instantiated anew."""
        lock = self._lock.take()
        try:
            self.state.zeroize()
            self._security_strength = 0
        finally:
            lock.release()

    def clear_error(self) -> None:
        """Leave the error state for a new instantiation; the working state was overwritten when it was entered."""
        lock = self._lock.take()
        try:
            self._failed = ""
        finally:
            lock.release()

    def fail(self, reason: str) -> None:
        """Enter the error state (11.3.6): the working state is overwritten; only a new instantiation ends it."""
        lock = self._lock.take()
        try:
            self.uninstantiate()
            self._failed = reason
        finally:
            lock.release()

    def _seed_is_due(self) -> bool:
        """Return True if the seed's lifetime is over, or the seed was not made in this process."""
        state = self.state
        return state.forked() or not state.instantiated or state.reseed_counter > self.limits.reseed_interval

    def _test_before_instantiate(self) -> None:
        """Do nothing: code that uses this class directly is a self-test, or has run one."""

    def _test_before_reseed(self) -> None:
        """Do nothing, for the same reason."""

    def _entropy_input(self, min_entropy: int) -> bytes:
        exact = None if self.limits.derivation_function else self.limits.seedlen
        entropy_input = self._get_entropy_input(exact or min_entropy)
        n_bits = 8 * len(entropy_input)
        if n_bits < min_entropy:
            del entropy_input
            raise ReseedRequiredError(
                f"Get_entropy_input returned {n_bits} bits; they cannot hold {min_entropy} bits of min-entropy"
            )
        if exact is not None and n_bits != exact:
            del entropy_input
            raise ReseedRequiredError(
                f"Get_entropy_input returned {n_bits} bits; {self.limits.name} takes exactly {exact} bits of full "
                "entropy"
            )
        self._check_length("entropy_input", entropy_input, self.limits.max_length)
        return entropy_input

    def _require_ready(self) -> None:
        if self._failed:
            raise DRBGStateError(f"{self.limits.name} is in its error state ({self._failed}); instantiate it anew")
        if not self.instantiated:
            raise DRBGStateError(f"{self.limits.name} is not instantiated")

    @staticmethod
    def _check_length(label: str, value: bytes, limit_bits: int) -> None:
        if 8 * len(value) > limit_bits:
            raise RequestTooLargeError(f"{label} has {8 * len(value)} bits; the limit is {limit_bits} (tables 2 and 3)")

    def __reduce__(self) -> NoReturn:
        raise CloneRefusedError("a DRBG holds secret state: it is neither copied nor pickled")

    def __repr__(self) -> str:
        state = (
            "error state" if self._failed else f"strength {self._security_strength}" if self.instantiated else "idle"
        )
        return f"<{type(self).__name__} {self.limits.name}, {state}>"
