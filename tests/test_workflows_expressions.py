"""GitHub's expression language, by its documentation: literals, operators, coercion, functions, conditions."""

from __future__ import annotations

import math
from typing import Any

import pytest

from labs.workflows import values
from labs.workflows.errors import BadExpression
from labs.workflows.expressions import Scope, condition, evaluate, fill
from labs.workflows.functions import ALWAYS_THERE, hash_files

CONTEXTS: dict[str, Any] = {
    "github": {
        "event": {"pull_request": {"title": "it's $(date)"}},
        "ref": "refs/heads/main",
        "head_ref": "",
    },
    "env": {"Level": "3", "EMPTY": ""},
    "matrix": {"python": [3.11, 3.12]},
    "needs": {"a": {"result": "success"}, "b": {"result": "failure"}},
    "fruits": [{"name": "apple", "n": 1}, {"name": "orange"}, {}],
}


def scope(status: str = "success") -> Scope:
    said = {
        "success": lambda: status == "success",
        "failure": lambda: status == "failure",
        "always": lambda: True,
        "cancelled": lambda: False,
    }
    return Scope(CONTEXTS, {**ALWAYS_THERE, **said})


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("null", None),
        ("true", True),
        ("711", 711),
        ("-9.2", -9.2),
        ("0xff", 255),
        ("-2.99e-2", -0.0299),
        ("'It''s open source!'", "It's open source!"),
        ("github.event.pull_request.title", "it's $(date)"),
        ("GitHub['REF']", "refs/heads/main"),
        ("env.level", "3"),
        ("github.nothing.below.it", None),
        ("matrix.python[1]", 3.12),
        ("matrix.python[7]", None),
        ("'a' == 'A'", True),
        ("null == 0", True),
        ("null == ''", True),
        ("true == 1", True),
        ("'' == 0", True),
        ("'abc' == 0", False),
        ("'0x10' == 16", True),
        ("env.Level == 3", True),
        ("'b' > 'A'", True),
        ("2 >= 2 && 1 < 2", True),
        ("1 < 2 == true", True),
        ("!(1 == 2)", True),
        ("!!env.EMPTY", False),
        ("env.EMPTY || 'default'", "default"),
        ("github.head_ref && 'x' || 'y'", "y"),
        ("false && 1 || 2", 2),
        ("true || false && false", True),
        ("matrix.python == matrix.python", True),
        ("contains('Hello world', 'LLO')", True),
        ("contains(fromJSON('[\"push\", 5]'), '5')", True),
        ("contains(needs.*.result, 'failure')", True),
        ("join(fruits.*.name, ' and ')", "apple and orange"),
        ("join(fruits.*.n)", "1"),
        ("startsWith('Hello', 'he')", True),
        ("endsWith('Hello', 'LO')", True),
        ("format('{{{0}}} {1}', 'a', 2.50)", "{a} 2.5"),
        ("toJSON(fromJSON('{\"a\": [1, true]}'))", '{\n  "a": [\n    1,\n    true\n  ]\n}'),
        ("fromJSON('7')", 7),
    ],
)
def test_expressions_have_the_value_that_github_documents(expression: str, value: object) -> None:
    assert evaluate(expression, scope()) == value


@pytest.mark.parametrize(
    "expression",
    ["", "1 +", "nothing.here", "a b", "contains('x')", "unknown()", "'open", "(1", "x[", "a..b", "1 = 1"],
)
def test_wrong_expressions_are_said_to_be_wrong(expression: str) -> None:
    with pytest.raises(BadExpression):
        evaluate(expression, scope())


def test_nan_is_equal_to_nothing_and_false() -> None:
    assert math.isnan(values.number("abc"))
    assert not values.truthy(math.nan)
    assert not values.equal(math.nan, math.nan)


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (True, "true"), (3.0, "3"), (0.1, "0.1"), ([1], "Array"), ({"a": 1}, "Object"), ("x", "x")],
)
def test_values_as_texts(value: object, text: str) -> None:
    assert values.text(value) == text


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("plain", "plain"),
        (5, 5),
        ("${{ matrix.python }}", [3.11, 3.12]),
        ("v${{ env.Level }}-${{ null }}!", "v3-!"),
        ("${{ '}}' }}", "}}"),
        (["${{ 1 }}", {"a": "${{ env.Level }}"}], [1, {"a": "3"}]),
    ],
)
def test_templates(template: object, value: object) -> None:
    assert fill(template, scope()) == value


def test_a_template_without_an_end_is_wrong() -> None:
    with pytest.raises(BadExpression):
        fill("${{ 'a' ", scope())


@pytest.mark.parametrize(
    ("written", "after_success", "after_failure"),
    [
        (None, True, False),
        ("env.Level == 3", True, False),
        ("${{ env.Level == 4 }}", False, False),
        ("always()", True, True),
        ("${{ always() && env.Level == 3 }}", True, True),
        ("failure()", False, True),
        ("!cancelled()", True, True),
        ("'always()' == 'x' || true", True, False),  # a status function inside of a text is none
        ("${{ env.Level }} == '4'", True, False),  # a text around an expression: always a true text
        (False, False, False),
        ("false", False, False),
        ("'false'", True, False),
    ],
)
def test_conditions_ask_for_success_unless_they_ask_for_a_status(
    written: object, after_success: bool, after_failure: bool
) -> None:
    assert condition(written, scope("success")) is after_success
    assert condition(written, scope("failure")) is after_failure


def test_hash_files_depends_on_content_and_choice() -> None:
    files = {"a.lock": b"1", "sub/b.lock": b"2", "c.txt": b"3"}
    one = hash_files(list(files), files.get, "**/*.lock")
    assert len(one) == 64
    assert one == hash_files(list(files), files.get, "a.lock\nsub/*.lock")
    assert one != hash_files(list(files), files.get, "*.lock")
    assert one != hash_files(list(files), {**files, "a.lock": b"9"}.get, "**/*.lock")
    assert hash_files(list(files), files.get, "**/*.lock", "!sub/**") == hash_files(
        list(files), files.get, "a.lock"
    )
    assert hash_files(list(files), files.get, "nothing") == ""


@pytest.mark.parametrize(
    "expression",
    [
        "format('"
        + "{0}" * 300
        + "', format('"
        + "{0}" * 300
        + "', format('"
        + "{0}" * 300
        + "', 'abcdefghijkl')))",
        "(" * 200 + "1" + ")" * 200,
        "!" * 500 + "1",
        "1 " * 20_000,
    ],
)
def test_hostile_expressions_end_soon(expression: str) -> None:
    with pytest.raises(BadExpression):
        evaluate(expression, scope())
