"""Hostile plug-ins, installed as a user installs them, under every command: no crash, no hang, no sample shown."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hostile import ANSWERS, READS, shown
from places import TESTS

from esoteric_drbg.noise_sources import registry

PLUGIN = """
import sys
from hostile import SECRET, Hostile


class Source(Hostile):
    info = Hostile.info.replace(name={name!r}, estimated_rate=1e6)

    def __init__(self):
        super().__init__(read={read!r}, answer={answer!r}, good={good})

    def read_raw(self, n_samples, *, deadline_s=None):
        if "restart_worker" in sys.argv[0]:
            print(SECRET.hex(), file=sys.stderr)
        return super().read_raw(n_samples)
"""

#: One plug-in for each fault, and one that works for some reads.
PLUGINS = {
    **{f"read_{number}": (name, "", 0) for number, name in enumerate(READS)},
    **{f"answer_{number}": ("", name, 0) for number, name in enumerate(ANSWERS)},
    "later_exit": ("SystemExit", "", 1),
    "later_text": ("str", "", 1),
}
COMMANDS = [
    ["scan"],
    ["scan", "--json"],
    ["bench", "--fast", "--all"],
    ["pool", "--json"],
    ["probe", "read_0"],
    ["probe", "later_exit"],
    ["record", "read_2", "-n", "2000"],
    ["record", "later_text", "-n", "2000"],
    ["record", "read_21", "-n", "2000", "--restarts", "2"],
    ["audit", "read_2", "--quick"],
    ["audit", "later_exit", "--quick"],
    ["audit", "independence", "read_2", "read_3"],
    ["audit", "faults", "read_2"],
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an installed package of hostile sources."""
    folder = tmp_path_factory.mktemp("site")
    lines = ["[esoteric_drbg.noise_sources]"]
    for name, (read, answer, good) in PLUGINS.items():
        (folder / f"plug_{name}.py").write_text(PLUGIN.format(name=name, read=read, answer=answer, good=good))
        lines.append(f"{name} = plug_{name}:Source")
    info = folder / "hostile_plugins-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hostile-plugins\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return folder


def run(site: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(site), str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run(
        [sys.executable, "-m", "esoteric_drbg", *arguments],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**os.environ, "PYTHONPATH": path, "PYTHONWARNINGS": "error"},
        cwd=cwd,
    )


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_command_crashes_or_shows_a_sample(site: Path, command: list[str], tmp_path: Path) -> None:
    done = run(site, *command, cwd=tmp_path)
    text = done.stdout + done.stderr
    assert "Traceback" not in text
    assert not shown(text)
    works = command[0] in {"scan", "bench", "pool"} or command == [
        "probe",
        "later_exit",
    ]  # its first read is a good one
    assert done.returncode == (0 if works else 2), text
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or not shown(path.read_text(encoding="latin-1")) or path.suffix == ".partial"


def test_plugins_are_listed_with_their_reasons_and_earn_nothing(site: Path, tmp_path: Path) -> None:
    report = json.loads(run(site, "scan", "--json", cwd=tmp_path).stdout)
    rows = {row["name"]: row for row in report["sources"]}
    assert set(PLUGINS) | set(registry.BUILT_IN) == set(rows)
    for name in PLUGINS:
        assert rows[name]["fault"] or rows[name]["reason"] or name.startswith("later"), name
        assert rows[name]["credited_bits"] == 0
    assert rows["memory_timing"]["state"] == "HEALTHY"
    seeded = json.loads(run(site, "pool", "--json", cwd=tmp_path).stdout)
    entries = (seeded.get("health") or seeded)["last_seed"]["entries"]
    assert {entry["source"] for entry in entries if entry["credited_bits"]} <= set(registry.SEEDING)
