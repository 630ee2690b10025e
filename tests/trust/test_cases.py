"""The list of known failures has 41 cases; here it is checked that each of them is tested."""

from __future__ import annotations

import ast
from pathlib import Path

CASES = 41


def test_every_case_has_a_test():
    found: set[int] = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "case":
                found.update(argument.value for argument in node.args)

    assert found == set(range(1, CASES + 1))
