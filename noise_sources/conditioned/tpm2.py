"""TPM 2.0: bytes of TPM2_GetRandom, conditioned in the chip and so credited 0 unless configured."""

from __future__ import annotations

import os
import struct
import time

from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.kernels.process import fork_generation
from esoteric_drbg.noise_sources.claims import Claim
from esoteric_drbg.noise_sources.conditioned.byte_device import ByteDeviceSource
from esoteric_drbg.noise_sources.conditioned.tpm_transport import HEADER_BYTES, TpmTransport
from esoteric_drbg.noise_sources.deadline import seconds_left
from esoteric_drbg.noise_sources.info import SourceInfo
from esoteric_drbg.noise_sources.source import Availability

__all__ = ["ADDRESS_VARIABLE", "Tpm2Source"]

#: Environment variable that says where the TPM is: a device, ``unix:PATH`` or ``tcp:ADDRESS:PORT``.
ADDRESS_VARIABLE = "ESOTERIC_DRBG_TPM2"
#: The kernel's resource manager, so that other users of the TPM are not disturbed.
DEFAULT_ADDRESS = "/dev/tpmrm0"
#: Seconds to wait for one response. A running self-test may take that long.
RESPONSE_SECONDS = 2.0
#: How often a command is repeated if the TPM is busy or returns no bytes.
ATTEMPTS = 10
#: Seconds before the first repetition; each further one waits twice as long.
PAUSE_SECONDS = 0.005

# TPM 2.0 Library, part 2: tags (6.9), command codes (6.5.2), response codes (6.6.3)
TPM_ST_NO_SESSIONS = 0x8001
TPM_CC_GET_RANDOM = 0x0000017B
TPM_RC_SUCCESS = 0x000
TPM_RC_YIELDED = 0x908
TPM_RC_TESTING = 0x90A
TPM_RC_RETRY = 0x922
_BUSY = frozenset({TPM_RC_YIELDED, TPM_RC_TESTING, TPM_RC_RETRY})
_MEANINGS = {
    0x01E: "TPM_RC_BAD_TAG: not a TPM 2.0",
    0x100: "TPM_RC_INITIALIZE: the TPM was not started (TPM2_Startup)",
    0x101: "TPM_RC_FAILURE: the TPM is in failure mode",
    0x120: "TPM_RC_DISABLED",
    0x12D: "TPM_RC_UPGRADE: the TPM is in its field upgrade",
    0x130: "TPM_RC_REBOOT: the TPM needs a restart of the machine",
    0x143: "TPM_RC_COMMAND_CODE: the TPM has no TPM2_GetRandom",
    TPM_RC_YIELDED: "TPM_RC_YIELDED: the TPM stayed busy",
    TPM_RC_TESTING: "TPM_RC_TESTING: the TPM is still testing itself",
    TPM_RC_RETRY: "TPM_RC_RETRY: the TPM stayed busy",
}


