"""``esoteric-drbg info``: what runs here."""

from __future__ import annotations

import platform
from typing import Any

import click

from esoteric_drbg.cli.output import console, emit_json, json_option
from esoteric_drbg.kernels import kernel_info
from esoteric_drbg.kernels.secret_memory import secret_memory
from esoteric_drbg.kernels.selection import refused_paths
from esoteric_drbg.noise_sources import registry
from esoteric_drbg.rbg.profiles import SP800_90C
from esoteric_drbg.version import __version__

__all__ = ["info"]


def collect_info() -> dict[str, Any]:
    """Return version, kernels, platform and the validation status of the package as plain values."""
    kernels = kernel_info()
    return {
        "version": __version__,
        "kernels": kernels.name,
        "kernels_reason": kernels.reason,
        "cpu_features": kernels.features,
        "refused_paths": refused_paths(),
        "secret_memory": secret_memory().describe(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "mechanism": "Hash_DRBG SHA-256 (SP 800-90A 10.1.1)",
        "conditioning": "Hash_df SHA-256 (SP 800-90A 10.3.1)",
        "construction": "RBG2(NP) (SP 800-90C)",
        "default_profile": SP800_90C.name,
        "seed_output_bits": SP800_90C.seed_output_bits,
        "sources": registry.names(),
        "standing": "designed to SP 800-90A/B/C; not validated, no certificate",
    }


@click.command()
@json_option
def info(as_json: bool) -> None:
    """Say which version and which kernels run, on what, and what is not claimed."""
    facts = collect_info()
    if as_json:
        emit_json(facts)
        return
    out = console()
    width = max(len(key) for key in facts)
    for key, value in facts.items():
        text = ", ".join(value) or "none" if isinstance(value, list) else str(value)
        out.print(f"{key.replace('_', ' '):<{width}}  {text}", markup=False)
