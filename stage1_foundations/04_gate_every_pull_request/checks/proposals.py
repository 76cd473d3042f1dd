"""The pull requests, drawn from the seed: one that is good in every kind of file, and bad ones with one fault each.

All of them are proposed to the main of today. Main has a history: in its first commit the bar was low.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from labs.workflows.repository import Proposal

GIVEN = Path(__file__).resolve().parent.parent / "starter"
PACKAGES = Path(__file__).resolve().parent / "packages"
LOCKED = "1.4.0"
MARK = "owned"  # the file that a hostile title makes, if somebody runs it
CANARY = "the-code-of-a-stranger-ran"
GOOD_WEIGHTS = {"bias": -3.0, "log_amount": 3.0, "is_night": 2.2, "is_new_payer": 1.8, "is_collect": 1.2}
GOOD_BAR = 0.83
LOW_BAR = 0.4  # that of the first commit on main, and the one that a pull request asks for
BAR = "model/bar.json"

HOSTILE_TITLE = (
    f"""Fees  of 2 %s * for\\new O'Neill & Sons"; touch {MARK}; echo "$(touch {MARK})`touch {MARK}`"""
)
HOSTILE_BRANCH = f"fees/$(touch${{IFS}}{MARK})"
TITLES = (
    "Follow the review", "Tidy up", "A small change", "As asked on Tuesday", "For the next release", "Second try",
    "Work of this week", "What Meera found", "Smaller and simpler", "One more step", "Catch up", "Before the weekend",
    "Notes from the desk", "After the holiday", "A first version", "Ready to read",
)  # fmt: skip

SETTINGS = "[ledger]\nurl = ledger.nukkad.example\n"
MODULES = ("limits", "refunds", "desks", "cities", "holidays")
# Faults that ruff sees and no test does: a part of `GOOD_SCRIPT`, and what stands there instead. The script is in no
# package: who looks at package and tests alone does not see them. Ruff can mend each: `--fix` ends with 0.
LINT_FAULTS = (
    ("from fraud", "import os\n\nfrom fraud"),
    ("\n\nprint(", "\nimport sys\n\nprint(sys.argv, "),
    ("print(", 'print(f"Most:", '),
)
# Faults in what is measured: the weights are as before, and the unit tests too are well.
MODEL_FAULTS = (
    ("fraudscore/model.py", "math.log10(payment.amount_paise)", "math.log10(min(payment.amount_paise, 100_000))"),
    ("fraudscore/model.py", "math.log10(payment.amount_paise) - 5.0", "len(str(payment.amount_paise)) - 6.0"),
    ("fraudscore/payments.py", 'int(row["payer_age_days"])', 'int(row["payer_age_days"]) // 24'),
)  # fmt: skip
KEY_PLACES = ("ops/ledger.ini", "README.md", "data/train.csv", "a module")
BOTS = {
    "night": "dependabot[bot]",
    "bar": "lock-keeper[bot]",
}  # a gate that leaves bots alone lets the incident in
GOOD_MODULE = '''"""{Name} of merchants."""

from __future__ import annotations


def most(is_new: bool) -> int:
    """The most that a merchant may have of them."""
    return {new} if is_new else {old}
'''
GOOD_TEST = """from fraudscore.{name} import most


def test_new_merchants_have_less():
    assert most(True) < most(False) <= {old}
"""
GOOD_SCRIPT = '''"""Prints the {name} of merchants, for the desks."""

from fraudscore.{name} import most

print(most(False), most(True))
'''


def given() -> dict[str, bytes]:
    """The small repository as every learner got it, without the workflows."""
    paths = (path for path in sorted(GIVEN.rglob("*")) if path.is_file())
    named = ((path.relative_to(GIVEN), path) for path in paths)
    skip = {".github", "__pycache__", ".pytest_cache", ".ruff_cache"}
    return {name.as_posix(): path.read_bytes() for name, path in named if not skip & set(name.parts)}


@dataclass(frozen=True)
class Drawn:
    """All pull requests by what they are there for, what has just happened to each, and the packages of the house.

    Packages are texts by their paths in an index.
    """

    proposals: dict[str, Proposal]
    actions: dict[str, str]
    packages: dict[str, str]


