"""Advice on raw errors: real errors, raised here by this very Python, get the step that helps."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from labs.advice import SPECIAL, TABLE, next_step

NONE = None
THREE = 3


def _shadowed(tmp_path: Path, name: str, body: str, code: str) -> tuple[str, str]:
    """The error of `code` in a folder that holds a file called `name`."""
    (tmp_path / name).write_text(body)
    script = f"try:\n {code}\nexcept Exception as e:\n import sys; sys.stdout.write(type(e).__name__ + '|' + str(e))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    kind, _, message = done.stdout.partition("|")
    return kind, message


def _raise(error: BaseException) -> None:
    raise error


def _two(a: int, b: int) -> int:
    return a + b


def _unbound() -> None:
    x += 1  # noqa: F821, F841


def _deep() -> None:
    _deep()


REAL: list[tuple[Callable[[], object], str]] = [
    (lambda: __import__("nukkad_missing"), "Compare `nukkad_missing` with the names of your files"),
    (lambda: compile("if x\n", "app.py", "exec"), "Put a colon"),
    (lambda: compile("f(1\n", "app.py", "exec"), "Close the `(`"),
    (lambda: compile("x = 'a\n", "app.py", "exec"), "Close the quotation mark"),
    (lambda: compile("if x = 1: pass\n", "app.py", "exec"), "Compare with `==`"),
    (lambda: compile("def f():\npass\n", "app.py", "exec"), "Look at the spaces"),
    (lambda: eval("nukkad"), "Define or import `nukkad`"),
    (_unbound, "Give `x` a value on every path"),
    (lambda: _two(1), "Compare the parameters of `_two`"),
    (lambda: _two(1, 2, 3), "Compare the parameters of `_two`"),
    (lambda: _two(1, 2, c=3), "Compare the parameters of `_two`"),
    (lambda: NONE[0], "Find out why a value is None"),
    (lambda: NONE + 1, "Find out why a value is None"),
    (lambda: NONE < 1, "Find out why a value is None"),
    (lambda: len(NONE), "Find out why a value is None"),
    (lambda: NONE.strip(), "Find out why a value is None"),
    (lambda: json.dumps({1, 2}), "Turn the set into plain data"),
    (lambda: 1 + "a", "Print the types on both sides"),
    (lambda: "a" < 1, "Print the types on both sides"),
    (lambda: THREE(), "it is of type int. A name hides"),
    (lambda: THREE[0], "it is of type int, not a list"),
    (lambda: {[]: 1}, "cannot be a key"),
    (lambda: {"a": 1}["b"], "'b' is not one of them"),
    (lambda: "".nukkad, "a str has no `nukkad`"),
    (lambda: json.nukkad, "Look up how `json` spells `nukkad`"),
    (lambda: [1][THREE], "Print the length"),
    (lambda: json.loads(""), "Print what is parsed"),
    (lambda: json.loads("{}\n{}"), "Read one JSON value from each line"),
    (lambda: json.loads("\ufeff{}"), "utf-8-sig"),
    (lambda: b"\xff".decode(), "Name the encoding"),
    (lambda: float("a"), "text that is no number"),
    (lambda: int("a"), "text that is no number"),
    (lambda: next(iter([])), "second argument"),
    (lambda: exec("a, b = [1]"), "Count the names"),
    (lambda: __import__("math").log(-1), "Guard the logarithm"),
    (lambda: 1 / 0, "nothing to divide by"),
    (lambda: open("/nukkad/missing"), "Print the path"),  # noqa: SIM115
    (lambda: open("/"), "Give the name of a file"),  # noqa: SIM115
    (_deep, "leads back to itself"),
    (lambda: _raise(PermissionError(13, "Permission denied")), "Write below the current folder"),
    (lambda: _raise(OSError(101, "Network is unreachable")), "Do without the internet"),
    (lambda: _raise(OSError(30, "Read-only file system")), "Write below the current folder"),
    (lambda: _raise(MemoryError()), "in pieces"),
    (lambda: _raise(TimeoutError()), "Find what is waited for"),
    (lambda: _raise(NotImplementedError()), "Write this part"),
    (lambda: sys.exit(0), "__main__"),
]


@pytest.mark.parametrize(("act", "said"), REAL, ids=[said[:30] for _, said in REAL])
def test_a_real_error_gets_the_step_that_helps(act: Callable[[], object], said: str) -> None:
    with pytest.raises(BaseException) as caught:
        act()
    message = caught.value.msg if isinstance(caught.value, SyntaxError) else str(caught.value)
    assert said in next_step(type(caught.value).__name__, message, "app.py:41")


def test_libraries_say_what_the_table_expects() -> None:
    import numpy as np
    import pydantic

    class Model(pydantic.BaseModel):
        x: int

    for act, said in (
        (lambda: bool(np.zeros(2)), "Use `.any()`"),
        (lambda: np.zeros(2) + np.zeros(3), "Print the shapes"),
        (lambda: np.zeros((2, 2)) @ np.zeros(3), "Print the"),
        (lambda: json.dumps(np.int64(1)), "Turn the int64 into plain data"),
        (lambda: Model(x="a"), "Compare each field"),
    ):
        with pytest.raises(Exception) as caught:
            act()
        assert said in next_step(type(caught.value).__name__, str(caught.value))


def test_a_running_loop_is_named() -> None:
    async def inner() -> None:
        waiting = asyncio.sleep(0)
        try:
            asyncio.run(waiting)
        finally:
            waiting.close()

    with pytest.raises(RuntimeError) as caught:
        asyncio.run(inner())
    assert "Use `await`" in next_step("RuntimeError", str(caught.value))


@pytest.mark.parametrize(
    ("name", "body", "code"),
    [
        ("json.py", "", "import json.decoder"),
        ("random.py", "import random\nrandom.choice([1])", "import random"),
        ("statistics.py", "", "from statistics import mean"),
        ("mlflow.py", "", "import mlflow.sklearn"),
        ("mlflow.py", "from mlflow import log_param", "import mlflow"),
    ],
)
def test_a_file_that_hides_a_library_is_to_be_renamed(
    tmp_path: Path, name: str, body: str, code: str
) -> None:
    kind, message = _shadowed(tmp_path, name, body, code)
    assert f"Rename your file or folder `{name.removesuffix('.py')}`" in next_step(kind, message)


def test_a_circle_between_two_files_is_told_from_a_hidden_library(tmp_path: Path) -> None:
    (tmp_path / "loading.py").write_text("from features import f\ng = 1\n")
    kind, message = _shadowed(tmp_path, "features.py", "from loading import g\nf = 1\n", "import features")
    assert "Move what both files need to a third: `features`" in next_step(kind, message)


def test_a_learners_own_wording_does_not_choose_the_advice() -> None:
    general = next_step("ValueError", "nobody has seen this", "a.py:1")
    assert next_step("ValueError", "amount: could not convert string to float: 'x'", "a.py:1") == general
    assert next_step("ValueError", "please see: math domain error", "a.py:1") == general
    assert next_step("PaymentError", "name 'x' is not defined", "a.py:1") == next_step(
        "PaymentError", "", "a.py:1"
    )


def test_there_is_always_something_useful_to_do() -> None:
    unknown = next_step("PaymentRefused", "no such account", "pay.py:7")
    assert "PaymentRefused" in unknown and "pay.py:7" in unknown
    assert "the line that is named" in next_step("", "", "")


def test_the_module_of_a_type_does_not_matter() -> None:
    assert next_step("json.decoder.JSONDecodeError", "Expecting value: line 1") == next_step(
        "JSONDecodeError", "Expecting value: line 1"
    )


def test_every_line_of_the_table_can_be_reached_and_reads_as_a_sentence() -> None:
    lines = TABLE.strip().splitlines()
    for head, advice in zip(lines[::2], lines[1::2], strict=True):
        name, wording = head.split(": ", 1)
        assert re.compile(wording)
        assert name.isidentifier()
        text = advice.strip()
        assert text in SPECIAL if text.startswith("@") else text[0].isupper() and text.endswith(".")
        assert all(int(number) <= re.compile(wording).groups for number in re.findall(r"\{(\d)\}", text))
