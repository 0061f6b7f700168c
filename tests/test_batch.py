"""Many files on processes and on a dask cluster; lost workers."""

from __future__ import annotations

import functools
import os
import signal
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from esoteric_drbg.conformance.batch import assess_files
from esoteric_drbg.conformance.cluster import connected
from esoteric_drbg.conformance.documents import non_iid_document
from esoteric_drbg.conformance.non_iid import assess_non_iid
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


@pytest.mark.filterwarnings("ignore")  # of dask's own
def test_a_dask_cluster_gives_the_same_and_survives_a_lost_worker(tmp_path: Path, files: list[Path]) -> None:
    distributed = pytest.importorskip("distributed")
    paths = [tmp_path / f"noise{number}.bin" for number in range(4)]
    for number, path in enumerate(paths):
        np.random.default_rng(number).integers(0, 256, 3000).astype(np.uint8).tofile(path)
    assess = functools.partial(
        non_iid_document,
        bits=None,
        conditioned=False,
        bitstring="all",
        subset=None,
        data_format="auto",
        column=None,
        reduction=None,
        quick=None,
        threads=1,
    )
    local = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1", protocol="tcp"
    )
    with local as cluster, connected(cluster.scheduler_address) as executor:
        assert assess_files(assess, paths, executor=executor) == assess_files(assess, paths, jobs=1)
        assert assess_files(_die_once, files, executor=executor) == [0, 1, 2, 3, 4]
        assert (files[2].with_suffix(".died")).exists()


def test_a_scheduler_that_does_not_answer_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("esoteric_drbg.conformance.cluster.CONNECT_TIMEOUT_S", 0.5)
    with pytest.raises(InvalidInputError, match="scheduler"), connected("tcp://127.0.0.1:9"):
        pass
