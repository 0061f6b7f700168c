"""Documents: one walk writes what a class holds, and reading gives it back or says what is wrong."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
from places import ROOT

from esoteric_drbg import errors
from esoteric_drbg.conformance import assess_iid, assess_non_iid, assess_restart
from esoteric_drbg.conformance.document_files import contradictions, from_document, read_document
from esoteric_drbg.conformance.documents import to_document
from esoteric_drbg.conformance.iid.assessment import IidAssessment
from esoteric_drbg.conformance.restart.assessment import RestartAssessment

SYMBOLS = bytes(range(16)) * 40


def test_what_is_read_is_what_was_written() -> None:
    for result in (
        assess_iid(SYMBOLS, seed=1, permutations=100),
        assess_restart(SYMBOLS, 3.0, bits=4, rows=16, columns=40),
    ):
        kept = json.loads(json.dumps(result.as_dict(), allow_nan=False))
        assert from_document(type(result), kept, "kept") == result
        assert contradictions(result, kept) == []
        assert result.as_dict() == kept


def test_the_order_of_fields_is_kept() -> None:
    names = list(assess_iid(SYMBOLS, seed=1, permutations=100).as_dict())
    assert (names[0], names[-1]) == ("passed", "false_alarms")
    assert list(assess_restart(SYMBOLS, 3.0, bits=4, rows=16, columns=40).as_dict())[-1] == "passed"
    assert to_document(assess_non_iid(SYMBOLS)) == assess_non_iid(SYMBOLS).as_dict()


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    path = tmp_path / "restart.json"
    whole = assess_restart(SYMBOLS, 3.0, bits=4, rows=16, columns=40).as_dict()
    for change, words in (
        ({"rows": "many"}, "rows: Expected `int`, got `str`"),
        ({"rows": 1.5}, "rows: Expected `int`, got `float`"),
        ({"failing": [{"line": "row"}]}, "failing[0]: Object missing required field `index`"),
        ({"passed": not whole["passed"]}, f"passed is {not whole['passed']}, its fields give {whole['passed']}"),
    ):
        path.write_text(json.dumps({**whole, **change}))
        with pytest.raises(errors.InvalidInputError) as caught:
            read_document(path, RestartAssessment, "a restart assessment")
        assert str(caught.value) == f"{path}: not a restart assessment: {words}"
    for text in ("", "{", "[]", "\udc80", "[" * 100_000):
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        with pytest.raises(errors.InvalidInputError, match=r"restart\.json: "):
            read_document(path, RestartAssessment, "a restart assessment")
    nested = assess_iid(SYMBOLS, seed=1, permutations=100).as_dict()
    nested["independence"]["passed"] = None
    value = from_document(IidAssessment, nested, "kept")
    assert contradictions(value, nested) == [
        f"independence: passed is None, its fields give {value.independence.passed}"
    ]


def test_documents_are_made_in_one_place() -> None:
    """No result converts itself by hand: :class:`Document` does."""
    found = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "conformance").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name == "as_dict"
    ]
    assert found.count("conformance/documents.py") == 1
    assert set(found) <= {"conformance/documents.py", "conformance/audit/self_assessment.py"}  # which leaves one out
