"""Sample sets, the input of every assessment of SP 800-90B."""

from __future__ import annotations

import functools
import mmap
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from esoteric_drbg.conformance.samples.private_copies import bytes_of, private_array
from esoteric_drbg.conformance.samples.reduction import Reduction, count_values
from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.frozen import Frozen

if TYPE_CHECKING:
    from typing import Self

__all__ = ["SampleSet"]


class SampleSet(Frozen):
    """The samples of one data set, one a byte, and what is known of them.

    Attributes
    ----------
    symbols : ndarray of uint8, shape (samples,)
        The samples as they were recorded, contiguous, read-only, and in memory that nobody else can write.
    bits : int
        w, bits per sample, 1 to 8.
    distinct : tuple of int
        The symbols that occur, in ascending order.
    warnings : tuple of str
        What a reader of the result has to know: data narrower than the given width, few samples, ...
    reduction : Reduction or None
        How wider raw values were reduced to these symbols, SP 800-90B 6.4; None if they were not.

    Examples
    --------
    >>> from esoteric_drbg.conformance.samples.sample_set import SampleSet
    >>> samples = SampleSet.from_symbols(bytes([0, 5, 5, 2]))
    >>> samples.bits, samples.alphabet, bytes(samples.translated)
    (3, 3, b'\\x00\\x02\\x02\\x01')
    """

    __slots__ = ("__dict__",)  # for cached properties
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    symbols: NDArray[np.uint8]
    bits: int
    distinct: tuple[int, ...]
    warnings: tuple[str, ...] = ()
    reduction: Reduction | None = None

    @classmethod
    def from_symbols(
        cls,
        symbols: bytes | bytearray | memoryview | mmap.mmap | NDArray[np.uint8],
        bits: int | None = None,
        *,
        reduction: Reduction | None = None,
    ) -> Self:
        """Make a sample set of samples of at most 8 bits; `bits` is found from the highest bit set if it is None.

        `bytes` are not copied; writable memory is copied once. For other integers and for files, use
        :func:`esoteric_drbg.conformance.samples.files.read_samples`.

        Raises
        ------
        InvalidInputError
            If there are no samples, they are not one a byte, `bits` is not 1 to 8, or a sample is wider than `bits`.
        """
        if isinstance(symbols, np.ndarray) and symbols.dtype != np.uint8:
            raise InvalidInputError(f"symbols of type {symbols.dtype}: expected uint8, one symbol a byte")
        try:
            array = np.frombuffer(symbols, dtype=np.uint8)
        except (TypeError, ValueError, BufferError) as error:
            raise InvalidInputError(f"symbols: contiguous bytes or an array of uint8 is expected: {error}") from None
        array = private_array(array, "symbols")
        if array.size == 0:
            raise InvalidInputError("no samples: nothing to assess")
        if bits is not None and not 1 <= bits <= 8:
            raise InvalidInputError(f"bits={bits}: a symbol has 1 to 8 bits")
        distinct = tuple(count_values(array)[0].tolist())
        found = max(1, distinct[-1].bit_length())
        warnings = []
        if bits is not None and found > bits:
            raise InvalidInputError(f"symbol {distinct[-1]} does not fit into bits={bits}")
        if bits is not None and found < bits:
            warnings.append(
                f"no symbol uses more than {found} of the {bits} bits given; the unused bits raise {bits} x H_bitstring"
            )
        if array.size < 1_000_000:
            warnings.append(f"{array.size} samples: SP 800-90B 3.1.1 asks for at least 1,000,000")
        array = array.view()
        array.flags.writeable = False
        if reduction is not None:
            warnings.append(reduction.describe())
        return cls(symbols=array, bits=bits or found, distinct=distinct, warnings=tuple(warnings), reduction=reduction)

    def first(self, samples: int) -> SampleSet:
        """Return a set of the first `samples` samples, with a warning if there are others."""
        if samples >= self.symbols.size:
            return self
        part = SampleSet.from_symbols(self.symbols[:samples], self.bits, reduction=self.reduction)
        left_out = f"quick: {samples} of {self.symbols.size} samples were looked at"
        return part.replace(warnings=(*part.warnings, left_out))

    @property
    def alphabet(self) -> int:
        """k, the number of distinct symbols."""
        return len(self.distinct)

    @functools.cached_property
    def octets(self) -> bytes:
        """The samples, one a byte: the object that kernels and threads share."""
        return bytes_of(self.symbols)

    @functools.cached_property
    def translated(self) -> NDArray[np.uint8]:
        """Samples, their symbols translated to 0 ... k-1 in ascending order."""
        if self.distinct[-1] == self.alphabet - 1:
            return self.symbols
        table = np.zeros(256, dtype=np.uint8)
        table[list(self.distinct)] = np.arange(self.alphabet, dtype=np.uint8)
        return table[self.symbols]

    def bitstring(self, most: int | None = None) -> tuple[NDArray[np.uint8], int]:
        """Return the bitstring of the untranslated samples, packed, and its length in bits; at most `most` bits.

        Each sample gives its `bits` low bits, most significant first. In the packed array the first bit is the most
        significant one of the first byte, and unused bits of the last byte are 0.
        """
        n = self.symbols.size * self.bits
        if most is not None and most < n:
            n = most
        symbols = self.symbols[: -(-n // self.bits)]
        if self.bits == 8:
            packed = symbols
        elif self.bits in (1, 2, 4):
            per_byte = 8 // self.bits
            padded = np.zeros(-(-symbols.size // per_byte) * per_byte, dtype=np.uint8)
            padded[: symbols.size] = symbols
            packed = np.zeros(padded.size // per_byte, dtype=np.uint8)
            for place in range(per_byte):
                packed |= padded[place::per_byte] << np.uint8(8 - self.bits * (place + 1))
        else:
            bits = np.unpackbits(symbols[:, None], axis=1)[:, 8 - self.bits :]
            packed = np.packbits(bits.reshape(-1))
        packed = packed[: -(-n // 8)]
        if n % 8 and packed[-1] & (0xFF >> n % 8):
            packed = packed.copy()
            packed[-1] &= 0xFF << (8 - n % 8) & 0xFF
        return packed, n

    @functools.cached_property
    def sha256(self) -> str:
        """SHA-256 of the samples, one a byte, in hexadecimal."""
        import hashlib  # noqa: PLC0415 - it loads OpenSSL, and nothing else here needs it

        return hashlib.sha256(self.octets).hexdigest()
