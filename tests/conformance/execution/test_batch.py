"""Many files on processes and on a dask cluster; lost workers."""

from __future__ import annotations

import functools
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from esoteric_drbg.conformance.entropy.file_assessment import non_iid_document
from esoteric_drbg.conformance.entropy.non_iid import assess_non_iid
from esoteric_drbg.conformance.execution.batch import ATTEMPTS, assess_files, shares
from esoteric_drbg.conformance.execution.cluster import connected
from esoteric_drbg.conformance.execution.parallel import usable_processors
from esoteric_drbg.conformance.iid.file_assessment import iid_document
from esoteric_drbg.errors import EsotericDRBGError, InvalidInputError


def _size(path: Path) -> int:
    if not path.exists():
        raise InvalidInputError(f"{path}: missing")
    return path.stat().st_size


def _die_once(path: Path) -> int:
    """Kill this worker at the first call for the file named victim."""
    if path.name == "victim":
        marker = path.with_suffix(".died")
        if not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.05)
    return path.stat().st_size


def _always_die(_path: Path) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / name for name in ("a", "b", "victim", "c", "d")]
    for size, path in enumerate(paths):
        path.write_bytes(bytes(size))
    return paths


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_come_in_order_and_errors_in_their_place(files: list[Path], jobs: int) -> None:
    steps: list[tuple[int, int, str]] = []
    found = assess_files(_size, [*files, Path("/nowhere")], jobs=jobs, progress=lambda *step: steps.append(step))
    assert found[:-1] == [0, 1, 2, 3, 4]
    assert isinstance(found[-1], InvalidInputError)
    assert [step[:2] for step in steps] == [(done, 6) for done in range(1, 7)]


def _count(path: Path) -> int:
    """Note each call beside the file; die at the first for the victim."""
    with path.with_suffix(".calls").open("a") as calls:
        calls.write("called\n")
    return _die_once(path)


def test_only_what_a_lost_process_was_at_is_done_again(files: list[Path]) -> None:
    assert assess_files(_count, files, jobs=2) == [0, 1, 2, 3, 4]
    calls = {path.stem: path.with_suffix(".calls").read_text().count("called") for path in files}
    assert calls == {"a": 1, "b": 1, "victim": 2, "c": 1, "d": 1}


def _slow_first(path: Path) -> str:
    """Let the others be faster than the first."""
    if path.name == "a":
        until = time.monotonic() + 60
        while not path.with_name("c.done").exists() and time.monotonic() < until:
            time.sleep(0.01)
    path.with_name(f"{path.name}.done").touch()
    return path.name


@pytest.mark.parametrize("pool", [False, True])
def test_results_are_delivered_in_order_as_soon_as_they_can_be(files: list[Path], pool: bool) -> None:
    came: list[str] = []
    delivered: list[str] = []

    def deliver(path: Path, result: str | EsotericDRBGError) -> None:
        assert result == path.name
        delivered.append(f"{path.name} after {len(came)}")

    def progress(_done: int, _total: int, name: str) -> None:
        came.append(name)

    executor = ThreadPoolExecutor(2) if pool else None
    assess_files(_slow_first, files, jobs=2, executor=executor, progress=progress, deliver=deliver)
    assert came.index("a") >= 2  # c has left its mark, and may be on its way
    assert [name.split()[0] for name in delivered] == ["a", "b", "victim", "c", "d"]
    assert delivered[0] == f"a after {came.index('a') + 1}"


def _die_over_the_victim(path: Path) -> int:
    if path.name == "victim":
        os.kill(os.getpid(), signal.SIGKILL)
    return path.stat().st_size


def test_a_file_that_kills_its_workers_leaves_the_others_alone(files: list[Path]) -> None:
    found = assess_files(_die_over_the_victim, files, jobs=2)
    assert [*found[:2], *found[3:]] == [0, 1, 3, 4]
    assert isinstance(found[2], EsotericDRBGError)
    assert f"{ATTEMPTS} workers died" in str(found[2])


def _fail(path: Path) -> int:
    raise ZeroDivisionError(path.name)


def _unsendable(_path: Path) -> object:
    return lambda: None


def test_an_error_that_is_not_ours_is_raised_here_and_says_where(files: list[Path]) -> None:
    with pytest.raises(ZeroDivisionError) as found:
        assess_files(_fail, files[:2], jobs=2)
    assert "in _fail" in found.value.__notes__[0]
    with pytest.raises(TypeError, match="cannot be sent"):
        assess_files(_unsendable, files[:2], jobs=2)
    assert multiprocessing.active_children() == []


