"""Writers: a file is whole under its name or not there, planted names are not followed, nothing is left behind."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from esoteric_drbg import errors
from esoteric_drbg.atomic_write import new_folder, place, read_own, replacing, resumable, write_file
from esoteric_drbg.cli.main import cli
from esoteric_drbg.conformance.audit.folder import write_not_audited
from esoteric_drbg.conformance.document_files import write_document
from esoteric_drbg.conformance.iid.permutation import Checkpoint, PermutationCounts
from esoteric_drbg.conformance.recording.recorder import record, record_restarts
from esoteric_drbg.conformance.samples.transpose import transpose_file
from esoteric_drbg.noise_sources import registry
from esoteric_drbg.seeding import machine_profile

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links, pipes and permissions of Unix")

SOURCE = "memory_timing"


def transpose(path: Path) -> None:
    source = path.parent.parent / "rows"
    source.write_bytes(b"abcdef")
    transpose_file(source, path, rows=2, columns=3)


def command(*arguments: object) -> None:
    done = CliRunner().invoke(cli, list(map(str, arguments)), catch_exceptions=False)
    assert done.exit_code == 0, done.output


#: Writers of one file each, and the name that they give it.
WRITERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "write_file": ("a.txt", lambda path: write_file(path, "text")),
    "audit": ("x.audit.json", lambda path: write_document(path, {"name": "x"})),
    "not audited": ("not_audited.json", lambda path: write_not_audited(path.parent, {"x": "why"})),
    "checkpoint": ("a.json", lambda path: Checkpoint(path, {"seed": 1}).save(PermutationCounts())),
    "profile": ("machine.json", lambda path: machine_profile.save({SOURCE: {"h_assessed": 1.0}}, path)),
    "transpose": ("columns", transpose),
    "report": ("report.md", lambda path: command("report", path.parent, "-o", path)),
    "acvp": ("response.json", lambda path: command("conformance", "acvp", path.parent, "-o", path)),
    "record": ("a.bin", lambda path: record(registry.create(SOURCE), 1000, path)),
    "sidecar": ("a.bin.json", lambda path: record(registry.create(SOURCE), 1000, path.with_name("a.bin"))),
    "restarts": ("r.bin", lambda path: record_restarts(SOURCE, path, restarts=2, samples=10, command=["true"])),
}
#: What is read before it is written again is refused if it is a broken link or the like.
READ_FIRST = {"profile"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder"


def made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written, without the work: rows of a matrix without processes, reports and answers of nothing."""
    conformance = "esoteric_drbg.conformance"
    monkeypatch.setattr(f"{conformance}.recording.restarts._restart", lambda *_: bytes(10))
    monkeypatch.setattr(f"{conformance}.report.findings.read_report", lambda _folder: None)
    monkeypatch.setattr(f"{conformance}.report.markdown.markdown", lambda _report: "# nothing\n")
    monkeypatch.setattr(f"{conformance}.vectors.acvp.read_vector_sets", lambda _file: [{}])
    monkeypatch.setattr(f"{conformance}.vectors.acvp.answer", lambda *_: ({}, {}))