class Tpm2Source(ByteDeviceSource):
    """Bytes of a TPM's random number generator, by the command TPM2_GetRandom.

    The chip conditions its noise, so there is no evidence of ours and no credit. One command asks for 32 bytes: every
    TPM 2.0 has a digest of that size. Some TPMs give more, but none has to.

    Parameters
    ----------
    address : str, optional
        Where the TPM is; by default the environment variable ``ESOTERIC_DRBG_TPM2``, or ``/dev/tpmrm0``.

    Raises
    ------
    InvalidInputError
        If ``address`` is malformed. A malformed variable makes the source unavailable.

    See docs/sources/tpm2.md.
    """

    info = SourceInfo(
        name="tpm2",
        description="The random number generator of a TPM 2.0",
        category="system",
        physics="A vendor's noise source inside the TPM, conditioned in the chip; its raw noise is out of reach.",
        independence_group="cpu_rng",  # shared with rdseed and hwrng: a firmware TPM asks the processor's own generator
        estimated_rate=1.0e3,
        platforms=("linux",),
        # As for hwrng: conditioned bytes pass the tests, a stuck generator does not.
        claim=Claim(min_entropy=0.0, health_min_entropy=3.5),
    )

    def __init__(self, address: str | None = None) -> None:
        self._address = address
        self._transport = None if address is None else TpmTransport(address)
        self._process = fork_generation()

    def transport(self) -> TpmTransport:
        """Return the connection to the TPM that is configured now; a forked child gets its own.

        Raises
        ------
        InvalidInputError
            If the variable is malformed.
        """
        address = self._address or os.environ.get(ADDRESS_VARIABLE) or DEFAULT_ADDRESS
        if self._transport is None or self._transport.address != address or self._process != fork_generation():
            self.close()
            self._transport = TpmTransport(address)
            self._process = fork_generation()
        return self._transport

    def availability(self) -> Availability:
        """Return whether a TPM is there and may be used by this user. No command is sent."""
        try:
            return self.transport().availability()
        except InvalidInputError as error:
            return Availability(False, f"{error} ({ADDRESS_VARIABLE})")

    def place(self) -> str:
        """Return the address of the TPM."""
        return self.transport().address

    def open(self) -> None:
        """Do nothing: the first command connects to the TPM, within its deadline."""

    def close(self) -> None:
        """Disconnect from the TPM; the next read connects again."""
        transport = getattr(self, "_transport", None)
        if transport is not None:
            transport.close()

    def read_chunk(self, wanted: int, until: float | None) -> bytes:
        """Return 1 to ``wanted`` bytes of TPM2_GetRandom (part 3, 16.1); none if the deadline passes first."""
        try:
            return self._get_random(self.transport(), wanted, until)
        except TimeoutError:
            if until is None or time.monotonic() < until:
                raise
            self.close()  # the rest of an answer must not be read as that of the next command
            return b""

    def _get_random(self, transport: TpmTransport, wanted: int, until: float | None) -> bytes:
        """Return 1 to ``wanted`` bytes of TPM2_GetRandom (part 3, 16.1)."""
        command = struct.pack(">HIIH", TPM_ST_NO_SESSIONS, HEADER_BYTES + 2, TPM_CC_GET_RANDOM, wanted)
        code = TPM_RC_SUCCESS
        for attempt in range(ATTEMPTS):
            if attempt:
                pause = PAUSE_SECONDS * 2 ** (attempt - 1)
                time.sleep(seconds_left(until, pause))
            patience = seconds_left(until, RESPONSE_SECONDS)
            if patience <= 0:
                raise TimeoutError(0, "the deadline passed")
            transport.open(patience)
            code, chunk = parse_response(transport.transact(command, patience), wanted)
            if chunk:
                return chunk
            if code != TPM_RC_SUCCESS and code not in _BUSY:
                break
        if code == TPM_RC_SUCCESS:
            raise OSError(0, f"{ATTEMPTS} answers without a byte")
        raise OSError(0, f"response code 0x{code:03x}, {_MEANINGS.get(code, 'an error')}")


def parse_response(response: bytes, wanted: int) -> tuple[int, bytes]:
    """Return the response code of TPM2_GetRandom, and its bytes if it is 0.

    Raises
    ------
    OSError
        If the response is not one to TPM2_GetRandom for ``wanted`` bytes.

    Examples
    --------
    >>> parse_response(bytes.fromhex("8001 0000000e 00000000 0002 abcd"), 32) == (0, b"\\xab\\xcd")
    True
    >>> parse_response(bytes.fromhex("8001 0000000a 00000922"), 32)
    (2338, b'')
    """
    tag, size, code = struct.unpack_from(">HII", response)
    if size != len(response):
        raise OSError(0, f"a response of {len(response)} bytes claims {size}")
    if code != TPM_RC_SUCCESS:
        return code, b""
    if tag != TPM_ST_NO_SESSIONS or size < HEADER_BYTES + 2:
        raise OSError(0, f"a response with tag 0x{tag:04x} and {size} bytes is not TPM2_GetRandom's")
    (length,) = struct.unpack_from(">H", response, HEADER_BYTES)
    if length != size - HEADER_BYTES - 2 or length > wanted:
        raise OSError(0, f"a response of {size} bytes holds {length} random ones; {wanted} were asked for")
    return code, response[HEADER_BYTES + 2 :]
