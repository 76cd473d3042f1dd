r"""Raw Python errors from a learner's code → one plain next step.

Matches the error's type and the interpreter's own fixed wording, from the first word to the last: what a
learner wrote into `raise ValueError("…")` does not choose the advice. The wordings are Python 3.11 to 3.13's.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from functools import cache

# Libraries of the course that learners like to name a file after; Python knows its standard library itself.
LIBRARIES = frozenset(
    """
    boto3 evidently fastapi feast flask httpx joblib locust mlflow moto numpy pandas prefect
    prometheus_client pyarrow pydantic pytest redis requests scipy sklearn starlette torch typer uvicorn yaml
    """.split()  # noqa: SIM905  one a line would hide the rest of the module
)

# At the margin: an error's type and the whole message as a pattern; below it, the advice. The first that fits
# wins, so the special stands before the general. {where} is the learner's line, {1} what the first bracket of
# the pattern caught; `@name` is a function below.
TABLE = r"""
ModuleNotFoundError: No module named '([\w.]+)'(?:; '([\w.]+)' is not a package)?.*
    @missing_module
ImportError: cannot import name '(\w+)' from partially initialized module '([\w.]+)'.*
    @circular
ImportError: cannot import name '(\w+)' from '([\w.]+)'(?: \((.*)\))?.*
    @cannot_import
ImportError: attempted relative import with no known parent package
    Import by plain name, `import features` instead of `from . import features`: your folder is no package.
ImportError: .*
    Import that module alone in your folder, `python -c "import …"`, and mend what Python says then.
IndentationError: .*
    Look at the spaces before {where}: lines of one block begin in the same column.
TabError: .*
    Use spaces only before {where}: tabs and spaces are mixed.
SyntaxError: '(.)' was never closed.*
    Close the `{1}` that opens at {where}.
SyntaxError: unterminated .*string literal.*
    Close the quotation mark that opens at {where}.
SyntaxError: expected ':'.*
    Put a colon at the end of the line at {where}.
SyntaxError: invalid syntax. Maybe you meant '==' or ':=' instead of '='\?.*
    Compare with `==` at {where}: a single `=` gives a name a value.
SyntaxError: .*
    Look for a bracket, a quote or a colon at {where} and on the line before: Python cannot read one of them.
UnboundLocalError: (?:cannot access local variable|local variable) '(\w+)'.*
    Give `{1}` a value on every path to {where}: a function that assigns a name has its own, everywhere in it.
NameError: name '(\w+)' is not defined.*
    Define or import `{1}` before {where} uses it, and compare the spelling.
NameError: .*
    Give that name a value before {where} uses it, and compare the spelling.
TypeError: 'NoneType' object is not .*|(?:unsupported operand|'..?' not supported).*'NoneType'.*
    @none
TypeError: object of type 'NoneType' has no len\(\)|cannot unpack non-iterable NoneType object
    @none
TypeError: ([\w.<>]+)\(\) (?:missing \d+ required|takes|got an unexpected|got multiple values|got some) .*
    Compare the parameters of `{1}` with the brief's Contract: their names, order and number.
TypeError: Object of type (\w+) is not JSON serializable.*
    Turn the {1} into plain data before it becomes JSON: `int(…)`, `float(…)`, `.tolist()`, `.isoformat()`.
