"""Modules under their names of version 0.1, which work for one more release with a DeprecationWarning.

The names in a package's ``__init__`` are public; the places of its modules may change.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

__all__ = ["install", "moved_modules"]

#: The moved modules by old and new package, with their new names where those differ.
_ROOMS = {
    ("", "mechanisms"): "ctr_drbg hash_drbg hmac_drbg known_answers mechanism=base mechanism_limits=limits self_test",
    ("", "seeding"): "credit gate ledger machine_profile plugin_credit pool slot",
    ("", "rbg"): "chain=rbgc instance=rbg2 profiles",
    ("", "adapters"): "bit_generator byte_source secrets_api streams",
    ("", "process"): "forks vm_generation",
    ("kernels.reference", "kernels.fallback"): "rdseed timing",
    ("noise_sources", "noise_sources"): "one_by_one=one_at_a_time",
    ("noise_sources", "noise_sources.timing"): (
        "clock_jitter counter_beat cpu_jitter disk_io dram_refresh mach_timing memory_timing "
        "page_fault_timing sleep_jitter thread_lifecycle timed"
    ),
    (
        "noise_sources",
        "noise_sources.counters",
    ): ("counter_files counter_source darwin interrupts process_table sysctl_counters vmstat"),
    ("noise_sources", "noise_sources.network"): "dns_timing tcp_connect",
    ("noise_sources", "noise_sources.sensors"): "audio_thermal bluetooth_ble camera_shot_noise gpu_timing sensor",
    ("noise_sources", "noise_sources.conditioned"): "hwrng rdseed tpm2 tpm_transport",
    (
        "conformance",
        "conformance.samples",
    ): ("array_files number_files private_copies reduction sample_files=files transpose"),
    ("conformance", "conformance.entropy"): "bounds conditioning_entropy estimates estimators non_iid",
    ("conformance", "conformance.iid"): (
        "iid_assessment=assessment iid_chi_square=chi_square iid_lrs=lrs iid_permutation=permutation multiplicity"
    ),
    ("conformance", "conformance.restart"): "restart_cutoff=cutoff restart_matrix=matrix",
    ("conformance", "conformance.recording"): "simultaneous",
    ("conformance", "conformance.faults"): "fault_models=models health_plan health_simulation induced_failures",
    ("conformance", "conformance.audit"): "audit_plan=plan independence independence_picture self_assessment",
    ("conformance", "conformance.report"): (
        "report_markdown=markdown report_page=page report_pictures=pictures report_svg=svg"
    ),
    ("conformance", "conformance.esv"): "esv_bundle=bundle esv_documents=documents esv_lint=lint esv_rules=rules",
    ("conformance", "conformance.vectors"): "acvp cavp drbg_cases=cases",
    ("conformance", "conformance.execution"): "batch cluster parallel workers",
    ("conformance", "benchmarks"): "drbg_speed",
}


def moved_modules() -> dict[str, str]:
    """Return the new full name of every moved module, by the old one."""
    found = {}
    for (old, new), modules in _ROOMS.items():
        for module in modules.split():
            before, _, after = module.partition("=")
            found[".".join(filter(None, ("esoteric_drbg", old, before)))] = f"esoteric_drbg.{new}.{after or before}"
    return found


class _Moved:
    """Finder and loader of old names; it stands last in ``sys.meta_path``."""

    def __init__(self) -> None:
        self._new = moved_modules()

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in self._new:
            return None
        warnings.warn(f"{fullname} is {self._new[fullname]} now", DeprecationWarning, stacklevel=2)
        from importlib.machinery import ModuleSpec  # noqa: PLC0415 - loaded only for an old name

        return ModuleSpec(fullname, self)  # type: ignore[arg-type]  # a Loader without its costly base class

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(self._new[spec.name])
        if spec.name == "esoteric_drbg.pool":  # whose pools make instances
            importlib.import_module("esoteric_drbg.rbg.rbg2")
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        # The module is loaded already; restore its spec, which the import system replaced under the old name.
        if module.__spec__ is not None:
            module.__spec__ = module.__spec__.loader_state


def install() -> None:
    """Make the old names importable."""
    if not any(isinstance(finder, _Moved) for finder in sys.meta_path):
        sys.meta_path.append(_Moved())