def _sleep(path: Path) -> int:
    path.with_suffix(".pid").write_text(str(os.getpid()))
    time.sleep(300)
    return 0


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_workers_end_with_a_parent_that_is_killed(files: list[Path]) -> None:
    here = Path(__file__)
    code = (
        f"import sys; sys.path.insert(0, {str(here.parent)!r})\n"
        "from pathlib import Path\n"
        f"from {here.stem} import _sleep, assess_files\n"
        f"if __name__ == '__main__': assess_files(_sleep, [Path(name) for name in sys.argv[1:]], jobs=2)\n"
    )
    program = files[0].with_name("program.py")
    program.write_text(code)
    process = subprocess.Popen([sys.executable, str(program), *map(str, files[:2])])
    notes = [path.with_suffix(".pid") for path in files[:2]]
    until = time.monotonic() + 60
    while not all(note.exists() and note.read_text() for note in notes) and time.monotonic() < until:
        time.sleep(0.02)
    workers = [Path("/proc", note.read_text()) for note in notes]
    assert all(worker.exists() for worker in workers)
    process.kill()
    process.wait()
    while any(worker.exists() for worker in workers) and time.monotonic() < until:
        time.sleep(0.02)
    assert not any(worker.exists() for worker in workers)


def test_threads_are_shared_out() -> None:
    assert [shares(*case) for case in ((100, 8), (3, 8), (8, 8), (2, 1), (1, 6), (0, 4))] == [
        (8, 1),
        (3, 2),
        (8, 1),
        (1, 1),
        (1, 6),
        (1, 4),
    ]
    processes, threads = shares(1000)
    assert processes == usable_processors()
    assert threads == 1
    with pytest.raises(InvalidInputError, match="jobs=0"):
        shares(2, 0)


def test_what_a_lost_process_was_at_is_done_again(files: list[Path]) -> None:
    assert assess_files(_die_once, files, jobs=2) == [0, 1, 2, 3, 4]
    assert (files[2].with_suffix(".died")).exists()


def test_processes_that_keep_dying_end_with_an_error(files: list[Path]) -> None:
    found = assess_files(_always_die, files[:2], jobs=2)
    assert [type(error) for error in found] == [EsotericDRBGError] * 2
    assert all(str(error).startswith(f"{path}: not assessed") for error, path in zip(found, files[:2], strict=True))
    assert "SIGKILL" in str(found[0])


def test_every_executor_gives_the_same() -> None:
    samples = np.random.default_rng(2).integers(0, 64, 5000).astype(np.uint8)
    here = assess_non_iid(samples)
    with ThreadPoolExecutor(2) as threads:
        assert assess_non_iid(samples, executor=threads) == here
    with ProcessPoolExecutor(1) as processes:
        assert assess_non_iid(samples, executor=processes) == here


def _iid_after_a_death(path: Path) -> dict[str, Any]:
    _die_once(path)
    return iid_document(path, seed=6, permutations=200, threads=1)


def test_a_lost_process_changes_no_result(files: list[Path]) -> None:
    for number, path in enumerate(files):
        np.random.default_rng(number).integers(0, 8, 2000).astype(np.uint8).tofile(path)
    found = assess_files(_iid_after_a_death, files, jobs=2)
    assert files[2].with_suffix(".died").exists()
    assert found == [iid_document(path, seed=6, permutations=200) for path in files]


@pytest.mark.filterwarnings("ignore")  # of dask's own
def test_a_dask_cluster_gives_the_same_and_survives_a_lost_worker(tmp_path: Path, files: list[Path]) -> None:
    distributed = pytest.importorskip("distributed")
    paths = [tmp_path / f"noise{number}.bin" for number in range(4)]
    for number, path in enumerate(paths):
        np.random.default_rng(number).integers(0, 256, 3000).astype(np.uint8).tofile(path)
    non_iid = functools.partial(non_iid_document, threads=1)
    iid = functools.partial(iid_document, seed=5, permutations=200, threads=1)
    local = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1", protocol="tcp"
    )
    with local as cluster, connected(cluster.scheduler_address) as executor:
        for assess in (non_iid, iid):
            assert assess_files(assess, paths, executor=executor) == assess_files(assess, paths, jobs=1)
        assert assess_files(_die_once, files, executor=executor) == [0, 1, 2, 3, 4]
        assert (files[2].with_suffix(".died")).exists()


def test_a_scheduler_that_does_not_answer_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("esoteric_drbg.conformance.execution.cluster.CONNECT_TIMEOUT_S", 0.5)
    with pytest.raises(InvalidInputError, match="scheduler"), connected("tcp://127.0.0.1:9"):
        pass