TypeError: (?:unsupported operand type|can only concatenate|can't multiply|'[<>=]+' not supported between).*
    Print the types on both sides at {where}, and convert one: `int(…)`, `float(…)`, `str(…)`.
TypeError: '(\w+)' object is not callable.*
    Look at what is called at {where}: it is of type {1}. A name hides a function, or brackets are too many.
TypeError: '(\w+)' object is not subscriptable
    Print what stands before the `[` at {where}: it is of type {1}, not a list or a dict.
TypeError: unhashable type: '(\w+)'.*|cannot use '\w+' as a \w+ .*
    Use text, a number or a tuple as the key at {where}: a value that can change cannot be a key.
TypeError: object (\w+) can't be used in 'await' expression
    Take `await` away at {where}: what is called there is no `async def`.
TypeError: .*
    Print the types of the values at {where}: one of them is not what the call takes.
KeyError: ('[^'\n]{1,60}'|"[^"\n]{1,60}"|-?\d+(?:\.\d+)?)
    Print the keys that are there just before {where}: {1} is not one of them.
KeyError: .*
    Print the keys that are there just before {where}, or use `.get(…)` where a key may be absent.
AttributeError: 'NoneType' object has no attribute '\w+'.*
    @none
AttributeError: (?:partially initialized )?module '([\w.]+)' has no attribute '(\w+)'.*
    @module_lacks
AttributeError: '(\w+)' object has no attribute '(\w+)'.*
    Print the type of the value at {where} and compare the spelling: a {1} has no `{2}`.
AttributeError: .*
    Print the type of the value at {where} and compare the attribute's spelling.
IndexError: .*
    Print the length just before {where}: the position asked for is past the end (is it empty?).
JSONDecodeError: Unexpected UTF-8 BOM.*
    Open the file with `encoding="utf-8-sig"` at {where}: it begins with a byte-order mark.
JSONDecodeError: Extra data: .*
    Read one JSON value from each line at {where}: the text does not end after the first.
JSONDecodeError: .*
    Print what is parsed at {where}: it is empty, cut off, or not JSON at the place that is named.
UnicodeDecodeError: .*
    Name the encoding at {where}, or read bytes; what is compressed goes through `gzip.open` first.
UnicodeEncodeError: .*
    Write with `encoding="utf-8"` at {where}.
BadGzipFile: .*
    Look at the first bytes of the file at {where}: it is cut off or is no gzip at all.
ValidationError: .*
    Compare each field that is listed with your model: its name, its type, and whether it may be absent.
ValueError: could not convert string to float: .*|invalid literal for int\(\) with base .*
    Decide at {where} what happens to text that is no number: refuse it, count and skip it, or clean it first.
ValueError: (?:not enough|too many) values to unpack.*
    Count the names on the left at {where} and the values on the right: they differ.
ValueError: The truth value of (?:an array|a \w+) .*ambiguous.*
    Use `.any()`, `.all()` or `&` at {where}: an array or a table is not one true or false.
ValueError: (?:could not|operands could not be|shapes .*not) .*(?:broadcast|aligned).*|.*inhomogeneous shape.*
    Print the shapes at {where}: the arrays do not fit together.
ValueError: Input (?:X|y) contains (?:NaN|infinity).*
    Find the empty or infinite values before {where}: fill them in, or count and drop them.
ValueError: math domain error|expected a (?:positive|nonnegative) input.*
    Guard the logarithm or root at {where}: it was given zero or a negative number.
ValueError: .*
    Print the value that reaches {where}: its type is right, what it holds is not.
ZeroDivisionError: .*
    Decide what the result is when there is nothing to divide by, and say so before {where}.
OverflowError: .*
    Print the numbers at {where}: one is far too large.
FileNotFoundError: .*
    Print the path at {where} and compare it with the brief: a relative path begins in the lab's folder.
FileExistsError: .*
    Decide at {where} what a second run does with what is there already: replace it, or leave it.
IsADirectoryError: .*
    Give the name of a file at {where}: this is a folder.
NotADirectoryError: .*
    Look at the path at {where}: a part of it is a file, not a folder.
PermissionError: .*
    @writable
MemoryError: .*
    Read and work in pieces at {where}, line by line or chunk by chunk: the whole does not fit.
RecursionError: .*
    Find the call at {where} that leads back to itself: nothing ends it.
TimeoutError: .*
    Find what is waited for at {where}: an endless loop, a lock, or an answer that never comes.
ConnectionRefusedError: .*
    Start what you connect to before {where}, and take its address from the brief: nothing listens there.
ConnectionResetError: .*
    Read the log of the other side: it closed the connection.
BrokenPipeError: .*
    Expect at {where} that the reader may be gone: it closed before everything was written.
gaierror: .*
    @network
ConnectError: .*
    @network
ConnectionError: .*
    @network
URLError: .*
    @network
OSError: \[Errno 28\].*
    Write less at {where}: the disk space that a check gives you is used up.
OSError: \[Errno 30\].*
    @writable
OSError: \[Errno 24\].*
    Close what you open at {where}, with `with open(…)`: too many files are open at once.
OSError: \[Errno (?:98|48)\].*
    Do not choose a port at {where}: the grader hands your service its own.
OSError: \[Errno (?:101|113|-2|-3)\].*
    @network
OSError: .*
    Look at the file or address at {where}: the system refused it, and the message says why.
BlockingIOError: .*
    Start fewer processes or threads at {where}: a check allows only so many.
NotImplementedError: .*
    Write this part: {where} is as the starter left it.
AssertionError: .*
    Look at your own `assert` at {where}: what it demands does not hold for this input.
StopIteration: .*
    Give `next(…)` a second argument at {where}: there was nothing left to take.
RuntimeError: asyncio\.run\(\) cannot be called from a running event loop
    Use `await` in place of `asyncio.run` at {where}: a loop is running already.
RuntimeError: dictionary changed size during iteration
    Loop over a copy at {where}: `for key in list(…)`.
SystemExit: .*
    Keep `sys.exit` below `if __name__ == "__main__":`, so that importing the file does not end the program.
"""


def next_step(error_type: str, message: str, where: str = "") -> str:
    """One sentence in the imperative: what to do about this error.

    Args:
        error_type: the class's name, with or without its module.
        message: what `str(error)` gave.
        where: the learner's own line, `app.py:41`, or empty.
    """
    name = error_type.rsplit(".", 1)[-1]
    step = f"Read the line above {name} first: {{where}} is the last line of yours that ran."
    for wording, advice in _table().get(name, ()):
        if match := wording.fullmatch(message):
            step = SPECIAL[advice](match) if advice in SPECIAL else advice
            for number, caught in enumerate(match.groups(), start=1):
                step = step.replace(f"{{{number}}}", caught or "it")
            break
    return step.replace("{where}", where or "the line that is named")


@cache
def _table() -> dict[str, list[tuple[re.Pattern[str], str]]]:
    table: dict[str, list[tuple[re.Pattern[str], str]]] = {}
    lines = TABLE.strip().splitlines()
    for head, advice in zip(lines[::2], lines[1::2], strict=True):
        name, wording = head.split(": ", 1)
        table.setdefault(name, []).append((re.compile(wording, re.DOTALL), advice.strip()))
    return table


def _shadows(module: str) -> str:
    """The advice if a file of the learner's may hide a library of this name, else nothing."""
    root = module.split(".")[0]
    if root in sys.stdlib_module_names or root in LIBRARIES:
        return f"Rename your file or folder `{root}`: it hides the library `{root}` from every import."
    return ""


def _missing_module(match: re.Match[str]) -> str:
    if match[2]:
        return (
            _shadows(match[2]) or "Import from the file `{2}` itself: it is one file, not a folder of them."
        )
    if _shadows(match[1]):
        return (
            "Look for a file or folder of yours with that name, and rename it; else run `make start` again."
        )
    return (
        "Compare `{1}` with the names of your files; packages outside the course's list cannot be imported."
    )


def _cannot_import(match: re.Match[str]) -> str:
    path = match[3] or ""
    yours = path.endswith(f"/{match[2].split('.')[0]}.py") and "/lib/python" not in path
    return (
        yours and _shadows(match[2])
    ) or "Look in `{2}` for `{1}`: it is spelled otherwise there, or is elsewhere."


def _circular(match: re.Match[str]) -> str:
    return (
        _shadows(match[2]) or "Move what both files need to a third: `{2}` imports a file that imports `{2}`."
    )


def _module_lacks(match: re.Match[str]) -> str:
    hidden = "partially initialized" in match[0] or "renaming" in match[0]
    return (hidden and _shadows(match[1])) or (
        "Look up how `{1}` spells `{2}`; if you have a file named like that library, rename the file."
    )


SPECIAL: dict[str, Callable[[re.Match[str]], str]] = {
    "@missing_module": _missing_module,
    "@cannot_import": _cannot_import,
    "@circular": _circular,
    "@module_lacks": _module_lacks,
    "@none": lambda _: (
        "Find out why a value is None at {where}: a function without `return`, or a failed look-up."
    ),
    "@writable": lambda _: (
        "Write below the current folder, by a relative path: a check lets you write nowhere else."
    ),
    "@network": lambda _: "Do without the internet: inside a check there is no network but 127.0.0.1.",
}