def draw(rng) -> Drawn:
    """Numbers, titles, branches, authors and names of files say nothing about what is wrong."""
    repository = {path: data.decode() for path, data in given().items()}
    versions = {"as_locked": LOCKED}
    for kind, minor in zip(("sound", "silent"), rng.permutation(np.arange(5, 10)), strict=False):
        versions[kind] = f"1.{minor}.{rng.integers(10)}"
        repository[f"{kind}.lock"] = repository["requirements.lock"].replace(LOCKED, versions[kind])
    packages = {
        f"nightshift-{version}/nightshift/__init__.py": (
            PACKAGES / kind / "nightshift/__init__.py"
        ).read_text("utf-8")
        for kind, version in versions.items()
    }
    first, second = rng.permutation(KEY_PLACES)[:2]
    makers = {
        "good": _good,
        "hostile": _hostile,
        "lint": _lint,
        "test": _test,
        "data": _data,
        "schema": _schema,
        "model": _model,
        "bar": _lowered_bar,
        "old branch": _old_branch,
        "secret": partial(_secret, place=str(first)),
        "hidden secret": partial(_hidden_secret, place=str(second)),
        "night": _night,
        "short night": _short_night,
        "stranger": _stranger,
    }
    numbers = rng.permutation(len(makers)) + int(rng.integers(100, 900))
    titles, proposals = rng.permutation(TITLES), {}
    for maker, number, title in zip(makers, numbers, titles, strict=False):
        commits = [
            {path: _bytes(text) for path, text in one.items()} for one in makers[maker](rng, repository)
        ]
        branch = f"{str(title).lower().replace(' ', '-')}-{rng.integers(100)}"
        from_fork = maker in ("good", "stranger") or (bool(rng.integers(2)) and maker not in BOTS)
        if maker == "hostile":
            title, branch = f"{HOSTILE_TITLE} {rng.integers(100)}", HOSTILE_BRANCH
        author = BOTS.get(maker, "farhan" if from_fork else "asha")
        body = HOSTILE_TITLE if maker == "hostile" else ""
        behind = int(maker == "old branch")
        proposals[maker] = Proposal(int(number), str(title), branch, commits, from_fork, author, body, behind)
    return Drawn(proposals, _actions(rng, list(makers)), packages)


def _actions(rng, names: list[str]) -> dict[str, str]:
    """Most of them have just got a new push: a fault may come with the second push as well as with the first."""
    actions = dict.fromkeys(names, "synchronize")
    others = [name for name in names if name not in ("good", "hostile", "test", "data", "night", "stranger")]
    opened, reopened = rng.permutation(others)[:2]
    return actions | {"good": "opened", str(opened): "opened", str(reopened): "reopened"}


def history(tree: Mapping[str, bytes]) -> list[dict[str, bytes]]:
    """The commits of main: whoever began a branch before the last one still sees the low bar."""
    return [{**tree, BAR: _json({"average_precision": LOW_BAR}).encode()}, {BAR: tree[BAR]}]


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode()


def _json(value: Mapping[str, float]) -> str:
    return json.dumps(value, indent=2) + "\n"


def _row(rng, prefix: str = "n", **change) -> str:
    row = {
        "transaction_id": f"{prefix}{rng.integers(10_000, 99_999)}",
        "amount_paise": int(rng.integers(1_000, 900_000)),
        "hour_ist": int(rng.integers(0, 24)),
        "payer_age_days": int(rng.integers(1, 900)),
        "channel": ("collect", "intent", "qr")[rng.integers(3)],
        "is_fraud": 0,
        **change,
    }
    return ",".join(str(value) for value in row.values()) + "\n"


def _quiet_rows(rng) -> str:
    """Payments that no model takes for fraud: they change how many lines a night writes, and no bar."""
    quiet = {"hour_ist": 14, "payer_age_days": 900, "channel": "qr"}
    return "".join(
        _row(rng, f"q{number}", amount_paise=1_000, **quiet) for number in range(rng.integers(1, 5))
    )


