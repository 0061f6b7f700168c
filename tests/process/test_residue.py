"""What operations on secrets leave behind in memory, as another process sees it: nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest
from process_memory import Needles, search, secret_ranges
from secret_twin import Twin, secret

SUBJECT = Path(__file__).with_name("residue_subject.py")
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc/PID/mem")

MECHANISMS = [
    ("Hash_DRBG", "sha256", "with"),
    ("Hash_DRBG", "sha512", "with"),
    ("HMAC_DRBG", "sha256", "with"),
    ("HMAC_DRBG", "sha512", "with"),
    ("CTR_DRBG", "aes256", "with"),
    ("CTR_DRBG", "aes256", "without"),
]

COMMANDS = [
    "instantiate",
    "generate 1",
    "generate 32",
    "reseed",
    "generate 33",
    "generate_with 32",
    "generate 4096",
    "generate_with 4096",
    "reseed_with",
    "generate 40000",
    "draw 150000",
    "generate 0",
    "generate_with 0",
    "generate 32",
]
LAST = ["zeroize", "instantiate", "generate 32", "drop"]
THREADED = ["instantiate", "generate 32", "reseed", "generate_with 33", "generate 40000", "draw 150000"]
#: Of Hash_DRBG SHA-256 alone: the hot path, and the mixing.
HOT = ["instantiate", *(f"token_bytes {n}" for n in (1, 31, 32, 33, 200, 511, 512, 513, 544, 545, 600, 4096)), "mix"]


def round_keys(key: bytes) -> bytes:
    """Return the key schedule of AES-256, FIPS 197 section 5.2."""
    box = bytearray(256)
    p = q = 1
    while True:
        p = (p ^ (p << 1) ^ (0x11B if p & 0x80 else 0)) & 0xFF
        for shift in (1, 2, 4):
            q = (q ^ (q << shift)) & 0xFF
        q ^= 0x09 if q & 0x80 else 0
        rotated = [((q << n) | (q >> (8 - n))) & 0xFF for n in range(5)]
        box[p] = rotated[0] ^ rotated[1] ^ rotated[2] ^ rotated[3] ^ rotated[4] ^ 0x63
        if p == 1:
            break
    box[0] = 0x63
    words = [key[4 * i : 4 * i + 4] for i in range(8)]
    constant = 1
    for i in range(8, 60):
        word = words[-1]
        if i % 8 == 0:
            word = bytes([box[word[1]] ^ constant, box[word[2]], box[word[3]], box[word[0]]])
            constant <<= 1
        elif i % 8 == 4:
            word = bytes(box[byte] for byte in word)
        words.append(bytes(a ^ b for a, b in zip(word, words[i - 8], strict=True)))
    return b"".join(words)


def test_the_key_schedule_is_that_of_fips_197() -> None:
    key = bytes.fromhex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
    assert round_keys(key)[-16:].hex() == "fe4890d1e6188d0b046df344706c631e"


def forms(mechanism: str, secrets: dict[str, bytes]) -> dict[str, bytes]:
    """Add what the primitives make of the secrets: padded keys, key schedules."""
    made = dict(secrets)
    for name, value in secrets.items():
        if name.startswith("key") and mechanism == "HMAC_DRBG":
            made[f"{name}^ipad"] = bytes(byte ^ 0x36 for byte in value)
            made[f"{name}^opad"] = bytes(byte ^ 0x5C for byte in value)
        elif name.startswith("key"):
            made[f"schedule of {name}"] = round_keys(value)
    return made


class Subject:
    """The other process."""

    def __init__(self, place: str, mechanism: tuple[str, str, str], folder: Path) -> None:
        self.inputs = folder / "inputs"
        self.inputs.write_bytes(bytes(4096))
        command = [sys.executable, str(SUBJECT), place, str(self.inputs), *mechanism]
        environment = {**os.environ, "ESOTERIC_DRBG_KERNELS": "rust"}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        assert self.process.stdout is not None
        address, size = map(int, self.process.stdout.readline().split())
        self.object = range(address, address + size)

    def put(self, data: bytes) -> None:
        with self.inputs.open("r+b") as file:
            file.write(data)

    def run(self, command: str) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(command.encode())
        self.process.stdin.flush()
        assert self.process.stdout.read(1) == b"."

    def live(self) -> list[range]:
        pages = secret_ranges(self.process.pid)
        return [self.object, *(range(mapping.start, mapping.end) for mapping in pages)]


@contextmanager
def subject(place: str, mechanism: tuple[str, str, str], folder: Path) -> Iterator[Subject]:
    """Start the other process, and end it."""
    started = Subject(place, mechanism, folder)
    try:
        yield started
    finally:
        started.process.kill()
        started.process.communicate()


def step(twin: Twin, command: str, inputs: tuple[bytes, bytes, bytes]) -> bytes:
    """Do with the reference what the other process does; return what it gives out."""
    name, _, argument = command.partition(" ")
    entropy, nonce, extra = inputs
    state = twin.state
    given = b""
    if name == "instantiate":
        state.instantiate(entropy, nonce if twin.derivation == "with" else b"", extra)
    elif name.startswith("reseed"):
        state.reseed(entropy, extra if name == "reseed_with" else None)
    elif name in {"generate", "generate_with"}:
        given = state.generate(int(argument), extra if name == "generate_with" else None)
    elif name == "mix":
        state.mix(extra)
    elif name == "token_bytes":
        given = state.generate(int(argument))
    elif name == "draw":
        given = state.draw(int(argument))
    else:
        state.zeroize()
    return given


@pytest.mark.parametrize("place", ["main", pytest.param("thread", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "mechanism",
    [
        pytest.param(one, id=" ".join(one), marks=pytest.mark.slow if one[:2] == ("HMAC_DRBG", "sha512") else ())
        for one in MECHANISMS
    ],
)
def test_nothing_secret_is_left_after_any_operation(
    native: ModuleType, mechanism: tuple[str, str, str], place: str, tmp_path: Path
) -> None:
    twin = Twin(*mechanism)
    hot = HOT if mechanism[:2] == ("Hash_DRBG", "sha256") else []
    commands = [*COMMANDS, *hot, *LAST] if place == "main" else [*THREADED, *LAST]
    left = []
    with subject(place, mechanism, tmp_path) as other:
        for index, command in enumerate(commands):
            inputs = secret(f"e{index}", 48), secret(f"n{index}", 16), secret(f"x{index}", 32)
            other.put(b"".join(inputs))
            before = twin.now()
            twin.seen = {}
            public = step(twin, command, inputs)
            other.run(command)
            other.put(bytes(96))
            after = twin.now() if command not in {"zeroize", "drop"} else {}
            gone = {name: value for name, value in {**before, **twin.seen}.items() if value not in after.values()}
            taken = {"entropy_input": inputs[0]} if command.startswith(("instantiate", "reseed")) else {}
            everywhere = Needles(forms(mechanism[0], gone) | taken, public=public + b"".join(after.values()))
            found = search(
                other.process.pid, everywhere, Needles(forms(mechanism[0], after), public=public), other.live()
            )
            left += [f"after {command}: {name} in {where} at {address:#x}" for address, where, name in found]
    summary = f"{len(left)} windows of 8 secret bytes are left\n" + "\n".join(left[:40])
    assert not left, summary


def test_nothing_of_its_input_is_left_after_hash_df(native: ModuleType, tmp_path: Path) -> None:
    """What it returns is a bytes object, whose content Python leaves behind: not looked for here."""
    with subject("main", MECHANISMS[0], tmp_path) as other:
        for command in ("hash_df", "hash_df_512"):
            data = secret(command, 96)
            other.put(data)
            other.run(command)
            other.put(bytes(96))
            assert not search(other.process.pid, Needles({"input": data}), Needles({}), [])


def test_the_search_finds_what_is_planted(native: ModuleType, tmp_path: Path) -> None:
    """A search that finds nothing proves something only if it can find: here the inputs are not overwritten."""
    with subject("main", MECHANISMS[0], tmp_path) as other:
        planted = secret("planted", 48)
        code = other.process.pid
        assert not search(code, Needles({"planted": planted}), Needles({}), [])
        # The interpreter of the other process keeps the text of its command line.
        argument = str(other.inputs).encode()
        found = search(code, Needles({"argument": argument}), Needles({}), [])
        assert any("[stack]" in where or "[heap]" in where or where == "anonymous" for _, where, _ in found)