@pytest.fixture(params=WRITERS)
def writer(request: pytest.FixtureRequest, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    made_up(monkeypatch)
    name, write = WRITERS[request.param]
    return request.param, folder / name, write


#: Recordings go on where they stopped, under the name that others once wrote to first.
STABLE = {"record", "restarts"}


def refusal(name: str) -> contextlib.AbstractContextManager[object]:
    if name in STABLE:
        return pytest.raises(errors.InvalidInputError, match="no file of ours to go on with")
    return contextlib.nullcontext()


def names(folder: Path) -> set[str]:
    return {item.name for item in folder.iterdir()}


def test_every_writer_leaves_its_files_and_no_others(writer: Any) -> None:
    _, path, write = writer
    usual = path.with_name("usual")
    usual.touch()
    write(path)
    assert path.stat().st_size
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(usual.stat().st_mode)
    usual.unlink()
    assert not [name for name in names(path.parent) if "partial" in name]
    before = names(path.parent)
    write(path)
    assert names(path.parent) == before


def test_what_is_planted_beside_the_name_is_left_alone(writer: Any, tmp_path: Path) -> None:
    """The name that was once written to first, as a link to another file."""
    name, path, write = writer
    victim = tmp_path / "victim"
    victim.write_text("precious")
    planted = path.with_name(path.name + ".partial")
    planted.symlink_to(victim)
    with refusal(name):
        write(path)
    assert path.exists() != (name in STABLE)
    assert victim.read_text() == "precious"
    assert planted.is_symlink()


def test_a_pipe_and_a_folder_beside_the_name_hang_and_lose_nothing(writer: Any) -> None:
    name, path, write = writer
    planted = path.with_name(path.name + ".partial")
    for plant in (os.mkfifo, os.mkdir):
        plant(planted)
        with refusal(name):
            write(path)
        assert planted.exists()
        (Path.rmdir if planted.is_dir() else Path.unlink)(planted)
        path.unlink(missing_ok=True)


def test_a_link_is_replaced_and_not_written_through(writer: Any, tmp_path: Path) -> None:
    name, path, write = writer
    victim = tmp_path / "victim"
    victim.write_text("precious")
    if name not in READ_FIRST | {"checkpoint"}:
        path.symlink_to(victim)
        write(path)
        assert victim.read_text() == "precious"
        assert not path.is_symlink()
        assert path.is_file()
        path.unlink()
    path.symlink_to(tmp_path / "nothing")
    if name in READ_FIRST:  # a profile is trusted where it lies, and not where a link leads
        with pytest.raises(errors.InvalidInputError, match="symbolic link"):
            write(path)
        assert not (tmp_path / "nothing").exists()
        return
    write(path)
    assert not (tmp_path / "nothing").exists()
    assert not path.is_symlink()


@pytest.mark.parametrize("plant", [os.mkfifo, os.mkdir])
def test_a_pipe_or_folder_of_that_name_is_refused(writer: Any, plant: Callable[[Path], None]) -> None:
    name, path, write = writer
    if name in READ_FIRST and plant is os.mkfifo:
        pytest.skip("a profile is read first, and loading it is not this test's matter")
    plant(path)
    before = names(path.parent)
    # The command line refuses a folder itself, and who reads before he writes what he reads.
    with pytest.raises((errors.InvalidInputError, AssertionError), match=REFUSED):
        write(path)
    assert stat.S_IFMT(os.lstat(path).st_mode) in {stat.S_IFIFO, stat.S_IFDIR}
    if name not in {"record", "sidecar", "restarts"}:  # these have their data to keep
        assert names(path.parent) == before


REFUSED = r"it is a (pipe|folder)|is not a regular file|is a directory|machine profile"


def test_a_link_to_a_device_is_refused(folder: Path) -> None:
    (folder / "out").symlink_to("/dev/null")
    with pytest.raises(errors.InvalidInputError, match="a device"):
        write_file(folder / "out", b"x")
    for name in ("/dev/stdout", "/dev/null", "/dev/esoteric", "/proc/self/fd/1"):
        with pytest.raises(errors.InvalidInputError, match="the system's"):
            write_file(name, b"x")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    with pytest.raises(errors.InvalidInputError, match="null"):
        write_file(f"{folder}/a\0b", b"x")


@pytest.mark.parametrize("step", ["open", "fsync", "replace", "write"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_full_disk_or_a_read_only_folder(step: str, code: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "a"
    path.write_text("old")

    def fail(*_arguments: Any, **_options: Any) -> Any:
        raise OSError(code, os.strerror(code))

    def written() -> None:
        with replacing(path) as file:
            file.write(b"new")
            if step == "write":
                fail()

    expected = OSError if code == errno.EACCES and step in {"write", "fsync"} else errors.InvalidInputError
    with monkeypatch.context() as patch:
        if step != "write":
            patch.setattr(os, step, fail)
        with pytest.raises(expected) as caught:
            written()
    if expected is errors.InvalidInputError:
        assert str(caught.value) == f"{path}: cannot be written: {os.strerror(code)}"
    assert names(folder) == {"a"}
    assert path.read_text() == "old"


def test_a_really_full_disk(folder: Path) -> None:
    """The limit of a file's size fails as a full disk does, in the middle of the data."""
    code = (
        "import resource, signal, sys\n"
        "from esoteric_drbg.atomic_write import write_file\n"
        "from esoteric_drbg.errors import InvalidInputError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))\n"
        "try: write_file(sys.argv[1], bytes(100_000))\n"
        "except InvalidInputError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, folder / "a"], capture_output=True, text=True, check=True)
    assert done.stdout == f"{folder / 'a'}: cannot be written: {os.strerror(errno.EFBIG)}\n"
    assert names(folder) == set()


def test_no_folder_is_an_error(folder: Path) -> None:
    with pytest.raises(errors.InvalidInputError, match="gone/a: cannot be written: No such file"):
        write_file(folder / "gone" / "a", b"x")
    (folder / "file").touch()
    with pytest.raises(errors.InvalidInputError, match="cannot be written"):
        write_file(folder / "file" / "a", b"x")


def test_while_it_is_written_only_the_owner_may_read_it(folder: Path) -> None:
    mask = os.umask(0o027)
    try:
        with replacing(folder / "a") as file:
            assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) == 0o600
            assert not (folder / "a").exists()
            file.write(b"x")
        assert stat.S_IMODE((folder / "a").stat().st_mode) == 0o640
        write_file(folder / "b", b"x", mode=0o604)
        assert stat.S_IMODE((folder / "b").stat().st_mode) == 0o604
        with new_folder(folder / "c") as made:
            assert stat.S_IMODE(os.stat(made).st_mode) == 0o700
        assert stat.S_IMODE((folder / "c").stat().st_mode) == 0o750
    finally:
        os.umask(mask)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, RuntimeError, MemoryError])
def test_an_interrupt_leaves_what_was_there(error: type[BaseException], folder: Path) -> None:
    def half_a_file() -> None:
        with replacing(folder / "a") as file:
            file.write(b"half")
            raise error

    def half_a_folder() -> None:
        with new_folder(folder / "b") as made:
            Path(made, "half").write_text("half")
            raise error

    write_file(folder / "a", "old")
    for write in (half_a_file, half_a_folder):
        with pytest.raises(error):
            write()
    assert names(folder) == {"a"}
    assert (folder / "a").read_text() == "old"


def test_ctrl_c_in_the_middle_of_a_large_file(folder: Path) -> None:
    code = (
        "import sys, time\n"
        "from esoteric_drbg.atomic_write import replacing\n"
        "with replacing(sys.argv[1]) as file:\n"
        "    for _ in range(1000):\n"
        "        file.write(bytes(1 << 16)); print(flush=True); time.sleep(0.05)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, folder / "a"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    with process, process.stdout:
        for _ in range(3):
            process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.wait(60)
    assert names(folder) == set()


def test_two_writers_at_once(folder: Path) -> None:
    path = folder / "a"
    contents = [bytes([number]) * 50_000 for number in range(4)]
    write_file(path, contents[0])
    stop = threading.Event()
    failures: list[BaseException] = []

    def write(content: bytes) -> None:
        try:
            while not stop.is_set():
                write_file(path, content)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    found = [path.read_bytes() for _ in range(200)]
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures
    assert all(content in contents for content in found)
    assert names(folder) == {"a"}


# --- folders ---


def test_a_new_folder_appears_when_it_is_complete(folder: Path) -> None:
    target = folder / "deep" / "bundle"
    with new_folder(target) as made:
        Path(made, "a").write_text("x")
        assert not target.exists()
    assert (target / "a").read_text() == "x"
    assert names(folder / "deep") == {"bundle"}
    (folder / "empty").mkdir()
    with new_folder(folder / "empty") as made:
        Path(made, "a").write_text("x")
    assert names(folder / "empty") == {"a"}


def test_a_folder_is_never_lost(folder: Path) -> None:
    (folder / "full").mkdir()
    (folder / "full" / "kept").touch()
    (folder / "file").touch()
    (folder / "empty").mkdir()
    (folder / "link").symlink_to(folder / "empty")
    # What was once removed unasked.
    (folder / "new.partial").mkdir()
    (folder / "new.partial" / "kept").touch()
    before = names(folder)
    for name in ("full", "file", "link"):
        with pytest.raises(errors.InvalidInputError, match=f"{name}: cannot be written"), new_folder(folder / name):
            pass
        assert names(folder) == before
    with new_folder(folder / "new"):
        (folder / "late").mkdir()
    assert names(folder) == before | {"new", "late"}
    assert (folder / "full" / "kept").exists()
    assert (folder / "new.partial" / "kept").exists()
    assert (folder / "link").is_symlink()


def test_who_takes_the_name_of_a_folder_meanwhile_keeps_it(folder: Path) -> None:
    def taken() -> None:
        with new_folder(folder / "a"):
            (folder / "a").mkdir()
            (folder / "a" / "theirs").touch()

    with pytest.raises(errors.InvalidInputError, match="cannot be written"):
        taken()
    assert names(folder) == {"a"}
    assert names(folder / "a") == {"theirs"}


# --- recordings that go on ---


def test_a_resumable_file_is_our_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "a.partial"
    with resumable(path) as file:
        file.write(b"one")
    with resumable(path) as file:
        assert file.tell() == 3
        file.write(b"two")
    assert path.read_bytes() == read_own(path) == b"onetwo"
    (folder / "hard").hardlink_to(path)
    with pytest.raises(errors.InvalidInputError, match="another name"), resumable(path):
        pass
    with pytest.raises(errors.InvalidInputError, match="another name"):
        read_own(path)
    (folder / "hard").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: 12345)
        with pytest.raises(errors.InvalidInputError, match="another user"), resumable(path):
            pass
    place(path, folder / "a")
    assert names(folder) == {"a"}
    assert read_own(path) is None


def link(path: Path) -> None:
    path.with_name("victim").write_text("precious")
    path.symlink_to(path.with_name("victim"))


PLANTS: dict[str, Callable[[Path], None]] = {"link": link, "pipe": os.mkfifo, "folder": os.mkdir}


@pytest.mark.parametrize("plant", PLANTS)
@pytest.mark.parametrize("ending", [".partial", ".u64.partial", ".partial.json"])
@pytest.mark.parametrize("resume", [False, True])
def test_a_recording_refuses_what_is_planted(plant: str, ending: str, resume: bool, folder: Path) -> None:
    path = folder / "a.bin"
    if resume:

        def interrupt(done: int, _total: int, _step: str) -> None:
            if done == 2000:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            record(registry.create(SOURCE), 3000, path, wide=True, resume=True, progress=interrupt)
        (folder / ("a.bin" + ending)).unlink()
    PLANTS[plant](folder / ("a.bin" + ending))
    before = names(folder)
    if ending == ".partial.json" and plant == "link" and not resume:
        record(registry.create(SOURCE), 3000, path, wide=True)  # the plan is written anew, in place of the link
        assert path.stat().st_size == 3000
    else:
        with pytest.raises(errors.InvalidInputError, match=r"no file of ours to go on with|it is a (pipe|folder)"):
            record(registry.create(SOURCE), 3000, path, wide=True, resume=resume)
        assert before <= names(folder) | {"a.bin" + other for other in (".partial", ".u64.partial")}
        assert os.path.lexists(folder / ("a.bin" + ending))
    if plant == "link":
        assert (folder / "victim").read_text() == "precious"


@pytest.mark.parametrize("plant", PLANTS)
@pytest.mark.parametrize("ending", [".partial", ".partial.json"])
def test_a_restart_recording_refuses_what_is_planted(
    plant: str, ending: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_up(monkeypatch)
    PLANTS[plant](folder / ("r.bin" + ending))
    try:
        record_restarts(SOURCE, folder / "r.bin", restarts=2, samples=10)
    except errors.InvalidInputError:
        assert os.path.lexists(folder / ("r.bin" + ending))
        assert not (folder / "r.bin").exists()
    else:
        assert (ending, plant) == (".partial.json", "link")
    if plant == "link":
        assert (folder / "victim").read_text() == "precious"


def test_rows_without_a_plan_are_begun_anew_in_place(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made_up(monkeypatch)
    (folder / "r.bin.partial").write_bytes(b"x" * 25)
    record_restarts(SOURCE, folder / "r.bin", restarts=2, samples=10)
    assert (folder / "r.bin").read_bytes() == bytes(20)


def test_two_recordings_at_once(folder: Path) -> None:
    with resumable(folder / "a.bin.partial") as file:
        file.write(b"theirs")
        file.flush()
        with pytest.raises(errors.InvalidInputError, match="another recording is writing it"):
            record(registry.create(SOURCE), 1000, folder / "a.bin")
        with pytest.raises(errors.InvalidInputError, match="another recording is writing it"):
            record_restarts(SOURCE, folder / "a.bin", restarts=1, samples=1)
        assert (folder / "a.bin.partial").read_bytes() == b"theirs"
    record(registry.create(SOURCE), 1000, folder / "a.bin")
    assert names(folder) == {"a.bin", "a.bin.json"}


def test_a_marker_or_checkpoint_that_is_a_pipe_is_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "a")
    with pytest.raises(errors.InvalidInputError, match="no file of ours to go on with"):
        Checkpoint(folder / "a", {"seed": 1}).load()
