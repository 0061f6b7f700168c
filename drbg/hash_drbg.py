"""Hash_DRBG and its envelope: the DRBG functions of SP 800-90A Rev. 1 section 9 around mechanism 10.1.1.

This is the sharp layer, for laboratories and for the RBG2 instance. Applications call
:func:`esoteric_drbg.token_bytes`: with this class alone, nobody tests the noise that seeds it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

import attrs

from esoteric_drbg.errors import (
    CloneRefusedError,
    DRBGStateError,
    InvalidInputError,
    RequestTooLargeError,
    ReseedRequiredError,
    SelfTestError,
)
from esoteric_drbg.kernels.drbg import new_hash_drbg_state

__all__ = ["LIMITS", "GetEntropyInput", "HashDRBG", "HashDRBGLimits"]

#: Get_entropy_input (9.1): bits of min-entropy asked for -> entropy input that has them, or an error raised.
GetEntropyInput = Callable[[int], bytes]


@attrs.frozen(kw_only=True)
class HashDRBGLimits:
    """One column of SP 800-90A table 2; lengths in bits."""

    hash_name: str
    seedlen: int
    highest_supported_security_strength: int = 256
    max_length: int = 1 << 35
    max_personalization_string_length: int = 1 << 35
    max_additional_input_length: int = 1 << 35
    max_number_of_bits_per_request: int = 1 << 19
    reseed_interval: int = 1 << 48


#: Table 2 by hash function.
LIMITS = {
    "sha256": HashDRBGLimits(hash_name="sha256", seedlen=440),
    "sha384": HashDRBGLimits(hash_name="sha384", seedlen=888),
    "sha512": HashDRBGLimits(hash_name="sha512", seedlen=888),
}

_STRENGTHS = (112, 128, 192, 256)

# instantiate(entropy_input, nonce, personalization_string), generate 64, reseed(entropy_input, additional_input),
# generate 64 with additional input: the outputs, by hash function. tests/test_hash_drbg.py recomputes them with an
# independent implementation.
_KNOWN_ANSWERS: dict[str, tuple[str, str]] = {
    "sha256": (
        "44d09ec1414026c1fa23bfd1e576013c881c86fed2a7ef80c2347e12dfb3697b"
        "48c5854745c7f67b1373557c5440f6e883c2fa9ef73a4d7be476c845cce3ad48",
        "5f204a80faec4fb644a441458f327e142cc50eb867a4ebc111a702d7aa0bd0ca"
        "00b0009b8d0b9061abc4a9bc18d426c2ab3b15b93c769c4f4180e7bcf673da2a",
    ),
    "sha384": (
        "71d4c47dd1b703d326536f3cf13913c3fe0107f54ba3319ca792dab8c2ebea03"
        "3180e99da244d2e2ca232c38a153903393350f8e6163a0a69f13ae2892971a24",
        "6083568ee1f2c6685e1ddbd9f28a2825da3b27c53cd7d34d8c6f3f84ec3f35ef"
        "7a8cd3e3273fe7e4cf029e267b2f690263b1184072750b561e915dca9ea8cacd",
    ),
    "sha512": (
        "377f0eabc00ac133428ea18319b106143da2414c88608fded422dd6079e2d0ff"
        "bb6c47e8767cde0cab7bd5af2dd71d4a9d0ec593407bd00650ba0e9ad7e5378a",
        "fb0f86f6700cb8298868d31d1800a6b70c976c1a68f6b554a49520c48de9d303"
        "a864d1a23b701b2c8735547a38cd6983ff422565b1a256fb356964b184d9f792",
    ),
}

_tested: set[str] = set()


def known_answer_test(hash_name: str) -> None:
    """Run the known-answer test of instantiate, generate and reseed (11.3) for one hash function.

    Raises
    ------
    SelfTestError
        If an output differs. The mechanism then refuses to be instantiated in this process.
    """
    state = new_hash_drbg_state(hash_name)
    state.instantiate(bytes(range(48)), bytes(range(48, 72)), b"esoteric_drbg known answer")
    first = state.generate(64)
    state.reseed(bytes(range(72, 104)), b"reseed")
    second = state.generate(64, b"additional input")
    state.zeroize()
    if (first.hex(), second.hex()) != _KNOWN_ANSWERS[hash_name]:
        raise SelfTestError(f"Hash_DRBG {hash_name}: the known-answer test failed; nothing will be generated")
    _tested.add(hash_name)


class HashDRBG:
    """Hash_DRBG with one working state, and a source of entropy input to (re)seed it from.

    Parameters
    ----------
    get_entropy_input : callable
        ``get_entropy_input(min_entropy_bits) -> bytes``. What it raises passes through, and leaves the state as
        it was.
    hash_name : str
        ``"sha256"`` (default), ``"sha384"`` or ``"sha512"``.
    on_exhausted : callable, optional
        Handed to the kernel: answers :attr:`state` ``.token_bytes`` where its granted budget does not.

    Examples
    --------
    >>> import os
    >>> drbg = HashDRBG(lambda bits: os.urandom(bits // 8))
    >>> drbg.instantiate(256)
    >>> len(drbg.generate(20))
    20
    >>> drbg.uninstantiate()
    """

    def __init__(
        self,
        get_entropy_input: GetEntropyInput,
        *,
        hash_name: str = "sha256",
        on_exhausted: Callable[[int], bytes] | None = None,
    ) -> None:
        if hash_name not in LIMITS:
            raise InvalidInputError(f"hash_name={hash_name!r}: expected one of {', '.join(LIMITS)}")
        self.limits = LIMITS[hash_name]
        self.state = new_hash_drbg_state(hash_name, on_exhausted)
        self._get_entropy_input = get_entropy_input
        self._security_strength = 0
        self._prediction_resistance = False
        self._failed = ""

    @property
    def instantiated(self) -> bool:
        """True between :meth:`instantiate` and :meth:`uninstantiate`."""
        return self.state.instantiated

    @property
    def security_strength(self) -> int:
        """Security strength of this instantiation in bits; 0 when there is none."""
        return self._security_strength

    def instantiate(
        self,
        security_strength: int = 256,
        *,
        prediction_resistance: bool = False,
        personalization_string: bytes = b"",
        nonce: bytes | None = None,
    ) -> None:
        """Instantiate_function, 9.1.

        Parameters
        ----------
        security_strength : int
            Bits asked for, up to 256; the next of 112, 128, 192, 256 is taken.
        prediction_resistance : bool
            Whether :meth:`generate` may be asked for prediction resistance.
        personalization_string : bytes
            At most 2^35 bits. It adds no credited entropy.
        nonce : bytes, optional
            8.6.7. Without one, the entropy input carries half as many bits again (3/2 security_strength).

        Raises
        ------
        InvalidInputError, RequestTooLargeError
            If an argument is outside its limits.
        DRBGStateError
            If the instance is instantiated already.
        SelfTestError
            If the known-answer test fails.
        """
        if self.instantiated:
            raise DRBGStateError("Hash_DRBG is already instantiated; uninstantiate it first")
        if self.limits.hash_name not in _tested:
            try:
                known_answer_test(self.limits.hash_name)
            except SelfTestError:
                self.fail("the known-answer test failed")
                raise
        if not 0 < security_strength <= self.limits.highest_supported_security_strength:
            raise InvalidInputError(
                f"security_strength={security_strength}: Hash_DRBG {self.limits.hash_name} supports 1 to "
                f"{self.limits.highest_supported_security_strength}"
            )
        self._check_length(
            "personalization_string", personalization_string, self.limits.max_personalization_string_length
        )
        strength = next(step for step in _STRENGTHS if step >= security_strength)
        min_entropy = strength if nonce is not None else strength + strength // 2
        entropy_input = self._entropy_input(min_entropy)
        self.state.instantiate(entropy_input, nonce or b"", personalization_string)
        self._security_strength = strength
        self._prediction_resistance = prediction_resistance
        self._failed = ""

    def reseed(self, additional_input: bytes = b"") -> None:
        """Reseed_function, 9.2.

        Raises
        ------
        DRBGStateError
            If the instance is not instantiated, or is in its error state.
        RequestTooLargeError
            If ``additional_input`` is longer than 2^35 bits.
        """
        self._require_ready()
        self._check_length("additional_input", additional_input, self.limits.max_additional_input_length)
        self.state.reseed(self._entropy_input(self._security_strength), additional_input)

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
            Bytes asked for, 0 to 65,536 (2^19 bits, table 2).
        security_strength : int
            Bits the caller needs; refused if the instance offers less.
        prediction_resistance : bool
            Reseed from fresh entropy before generating.
        additional_input : bytes
            At most 2^35 bits. It adds no credited entropy.

        Returns
        -------
        bytes
            Exactly ``n_bytes`` pseudorandom bytes.
        """
        self._require_ready()
        if n_bytes < 0:
            raise InvalidInputError(f"n_bytes={n_bytes}: a length is not negative")
        if 8 * n_bytes > self.limits.max_number_of_bits_per_request:
            limit = self.limits.max_number_of_bits_per_request
            raise RequestTooLargeError(f"n_bytes={n_bytes}: one request returns at most 2^19 bits ({limit // 8} bytes)")
        if security_strength > self._security_strength:
            raise InvalidInputError(
                f"security_strength={security_strength}: this instance offers {self._security_strength} bits"
            )
        self._check_length("additional_input", additional_input, self.limits.max_additional_input_length)
        if prediction_resistance and not self._prediction_resistance:
            raise InvalidInputError("prediction_resistance was not asked for when this instance was instantiated")
        if prediction_resistance or self.state.reseed_counter > self.limits.reseed_interval:
            self.reseed(additional_input)
            additional_input = b""
        return self.state.generate(n_bytes, additional_input)

    def uninstantiate(self) -> None:
        """Uninstantiate_function, 9.4: overwrite the working state; the instance can be instantiated anew."""
        self.state.zeroize()
        self._security_strength = 0

    def fail(self, reason: str) -> None:
        """Enter the error state (11.3.6): the working state is overwritten and only instantiating anew helps."""
        self.uninstantiate()
        self._failed = reason

    def _entropy_input(self, min_entropy: int) -> bytes:
        entropy_input = self._get_entropy_input(min_entropy)
        if 8 * len(entropy_input) < min_entropy:
            received = 8 * len(entropy_input)
            del entropy_input
            raise ReseedRequiredError(
                f"Get_entropy_input returned {received} bits; they cannot hold {min_entropy} bits of min-entropy"
            )
        self._check_length("entropy_input", entropy_input, self.limits.max_length)
        return entropy_input

    def _require_ready(self) -> None:
        if self._failed:
            raise DRBGStateError(f"Hash_DRBG is in its error state ({self._failed}); instantiate it anew")
        if not self.instantiated:
            raise DRBGStateError("Hash_DRBG is not instantiated")

    @staticmethod
    def _check_length(label: str, value: bytes, limit_bits: int) -> None:
        if 8 * len(value) > limit_bits:
            raise RequestTooLargeError(f"{label} has {8 * len(value)} bits; the limit is {limit_bits} (table 2)")

    def __reduce__(self) -> NoReturn:
        raise CloneRefusedError("a DRBG holds secret state: it is neither copied nor pickled")

    def __repr__(self) -> str:
        state = (
            "error state" if self._failed else f"strength {self._security_strength}" if self.instantiated else "idle"
        )
        return f"<HashDRBG {self.limits.hash_name}, {state}>"
