"""Where things lie: the repository, its documentation, and what the tests read."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent
GOLDEN = TESTS / "golden"
DOCS = ROOT / "docs"
SCHEMAS = DOCS / "schemas"
