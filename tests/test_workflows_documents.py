"""Reading workflow files: YAML as GitHub reads it, and refusals that name the place. Triggers, matrix, permissions."""

from __future__ import annotations

from typing import Any

import pytest

from labs.workflows import (
    Event,
    Malformed,
    PullRequest,
    Registry,
    Unsupported,
    Workflow,
    patterns,
    permissions,
    pull_request_event,
    read,
    starts,
)
from labs.workflows.errors import BadExpression
from labs.workflows.matrix import combinations, label
from labs.workflows.runner import in_order

JOB = "jobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: 'true'\n"
REQUEST = PullRequest(5, "title", "feature/x", "main", "1" * 40, "2" * 40, "3" * 40)


def workflow(text: str) -> Workflow:
    found = read("w.yml", text.encode())
    assert found is not None
    return found


def test_on_is_a_word_and_not_a_boolean() -> None:
    assert set(workflow("on: [push, pull_request]\n" + JOB).triggers) == {"push", "pull_request"}
    assert set(workflow("on: push\n" + JOB).triggers) == {"push"}
    assert workflow("on:\n  push:\n    branches: [main]\n" + JOB).triggers == {"push": {"branches": ["main"]}}


def test_scalars_are_those_of_yaml_1_2() -> None:
    body = workflow(
        "on: push\nenv: {a: yes, b: 12:30, c: 010, d: 3.10, e: 2026-01-07, f: ~, g: 0x1F}\n" + JOB
    ).body
    assert body["env"] == {"a": "yes", "b": "12:30", "c": 10, "d": 3.1, "e": "2026-01-07", "f": None, "g": 31}


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n"])
def test_a_file_without_content_is_none(text: str) -> None:
    assert read("w.yml", text.encode()) is None


BILLION = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join([f'*{chr(97 + i)}'] * 9)}]\n" for i in range(9)
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("on: push\n", "`jobs` is missing"),
        (JOB, "`on` is missing"),
        ("on: push\non: pull_request\n" + JOB, "twice"),
        ("- a\n", "a mapping"),
        (
            "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - {run: a, uses: b}\n",
            "one of `run` and `uses`",
        ),
        ("on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - {name: a}\n", "one of `run` and `uses`"),
        ("on: push\njobs:\n  a:\n    steps:\n      - run: a\n", "`runs-on` is missing"),
        ("on: push\njobs:\n  a:\n    runs-on: x\n    needs: b\n    steps:\n      - run: a\n", "no such job"),
        ("on: push\njobs:\n  1:\n    runs-on: x\n    steps:\n      - run: a\n", "an id is"),
        ("on: push\nx: &x {a: 1}\ny: {<<: *x}\n" + JOB, "merge keys"),
        ("on: push\nrun: say: what\n" + JOB, "line 2"),
        ("on: !!python/object/apply:os.system [ls]\n" + JOB, "constructor"),
        ("on: push\n" + BILLION + JOB, "too large"),
        ("on: &x [*x]\n" + JOB, "too large"),
        ("on: push\nx: " + "[" * 3000 + "\n" + JOB, ""),
        ("\x00\x01\x02", "YAML"),
    ],
)
def test_what_github_refuses_is_refused(text: str, says: str) -> None:
    with pytest.raises(Malformed) as refused:
        read("w.yml", text.encode())
    assert says in str(refused.value)


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(Malformed, match="UTF-8"):
        read("w.yml", bytes(range(256)))


def test_jobs_come_behind_what_they_need() -> None:
    steps = "runs-on: x, steps: [{run: a}]"
    text = f"on: push\njobs:\n  c: {{needs: [b], {steps}}}\n  b: {{needs: a, {steps}}}\n  a: {{{steps}}}\n"
    assert [job.id for job in in_order(workflow(text))] == ["a", "b", "c"]
    circle = f"on: push\njobs:\n  c: {{needs: [b], {steps}}}\n  b: {{needs: c, {steps}}}\n"
    with pytest.raises(Malformed, match="circle"):
        in_order(workflow(circle))


PUSH = Event("push", "refs/heads/releases/10", "1" * 40, changed=("src/a.py", "docs/b.md"))
TAG = Event("push", "refs/tags/v1", "1" * 40, changed=("src/a.py",))


def opened(
    action: str = "opened", changed: tuple[str, ...] = ("docs/a.md",), name: str = "pull_request"
) -> Event:
    return pull_request_event(REQUEST, changed, action, name)


