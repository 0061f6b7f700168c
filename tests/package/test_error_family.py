"""Every error that this package raises on its own account is of its family; the exceptions are listed with reasons."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from places import ROOT

import esoteric_drbg
from esoteric_drbg import errors

PACKAGES = ("drbg", "noise_sources", "health_tests", "kernels", "conformance", "cli")
FAMILY = set(errors.__all__)
#: No number.
WORD: Any = "x"

#: By the beginning of a path and name, why an exception of another family is raised there.
OTHERS = {
    ("drbg/__main__.py", "SystemExit"): "the command's exit code",
    ("cli/", "SystemExit"): "the command's exit code",
    ("cli/", "click.exceptions.Exit"): "the command's exit code",
    ("cli/", "click.BadParameter"): "click's own word for an option, exit code 2",
    ("cli/", "click.UsageError"): "click's own word for options together, exit code 2",
    ("cli/interrupts.py", "KeyboardInterrupt"): "Ctrl-C",
    ("noise_sources/restart_worker.py", "SystemExit"): "the exit code of a process",
    ("drbg/adapters/secrets_api.py", "AttributeError"): "Python's protocol of __getattr__",
    ("drbg/lazy.py", "AttributeError"): "Python's protocol of __getattr__",
    ("noise_sources/info.py", "AttributeError"): "Python's protocol of descriptors",
    ("drbg/frozen.py", "TypeError"): "Python's word for a call with wrong argument names",
    ("drbg/frozen.py", "_frozen_error"): "attrs' word, an AttributeError, for an attribute that cannot be set",
    ("drbg/adapters/secrets_api.py", "NotImplementedError"): "random.SystemRandom's word for getstate and setstate",
    ("kernels/reference/hash_drbg.py", "OverflowError"): "what secrets.token_bytes raises for a length beyond memory",
    ("noise_sources/", "OSError"): "a device's failure within a read, told as SourceReadError by the read",
    ("noise_sources/", "TimeoutError"): "a peer's silence within a read, told as SourceReadError by the read",
}
#: By path and expression, what raises again what something else raised, or what a function returned for it.
AGAIN = {
    ("drbg/adapters/secrets_api.py", "_reason"): "KernelUnavailableError, from the import",
    ("drbg/extras.py", "or_its_extra"): "MissingExtraError, or what Python raised for a package that no extra has",
    ("drbg/lazy.py", "or_its_extra"): "MissingExtraError, or what Python raised for a package that no extra has",
    ("kernels/table.py", "or_its_extra"): "MissingExtraError, or what Python raised for a package that no extra has",
    ("kernels/reference/mechanisms.py", "or_its_extra"): "MissingExtraError",
    ("kernels/reference/bit_generator.py", "failure"): "what seeding raised",
    ("noise_sources/intake.py", "fault.error"): "the family's error that a source raised",
    ("noise_sources/sensors/sensor.py", "block"): "what the device's thread raised; the read tells it",
    ("conformance/audit/plan.py", "outcome"): "the family's error that a thread raised",
    ("conformance/recording/simultaneous.py", "outcome"): "what a reader's thread raised",
    ("conformance/execution/parallel.py", "error"): "what a task raised",
    ("conformance/execution/workers.py", "error"): "what a call raised",
}


def raised(tree: ast.Module) -> Iterator[str]:
    """Names of what is raised, except what is of the family or made by a function that returns an error of it."""
    makers = {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.returns is not None and ast.unparse(node.returns) in FAMILY
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Raise) or node.exc is None:
            continue
        name = ast.unparse(node.exc.func if isinstance(node.exc, ast.Call) else node.exc)
        last = name.rpartition(".")[2]
        if last not in FAMILY and not (isinstance(node.exc, ast.Call) and last in makers):
            yield name


def excused(path: str, name: str) -> tuple[str, str] | None:
    """The entry of a list that allows it."""
    if (path, name) in AGAIN:
        return path, name
    return next((key for key in OTHERS if path.startswith(key[0]) and name == key[1]), None)


def test_everything_raised_is_of_the_family_or_listed_with_its_reason() -> None:
    found, used = [], set()
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            path = str(file.relative_to(ROOT))
            for name in raised(ast.parse(Path(file).read_text())):
                entry = excused(path, name)
                used.add(entry)
                if entry is None:
                    found.append(f"{path}: {name}")
    assert found == []
    assert {*OTHERS, *AGAIN} - used == set()  # no reason without a case


@pytest.mark.parametrize("line", ["raise ValueError('x')", "raise RuntimeError", "raise made()", "raise error"])
def test_the_search_finds_other_families(line: str) -> None:
    assert list(raised(ast.parse(line)))
    with_maker = list(raised(ast.parse(f"def made() -> InvalidInputError: ...\n{line}")))
    assert bool(with_maker) != ("made" in line)


def test_every_error_has_the_base_and_is_public() -> None:
    for name in errors.__all__:
        assert issubclass(getattr(errors, name), errors.EsotericDRBGError)
    public = {name for name in esoteric_drbg.__all__ if name.endswith("Error")}
    assert public == FAMILY - {"ForkedStateError"}


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: esoteric_drbg.randbelow(0), "Upper bound must be positive."),
        (lambda: esoteric_drbg.randbits(-1), "number of bits must be non-negative"),
        (lambda: esoteric_drbg.EntropyPool().get_entropy(WORD), "bits='x': ask for at least 1 bit of min-entropy"),
        (lambda: esoteric_drbg.EntropyPool(deadline_s=WORD), "deadline_s=x: expected a positive number of seconds"),
    ],
)
def test_bad_arguments_are_errors_of_the_family(call: Callable[[], object], words: str) -> None:
    with pytest.raises(errors.InvalidInputError) as caught:
        call()
    assert str(caught.value) == words
