"""Where DRBG states lie: locked pages between guard pages, in no core dump, overwritten when they are given back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from places import TESTS
from process_memory import Needles, mappings, read, secret_ranges, slot_of
from secret_twin import Twin, secret

from esoteric_drbg import EntropyPool, RBG2Instance
from esoteric_drbg.kernels import kernel_info
from esoteric_drbg.kernels.secret_memory import SecretMemory, secret_memory

RUST = kernel_info().name == "rust"
on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc/PID/smaps")
#: What a child begins with: without the capability that lifts the limit, and with a limit in bytes from its arguments.
LIMITED = """
import ctypes, json, os, resource, sys
header = (ctypes.c_uint32 * 2)(0x20080522, 0)
assert ctypes.CDLL(None).capset(header, (ctypes.c_uint32 * 6)()) == 0
limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_MEMLOCK, (limit, limit))
from esoteric_drbg.kernels import _native
from esoteric_drbg.kernels.secret_memory import secret_memory
"""


def python(code: str, *arguments: str, cwd: Path | None = None, kernels: str = "rust") -> Any:
    environment = {**os.environ, "ESOTERIC_DRBG_KERNELS": kernels}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=cwd, env=environment)


def lines(done: Any) -> list[Any]:
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def make(native: ModuleType, name: str) -> Any:
    if name == "HashDrbgState":
        return native.HashDrbgState()
    mechanism, primitive = name.split()
    return native.new_drbg_state(mechanism, primitive, True, 128)


STATES = ["HashDrbgState", "Hash_DRBG sha512", "HMAC_DRBG sha256", "HMAC_DRBG sha512", "CTR_DRBG aes256"]


def address_of(state: Any) -> int:
    import ctypes

    memory, _ = slot_of(lambda: state.generate(16))
    return ctypes.addressof(memory)


@on_linux
@pytest.mark.parametrize("name", STATES)
def test_a_state_lies_in_a_locked_page_that_is_never_dumped(native: ModuleType, name: str) -> None:
    state = make(native, name)
    state.instantiate(secret("entropy", 48), b"nonce")
    address = address_of(state)
    (page,) = [mapping for mapping in mappings() if mapping.start <= address < mapping.end]
    assert "dd" in page.flags
    report = SecretMemory(*native.secret_memory())
    assert report.excluded_from_dumps
    assert report.guard_pages
    assert ("lo" in page.flags) or not report.locked
    assert report.locked or "mlock" in report.reason


@on_linux
@pytest.mark.parametrize("name", STATES)
def test_a_slot_is_zero_after_drop_and_used_again(native: ModuleType, name: str) -> None:
    state = make(native, name)
    state.instantiate(secret("entropy", 48), b"nonce")
    address = address_of(state)
    size = SecretMemory(*native.secret_memory()).slot_bytes

    def content() -> bytes:
        return b"".join(piece for _, piece in read(address, address + size))

    assert any(content())
    del state
    assert content() == bytes(size)
    again = make(native, name)
    again.instantiate(secret("entropy", 48), b"nonce")
    assert address_of(again) == address


def test_the_object_itself_holds_no_secret(native: ModuleType) -> None:
    """Neither V nor C is part of the Python object, which lies on the common heap."""
    assert native.HashDrbgState.__basicsize__ < 2 * 55
    assert type(make(native, "HMAC_DRBG sha512")).__basicsize__ < 2 * 64


@on_linux
def test_what_is_locked_does_not_grow_with_100_000_states(native: ModuleType) -> None:
    code = (
        "from esoteric_drbg.kernels import _native\n"
        "import re\n"
        "def locked(): return re.search(r'VmLck:\\s+(\\d+)', open('/proc/self/status').read())[1]\n"
        "some = [_native.HashDrbgState() for _ in range(10)]\n"
        "print(locked(), _native.secret_memory()[0])\n"
        "for _ in range(50_000):\n"
        "    _native.HashDrbgState(); _native.new_drbg_state('CTR_DRBG', 'aes256', True, 128)\n"
        "for _ in range(300): _native.WordStream(print, print, 65536)\n"
        "print(locked(), _native.secret_memory()[0])\n"
        "many = [_native.HashDrbgState() for _ in range(5000)]\n"
        "print(_native.secret_memory()[0] >= 5000 * 168); del many\n"
        "print(_native.secret_memory()[0]); many = [_native.HashDrbgState() for _ in range(5000)]\n"
        "print(_native.secret_memory()[0])\n"
    )
    done = python(code)
    assert done.returncode == 0, done.stderr
    before, after, grown, most, again = done.stdout.splitlines()
    assert before == after
    assert grown == "True"
    assert most == again


@on_linux
@pytest.mark.parametrize(("limit", "some"), [(0, False), (4096, False), (65536, True)])
def test_a_small_limit_is_reported_and_no_error(native: ModuleType, limit: int, some: bool) -> None:
    code = LIMITED + (
        "print(json.dumps(secret_memory()))\n"
        "states = [_native.HashDrbgState() for _ in range(500)]\n"
        "for state in states: state.instantiate(bytes(48), b''); state.generate(32)\n"
        "stream = _native.WordStream(print, print, 1 << 16)\n"
        "print(json.dumps(secret_memory()))\n"
        "from esoteric_drbg import EntropyPool, RBG2Instance\n"
        "print(json.dumps(RBG2Instance(EntropyPool.auto(plugins=False)).status()['secret_memory']))\n"
    )
    first, last, status = lines(python(code, str(limit)))
    before, after = SecretMemory(*first), SecretMemory(*last)
    assert before.locked is some
    assert not after.locked
    assert after.locked_bytes <= limit
    assert (after.locked_bytes >= limit - before.n_bytes) or not some
    assert "RLIMIT_MEMLOCK is" in after.reason
    assert f"{limit} bytes" in after.reason
    assert after.excluded_from_dumps
    assert status == after.describe()
    assert status.startswith(f"not locked: {after.n_bytes - after.locked_bytes} of {after.n_bytes} bytes (mlock: ")


@on_linux
@pytest.mark.parametrize("side", ["before", "after"])
def test_a_guard_page_faults(native: ModuleType, side: str) -> None:
    tests = str(TESTS)
    code = (
        "import ctypes, sys\nsys.path.insert(0, sys.argv[1])\n"
        "from esoteric_drbg.kernels import _native\nstate = _native.HashDrbgState()\n"
        "from process_memory import secret_ranges\npages, = secret_ranges()\n"
        "print(ctypes.string_at(pages.start, 1), ctypes.string_at(pages.end - 1, 1), flush=True)\n"
        "print(ctypes.string_at(pages.start - 1 if sys.argv[2] == 'before' else pages.end, 1))\n"
    )
    done = python(code, tests, side)
    assert len(done.stdout.splitlines()) == 1, done.stdout + done.stderr
    assert done.returncode == -11


def core_of(code: str, folder: Path) -> bytes:
    """Return the core dump of a child that runs some code and aborts."""
    import resource

    pattern = Path("/proc/sys/kernel/core_pattern").read_text(encoding="ascii").strip()
    if pattern.startswith("|") or "/" in pattern:
        pytest.skip(f"core dumps do not become files of the working folder here: core_pattern is {pattern}")
    if resource.getrlimit(resource.RLIMIT_CORE)[1] != resource.RLIM_INFINITY:
        pytest.skip("RLIMIT_CORE cannot be raised here")
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2)\n"
    done = python(limit + code + "\nimport os\nos.abort()\n", cwd=folder)
    assert done.returncode == -6, done.stderr
    cores = list(folder.glob("core*"))
    if not cores:
        pytest.skip("the kernel wrote no core dump")
    return cores[0].read_bytes()


@on_linux
@pytest.mark.parametrize("mechanism", [("Hash_DRBG", "sha256"), ("HMAC_DRBG", "sha256"), ("CTR_DRBG", "aes256")])
def test_a_core_dump_does_not_hold_the_state(native: ModuleType, mechanism: tuple[str, str], tmp_path: Path) -> None:
    """The entropy input is computed in the child and not kept; the marker shows that the heap is in the dump."""
    twin = Twin(*mechanism, "with")
    entropy, marker = secret("of the dump", 48), secret("marker", 32)
    twin.state.instantiate(entropy, b"", b"")
    twin.state.generate(100)
    make = (
        "HashDrbgState()"
        if mechanism[1] == "sha256" and mechanism[0] == "Hash_DRBG"
        else (f"new_drbg_state({mechanism[0]!r}, {mechanism[1]!r}, True, 128)")
    )
    code = (
        "import hashlib\nfrom esoteric_drbg.kernels import _native\n"
        f"state = _native.{make}\n"
        "state.instantiate(hashlib.shake_256(b'of the dump').digest(48), b'')\nstate.generate(100)\n"
        "marker = hashlib.shake_256(b'marker').digest(32)\n"
    )
    core = core_of(code, tmp_path)
    assert marker in core
    assert not [name for _, name in Needles(twin.now()).find(0, core)]


@on_linux
def test_future_words_lie_in_such_pages_too(native: ModuleType) -> None:
    words = secret("words", 4096)
    views: list[Any] = []

    def fill(buffer: memoryview) -> None:
        buffer[:] = words
        views.append(buffer)

    def where() -> list[str]:
        needles = Needles({"words": words[2048:2080]})
        return [
            name
            for pages in secret_ranges()
            for at, piece in read(pages.start, pages.end)
            for _, name in needles.find(at, piece)
        ]

    stream = native.WordStream(fill, lambda _, error: error, 4096)
    with stream:
        assert stream.next_uint64() == int.from_bytes(words[:8], "little")
    assert where()
    del stream
    assert bytes(views[0]) == bytes(4096)  # overwritten, and still there for whoever looks at it
    assert not where()


def in_child(report: Callable[[], object]) -> Any:
    """Return what a function returns in a forked child."""
    receiver, sender = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(sender, json.dumps(report()).encode())
        finally:
            os._exit(0)
    os.close(sender)
    with os.fdopen(receiver, "rb") as file:
        answer = file.read()
    os.waitpid(child, 0)
    return json.loads(answer)


@on_linux
def test_a_forked_child_locks_its_copy_anew(native: ModuleType) -> None:
    state = native.HashDrbgState()
    state.instantiate(bytes(48), b"")
    address = address_of(state)

    def report() -> object:
        (page,) = [mapping for mapping in mappings() if mapping.start <= address < mapping.end]
        return ["lo" in page.flags, "dd" in page.flags, native.secret_memory()]

    locked, excluded, told = in_child(report)
    assert excluded
    assert locked is (SecretMemory(*told).locked_bytes > 0)
    assert SecretMemory(*told).locked is SecretMemory(*native.secret_memory()).locked


def test_status_and_info_say_it() -> None:
    status = RBG2Instance(EntropyPool.auto(plugins=False)).status()["secret_memory"]
    code = "import sys\nsys.argv[0:1] = ['esoteric-drbg', 'info']\nfrom esoteric_drbg.cli.main import main\nmain()\n"
    done = python(code, "--json", kernels=kernel_info().name)
    told = json.loads(done.stdout)["secret_memory"]
    plain = python(code, kernels=kernel_info().name).stdout
    assert "secret memory" in plain
    if RUST:
        assert status.startswith(("locked: ", "not locked: "))
        assert told.startswith(("locked: ", "not locked: "))
    else:
        assert status == told == "reference kernels: not locked"
        assert not secret_memory().locked


@on_linux
def test_forks_while_other_threads_make_and_drop_states(native: ModuleType) -> None:
    """The table of slots is never left locked in a child.

    A fork that the interpreter does not know of is made when the threads are gone: its own lock does not survive one
    that another thread waits for.
    """
    code = (
        "import ctypes, os, sys, threading, warnings\nwarnings.simplefilter('ignore')\n"
        "from esoteric_drbg.kernels import _native\n"
        "def work():\n"
        "    while not over:\n"
        "        some = [_native.HashDrbgState() for _ in range(20)]; del some\n"
        "over = []\nthreads = [threading.Thread(target=work) for _ in range(3)]\n"
        "for thread in threads: thread.start()\n"
        "for turn in range(60):\n"
        "    if turn == 50:\n"
        "        over.append(1)\n"
        "        for thread in threads: thread.join()\n"
        "    child = os.fork() if turn < 50 else ctypes.PyDLL(None).fork()\n"
        "    if child == 0:\n"
        "        state = _native.HashDrbgState(); state.instantiate(bytes(48), b''); n = len(state.generate(32))\n"
        "        os._exit(n if _native.secret_memory()[1] else 1)\n"
        "    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 32\n"
        "print('done')\n"
    )
    done = python(code)
    assert done.stdout == "done\n", done.stderr