@pytest.mark.parametrize(
    ("on", "event", "does"),
    [
        ("push", PUSH, True),
        ("push", opened(), False),
        ("{push: {branches: ['releases/**', '!releases/*-alpha']}}", PUSH, True),
        ("{push: {branches: [main]}}", PUSH, False),
        ("{push: {branches-ignore: [main]}}", PUSH, True),
        ("{push: {tags: ['v*']}}", PUSH, False),
        ("{push: {tags: ['v*']}}", TAG, True),
        ("{push: {branches: ['**']}}", TAG, False),
        ("{push: {paths: ['**.py']}}", PUSH, True),
        ("{push: {paths: ['*.py']}}", PUSH, False),
        ("{push: {paths-ignore: ['docs/**']}}", PUSH, True),
        ("{push: {paths-ignore: ['docs/**', 'src/**']}}", PUSH, False),
        ("{push: {paths: ['docs/**', '!docs/b.md']}}", PUSH, False),
        ("pull_request", opened(), True),
        ("pull_request", opened("synchronize"), True),
        ("pull_request", opened("labeled"), False),
        ("{pull_request: {types: [opened]}}", opened("synchronize"), False),
        ("{pull_request: {branches: [main]}}", opened(), True),
        ("{pull_request: {branches: [master]}}", opened(), False),
        ("{pull_request: {branches: ['feature/*']}}", opened(), False),  # the base counts, not the head
        ("{pull_request: {paths: ['src/**']}}", opened(), False),
        ("{pull_request: {branches: [main], paths: ['docs/*']}}", opened(), True),
        ("pull_request_target", opened(), False),
        ("pull_request_target", opened(name="pull_request_target"), True),
        ("{schedule: [{cron: '0 1 * * *'}]}", Event("schedule", "refs/heads/main", "1" * 40), True),
        ("workflow_dispatch", Event("workflow_dispatch", "refs/heads/main", "1" * 40), True),
    ],
)
def test_which_events_start_a_workflow(on: str, event: Event, does: bool) -> None:
    started, why = starts(workflow(f"on: {on}\n{JOB}"), event)
    assert started is does
    assert bool(why) is not does


@pytest.mark.parametrize(
    ("pattern", "name", "does"),
    [
        ("feature/*", "feature/my-branch", True),
        ("feature/*", "feature/beta-a/my", False),
        ("feature/**", "feature/beta-a/my", True),
        ("*", "main", True),
        ("*", "a/b", False),
        ("**feature", "your/feature", True),
        ("v2*", "v2.9", True),
        ("v[12].[0-9]+.[0-9]+", "v1.10.1", True),
        ("*.jsx?", "page.js", True),
        ("**/README.md", "README.md", True),
        ("**/docs/**", "a/docs/x.md", True),
        ("docs/*", "docs/a/b.md", False),
        ("a.b", "axb", False),
        ("**a" * 30, "a" * 60, False),
    ],
)
def test_filter_patterns(pattern: str, name: str, does: bool) -> None:
    assert patterns.matches(name, pattern) is does


def test_the_matrix_of_the_documentation() -> None:
    matrix: dict[str, Any] = {
        "fruit": ["apple", "pear"],
        "animal": ["cat", "dog"],
        "include": [
            {"color": "green"},
            {"color": "pink", "animal": "cat"},
            {"fruit": "apple", "shape": "circle"},
            {"fruit": "banana"},
            {"fruit": "banana", "animal": "cat"},
        ],
    }
    assert combinations(matrix) == [
        {"fruit": "apple", "animal": "cat", "color": "pink", "shape": "circle"},
        {"fruit": "apple", "animal": "dog", "color": "green", "shape": "circle"},
        {"fruit": "pear", "animal": "cat", "color": "pink"},
        {"fruit": "pear", "animal": "dog", "color": "green"},
        {"fruit": "banana"},
        {"fruit": "banana", "animal": "cat"},
    ]
    left = combinations({"os": ["a", "b"], "v": [1, 2], "exclude": [{"os": "a", "v": 1}]})
    assert left == [{"os": "a", "v": 2}, {"os": "b", "v": 1}, {"os": "b", "v": 2}]
    assert label("test", {"v": 3.11, "os": "x"}) == "test (3.11, x)"
    for wrong in ({"a": list(range(300))}, {"a": []}, {"a": "text"}, "text", {"exclude": [1]}):
        with pytest.raises(BadExpression):
            combinations(wrong)


@pytest.mark.parametrize(
    ("top", "job", "wanted"),
    [
        ("", "", "all"),
        ("permissions: {contents: read}\n", "", {"contents": "read"}),
        ("permissions: {}\n", "", {}),
        ("permissions: {contents: read, issues: none}\n", "", {"contents": "read"}),
        ("permissions: {contents: read}\n", "{id-token: write}", {"id-token": "write"}),
        ("permissions: read-all\n", "{}", {}),
    ],
)
def test_permissions_of_a_job(top: str, job: str, wanted: object) -> None:
    one = f"permissions: {job}, " if job else ""
    text = f"on: push\n{top}jobs:\n  a: {{{one}runs-on: x, steps: [{{run: a}}]}}\n"
    found = workflow(text)
    given = permissions.of(found, found.jobs["a"])
    if wanted == "all":
        assert given["contents"] == "write" and given["id-token"] == "write"
        fork = Event(
            "pull_request", "", "", pull_request=PullRequest(1, "", "", "main", "", "", "", from_fork=True)
        )
        assert set(permissions.granted(given, fork).values()) == {"read"}
    else:
        assert given == wanted


def test_a_tag_can_be_moved_and_a_commit_cannot() -> None:
    registry = Registry()
    commit = "de0fac2e4500dabe0009e67214ff5f5447ce83dd"
    attacked = registry.after_an_attack()
    assert registry.commit("actions/checkout@v6") == commit
    assert attacked.commit("actions/checkout@v6") != commit
    assert attacked.commit("actions/checkout@v6.0.2") != commit
    assert attacked.commit(f"actions/checkout@{commit}") == commit
    assert registry.commit("actions/cache/restore@v4") == registry.commit("actions/cache@v4")
    assert registry.commit(f"actions/checkout@{commit.upper()}") == commit
    for unknown in ("someone/else@v1", "actions/checkout@" + "0" * 40, "actions/checkout"):
        with pytest.raises(Unsupported):
            registry.commit(unknown)