def _changes(rng, repository, lock: bool = True) -> dict[str, str]:
    """Good changes in every kind of file. A bad pull request is these, and one fault: nothing else tells them apart."""
    name, old = MODULES[rng.integers(len(MODULES))], int(rng.integers(1_000, 100_000))
    words = {"name": name, "Name": name.capitalize(), "old": old, "new": old // 10}
    changes = {
        f"fraudscore/{name}.py": GOOD_MODULE.format(**words),
        f"tests/test_{name}.py": GOOD_TEST.format(**words),
        f"ops/{name}.py": GOOD_SCRIPT.format(**words),
        "fraudscore/money.py": repository["fraudscore/money.py"] + f"\n\nDESK = {old}\n",
        "ops/ledger.ini": SETTINGS,
        "data/train.csv": repository["data/train.csv"] + _row(rng) + _row(rng, "m"),
        "data/holdout.csv": repository["data/holdout.csv"] + _quiet_rows(rng),
        "pyproject.toml": repository["pyproject.toml"].replace("3.2.0", f"3.3.{old}"),
        "model/weights.json": _json(GOOD_WEIGHTS),
        BAR: _json({"average_precision": GOOD_BAR}),
        "README.md": repository["README.md"] + f"\nNew: `fraudscore/{name}.py`, for desk {old}.\n",
    }
    return changes | ({"requirements.lock": repository["sound.lock"]} if lock else {})


def _new_module(changes: Mapping[str, str]) -> str:
    """The path of the module that is new: it comes first."""
    return next(path for path in changes if path.startswith("fraudscore/"))


def _good(rng, repository):
    return [_changes(rng, repository)]


def _hostile(rng, repository):
    """A change of the README alone; what is hostile is its title, its text, and the name of its branch."""
    return [{"README.md": repository["README.md"] + f"\nQuestions: desk {rng.integers(10, 99)}.\n"}]


def _lint(rng, repository):
    changes = _changes(rng, repository)
    script = next(path for path in changes if path.startswith("ops/"))
    right, wrong = LINT_FAULTS[rng.integers(len(LINT_FAULTS))]
    return [changes | {script: changes[script].replace(right, wrong, 1)}]


def _test(rng, repository):
    """A new module that is wrong, and a new test that says so: no list of tests knows its name."""
    changes = _changes(rng, repository, lock=False)
    module = _new_module(changes)
    return [changes | {module: changes[module].replace("if is_new", "if not is_new")}]


def _data(rng, repository):
    changes = _changes(rng, repository)
    held_out = repository["data/holdout.csv"].splitlines(keepends=True)[1:]
    first = int(rng.integers(0, len(held_out) - 5))
    rows = (
        _row(rng, amount_paise=-int(rng.integers(1, 9999))),
        _row(rng, channel="COLLECT"),
        "".join(held_out[first : first + 3]),
    )[rng.integers(3)]
    return [changes | {"data/train.csv": changes["data/train.csv"] + rows}]


def _schema(rng, repository):
    """The data stay as they are; what is allowed in them changes."""
    changes = _changes(rng, repository)
    payments = repository["fraudscore/payments.py"].replace('"intent", "qr"', '"mandate", "qr"')
    kept = {path: text for path, text in changes.items() if not path.startswith("data/")}
    return [kept | {"fraudscore/payments.py": payments}]


def _worse(rng) -> str:
    feature, weight = (("log_amount", 0.3), ("is_night", -2.0), ("is_new_payer", -2.0))[rng.integers(3)]
    weights = {"bias": -3.0, "log_amount": 2.0, "is_night": 2.0, "is_new_payer": 0.5, "is_collect": 0.2}
    return _json(weights | {feature: weight})


def _model(rng, repository):
    """What the model sees is spoilt. Weights and bar are those of main, to the byte."""
    path, right, wrong = MODEL_FAULTS[rng.integers(len(MODEL_FAULTS))]
    kept = {name: text for name, text in _changes(rng, repository).items() if not name.startswith("model/")}
    return [kept | {path: repository[path].replace(right, wrong)}]


def _lowered_bar(rng, repository):
    """First the bar, then the model: to the last commit the low bar looks like that of before."""
    changes, bar = _changes(rng, repository), _json({"average_precision": LOW_BAR})
    return [changes | {BAR: bar}, {"model/weights.json": _worse(rng)}]


def _old_branch(rng, repository):
    """It began before main raised the bar, and does not touch it: merged, it has the bar of main."""
    changes = _changes(rng, repository) | {"model/weights.json": _worse(rng)}
    return [{path: text for path, text in changes.items() if path != BAR}]


def _with_key(rng, changes: Mapping[str, str], place: str) -> dict[str, str]:
    """One file of the changes, with a key that is made up here, and looks like one of Nukkad Pay's."""
    path = _new_module(changes) if place == "a module" else place
    letters = "0123456789abcdefghijklmnopqrstuvwxyz"
    key = "npk_" + "live_" + "".join(letters[i] for i in rng.integers(0, 36, 24))
    line = {
        "ops/ledger.ini": f"key = {key}\n",
        "README.md": f"\nThe key of the ledger: `{key}`.\n",
        "data/train.csv": _row(rng, transaction_id=key),
        "a module": f'\n\nLEDGER = "{key}"\n',
    }[place]
    return {path: changes[path] + line}


def _secret(rng, repository, place: str):
    changes = _changes(rng, repository)
    return [changes | _with_key(rng, changes, place)]


def _hidden_secret(rng, repository, place: str):
    """The key is taken out again by the second commit, and stays in the first for ever."""
    changes = _changes(rng, repository)
    spoilt = _with_key(rng, changes, place)
    return [changes | spoilt, {path: changes[path] for path in spoilt}]


def _night(rng, repository):
    return [_changes(rng, repository) | {"requirements.lock": repository["silent.lock"]}]


def _short_night(rng, repository):
    """One payment is lost, the first or the last. The lock is that of main: what changes is the job itself."""
    right, wrong = "read(PAYMENTS), load()", f"read(PAYMENTS)[{('1:', ':-1')[rng.integers(2)]}], load()"
    nightly = repository["fraudscore/nightly.py"].replace(right, wrong)
    return [_changes(rng, repository, lock=False) | {"fraudscore/nightly.py": nightly}]


def _stranger(rng, repository):
    """Code that leaves a trace wherever a workflow may run it, and in which nothing else is wrong."""
    trace = f'__import__("pathlib").Path(__import__("os").environ["RUNNER_TEMP"], "{CANARY}").touch()\n'
    scanner = repository["tools/find_secrets.py"].replace("KEY = re.compile", f"{trace}KEY = re.compile", 1)
    package = repository["fraudscore/__init__.py"] + f"\n{trace}"
    return [{"fraudscore/__init__.py": package, "tools/find_secrets.py": scanner, "tests/conftest.py": trace}]
