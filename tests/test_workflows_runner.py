"""Workflows that really run: steps, jobs, actions, pull requests and what branch protection makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from labs import workflows
from labs.workflows import (
    Event,
    Image,
    JobRun,
    Run,
    Settings,
    ThisComputer,
    Unsupported,
    actions,
    concurrency,
    repository,
)
from labs.workflows.caches import places
from labs.workflows.environment import BadFile, assignments
from labs.workflows.machine import inside

MAIN = {"a.txt": b"one\n", "requirements.txt": b"house==1.0\n", "pyproject.toml": b"[project]\nname = 'x'\n"}
CHECKOUT = "actions/checkout@v4"


@pytest.fixture(scope="module")
def machine() -> Iterator[ThisComputer]:
    machine = ThisComputer()
    yield machine
    machine.close()


@pytest.fixture(scope="module")
def requests(machine: ThisComputer) -> dict[int, workflows.PullRequest]:
    proposals = [
        repository.Proposal(1, "Ours", "ours", [{"a.txt": b"two\n"}, {"b.txt": b"b\n", "a.txt": b"three\n"}]),
        repository.Proposal(2, 'Theirs"; touch owned; "', "theirs", [{"a.txt": None}], from_fork=True),
        repository.Proposal(3, "Old", "old", [{"b.txt": b"b\n"}], behind=1),
    ]
    history = [{**MAIN, "a.txt": b"zero\n"}, {"a.txt": MAIN["a.txt"]}]
    return repository.open_pull_requests(machine, "origin.git", history, proposals, frozenset({"a.txt"}))


class Bench:
    """Runs workflows on one machine, each in a folder of its own."""

    def __init__(
        self, machine: ThisComputer, requests: dict[int, workflows.PullRequest], index: Path
    ) -> None:
        self.machine, self.requests, self.index, self.count = machine, requests, index, 0

    def run(self, jobs: str, number: int = 1, top: str = "", most_seconds: float = 20.0) -> Run:
        self.count += 1
        workflow = workflows.read("w.yml", f"on: pull_request\n{top}\njobs:\n{jobs}".encode())
        assert workflow is not None
        settings = Settings(
            "origin.git",
            secrets={"KEY": "very-hidden"},
            image=Image(index=str(self.index)),
            most_seconds=most_seconds,
        )
        event = workflows.pull_request_event(self.requests[number], ("a.txt",))
        return workflows.run(workflow, event, self.machine, settings, f"runs/{self.count}")

    def one(
        self, steps: str, number: int = 1, top: str = "", job: str = "", most_seconds: float = 20.0
    ) -> JobRun:
        """One job with these steps, indented by two."""
        body = "".join(f"    {line}\n" for line in steps.strip("\n").splitlines())
        run = self.run(
            f"  a:\n    runs-on: ubuntu-latest\n{job}    steps:\n{body}", number, top, most_seconds
        )
        return run.jobs[0]


@pytest.fixture(scope="module")
def bench(
    machine: ThisComputer,
    requests: dict[int, workflows.PullRequest],
    tmp_path_factory: pytest.TempPathFactory,
) -> Bench:
    index = tmp_path_factory.mktemp("index")
    for version in ("1.0", "2.0"):
        (index / f"house-{version}" / "house").mkdir(parents=True)
        (index / f"house-{version}" / "house" / "__init__.py").write_text(f"version = '{version}'\n")
    return Bench(machine, requests, index)


def said(job: JobRun) -> list[str]:
    return [step.output.strip() for step in job.steps]


def test_shells_fail_as_on_github(bench: Bench) -> None:
    job = bench.one("""
- {run: "false | true; echo on", name: no pipefail}
- {run: "false | true; echo on", shell: bash, continue-on-error: true, id: two}
- {run: "echo ${{ steps.two.outcome }} ${{ steps.two.conclusion }}"}
- {run: "import sys; print('py', sys.version_info[0])", shell: python}
- {run: "false; echo on", shell: sh, continue-on-error: true}
- {run: "false; echo on", shell: "bash {0}"}
- {run: "exit 3"}
- {run: "echo not reached"}
- {run: "echo cleaned", if: always()}
- {run: "echo told", if: "failure() && steps.two.outcome == 'failure'"}
""")
    assert [step.conclusion for step in job.steps] == ["success"] * 6 + [
        "failure",
        "skipped",
        "success",
        "success",
    ]
    assert said(job) == ["on", "", "failure success", "py 3", "", "on", "", "", "cleaned", "told"]
    assert job.result == "failure" and job.failed_step is job.steps[6] and job.steps[6].status == 3


def test_variables_come_in_the_documented_order(bench: Bench) -> None:
    job = bench.one(
        """
- run: 'echo "$A $B $C ${{ env.C }}"'
  env: {C: step}
- run: |
    echo "A=from a step" >> "$GITHUB_ENV"
    printf 'LONG<<END\\nx\\ny\\nEND\\n' >> "$GITHUB_ENV"
    mkdir -p bin; printf '#!/bin/sh\\necho tool\\n' > bin/tool; chmod +x bin/tool; echo "$PWD/bin" >> "$GITHUB_PATH"
    echo "### hello" >> "$GITHUB_STEP_SUMMARY"
- run: 'echo "$A $LONG" ${{ env.A }}; tool'
- run: 'echo $A $GITHUB_REF $CI'
  env: {A: mine, GITHUB_REF: fake}
- run: echo "GITHUB_SHA=1" >> "$GITHUB_ENV"
""",
        top="env: {A: top, B: top, C: top}",
        job="    env: {B: job, C: '${{ env.A }}-job'}\n",
    )
    assert said(job)[:4] == [
        "top job step step",
        "",
        "from a step x\ny from a step\ntool",
        "mine refs/pull/1/merge true",
    ]
    assert job.steps[4].outcome == "failure"
    assert job.summary == "### hello\n"


def test_outputs_reach_later_jobs(bench: Bench) -> None:
    run = bench.run("""
  last:
    needs: first
    runs-on: ubuntu-latest
    steps:
      - run: echo "got ${{ needs.first.outputs.word }} ${{ needs.first.result }} ${{ toJSON(needs.*.result) }}"
  first:
    runs-on: ubuntu-latest
    outputs: {word: "${{ steps.say.outputs.word }}"}
    defaults: {run: {working-directory: sub, shell: bash}}
    steps:
      - run: mkdir sub
        working-directory: .
      - id: say
        run: echo "word=hi=$(basename "$PWD")" >> "$GITHUB_OUTPUT"
""")
    assert [job.id for job in run.jobs] == ["first", "last"]
    assert run.conclusion == "success"
    assert said(run.jobs[1]) == ["got hi=sub success [\n  success\n]"]


GATES = """
  bad: {runs-on: ubuntu-latest, steps: [{run: exit 1}]}
  good: {runs-on: ubuntu-latest, steps: [{run: "true"}]}
  off: {if: false, runs-on: ubuntu-latest, steps: [{run: "true"}]}
  plain: {needs: [good, bad], runs-on: ubuntu-latest, steps: [{run: "true"}]}
  below: {needs: [plain], runs-on: ubuntu-latest, steps: [{run: "true"}]}
  after_off: {needs: [off], runs-on: ubuntu-latest, steps: [{run: "true"}]}
  always: {needs: [bad], if: always(), runs-on: ubuntu-latest, steps: [{run: "true"}]}
  sees: {needs: [below], if: failure(), runs-on: ubuntu-latest, steps: [{run: "true"}]}
  asks:
    needs: [good, bad]
    if: always()
    runs-on: ubuntu-latest
    steps: [{if: "contains(needs.*.result, 'failure')", run: exit 1}]
  hides: {continue-on-error: true, runs-on: ubuntu-latest, steps: [{run: exit 1}]}
  goes_on: {needs: hides, name: "Named ${{ needs.hides.result }}", runs-on: ubuntu-latest, steps: [{run: "true"}]}
  broken: {if: nothing.here, runs-on: ubuntu-latest, steps: [{run: "true"}]}
"""


def test_which_jobs_run_and_what_a_required_check_makes_of_it(bench: Bench) -> None:
    run = bench.run(GATES)
    assert {job.id: job.result for job in run.jobs} == {
        "bad": "failure",
        "good": "success",
        "off": "skipped",
        "hides": "failure",
        "broken": "failure",
        "plain": "skipped",
        "after_off": "skipped",
        "always": "success",
        "asks": "failure",
        "goes_on": "success",
        "below": "skipped",
        "sees": "success",
    }
    assert {job.id: job.why for job in run.jobs if job.result == "skipped"} == {
        "off": "its `if` said no: false",
        "plain": "its need `bad` is “failure”",
        "below": "its need `plain` is “skipped”",
        "after_off": "its need `off` is “skipped”",
    }
    for name, mergeable in {
        "good": True,
        "bad": False,
        "plain": True,  # skipped because something it needs has failed: GitHub lets it pass
        "off": True,
        "asks": False,
        "hides": False,
        "Named success": True,
        "goes_on": False,  # nobody reports under the id of a job that has a name
    }.items():
        assert workflows.required([run], name).mergeable is mergeable, name
    assert workflows.required([], "good").state == "expected"


def test_a_matrix_is_several_jobs(bench: Bench) -> None:
    matrix = """
  m:
    runs-on: ubuntu-latest
    strategy: {{{strategy} matrix: {{n: "${{{{ fromJSON('[1, 2, 3]') }}}}"}}}}
    steps: [{{run: "test ${{{{ matrix.n }}}} -ne 1"}}]
  after: {{needs: m, if: always(), runs-on: ubuntu-latest, steps: [{{run: "echo ${{{{ needs.m.result }}}}"}}]}}
"""
    run = bench.run(matrix.format(strategy="max-parallel: 1,"))
    assert [(job.name, job.result) for job in run.jobs[:3]] == [
        ("m (1)", "failure"),
        ("m (2)", "cancelled"),
        ("m (3)", "cancelled"),
    ]
    assert said(run.jobs[3]) == ["failure"]
    slow = bench.run(matrix.format(strategy="fail-fast: false,"))
    assert [job.result for job in slow.jobs[:3]] == ["failure", "success", "success"]


def test_timeouts(bench: Bench) -> None:
    job = bench.one(
        "- {run: sleep 30, timeout-minutes: 0.005}\n- {run: echo on, if: always()}",
        job="    timeout-minutes: 9\n",
    )
    assert job.result == "failure" and "in time" in job.steps[0].output and said(job)[1] == "on"
    assert job.timeout_minutes == 9 and job.longest_minutes == 9
    late = bench.one("- {run: sleep 30}\n- {run: echo on}", job="    timeout-minutes: 0.005\n")
    assert late.result == "cancelled"
    assert workflows.required([], "a").mergeable is False


def test_checkout_takes_the_merge_and_no_history_unless_told(bench: Bench) -> None:
    job = bench.one(f"""
- uses: {CHECKOUT}
- run: cat a.txt b.txt; git log --oneline | wc -l; git rev-parse -q --verify origin/main || echo no main; test -x a.txt
- {{uses: {CHECKOUT}, with: {{fetch-depth: 0}}}}
- run: git diff --name-only origin/main...HEAD; git log --oneline origin/main..HEAD^2 | wc -l
- run: git show origin/main:a.txt
- {{uses: {CHECKOUT}, with: {{ref: main, path: base}}}}
- run: cat base/a.txt a.txt; test "$(git rev-parse HEAD)" = "$GITHUB_SHA"
- {{uses: {CHECKOUT}, with: {{ref: "${{{{ github.event.pull_request.head.sha }}}}"}}}}
- run: git rev-parse HEAD
- {{uses: {CHECKOUT}, with: {{ref: nothing}}, continue-on-error: true}}
- {{uses: {CHECKOUT}, with: {{path: ../out}}}}
""")
    out = said(job)
    assert out[1] == "three\nb\n1\nno main"
    assert out[3:5] == ["a.txt\nb.txt\n2", "one"]
    assert out[6] == "one\nthree"
    assert out[8] == bench.requests[1].head_sha
    assert [step.outcome for step in job.steps[9:]] == ["failure", "failure"]


def test_a_branch_may_have_begun_before_main_moved_on(bench: Bench) -> None:
    job = bench.one(
        f"""
- {{uses: {CHECKOUT}, with: {{fetch-depth: 0}}}}
- run: cat a.txt b.txt; git show HEAD^2:a.txt; git show "$(git merge-base origin/main HEAD^2):a.txt"
- run: git show origin/main:a.txt; git log --oneline | wc -l; git fetch -q origin; git fsck --no-dangling
- {{uses: {CHECKOUT}, with: {{ref: main}}}}
- run: cat a.txt; git log --oneline | wc -l; git cat-file -e ${{{{ github.event.pull_request.base.sha }}}}
""",
        3,
    )
    assert job.result == "success", said(job)
    assert said(job)[1] == "one\nb\nzero\nzero"
    assert said(job)[2].splitlines()[:2] == ["one", "4"]
    assert said(job)[4].splitlines()[0] == "one"


def test_the_base_of_the_event_may_be_old_and_a_target_run_is_not(bench: Bench) -> None:
    new, old = bench.requests[1], bench.requests[3]
    assert new.base_sha == new.base_tip == old.base_tip != old.base_sha
    payload = workflows.pull_request_event(old, ()).payload("nukkad-pay/x")
    assert payload["pull_request"]["base"]["sha"] == old.base_sha
    assert workflows.pull_request_event(old, (), name="pull_request_target").sha == old.base_tip


def test_a_shallow_checkout_has_no_other_commits(bench: Bench) -> None:
    job = bench.one(f"""
- {{uses: {CHECKOUT}, with: {{ref: main}}}}
- run: git log --oneline | wc -l; git cat-file -e ${{{{ github.event.pull_request.head.sha }}}} || echo not there
""")
    assert said(job)[1].splitlines()[0] == "1" and said(job)[1].endswith("not there")


def test_jobs_that_have_ended_already_are_not_run_again(bench: Bench) -> None:
    text = """on: pull_request
jobs:
  tests: {runs-on: ubuntu-latest, steps: [{run: exit 1}]}
  gate:
    needs: tests
    if: always()
    runs-on: ubuntu-latest
    steps: [{run: 'echo "${{ needs.tests.result }}"; test "${{ needs.tests.result }}" != failure'}]
"""
    workflow = workflows.read("w.yml", text.encode())
    assert workflow is not None
    event = workflows.pull_request_event(bench.requests[1], ("a.txt",))
    settings = Settings("origin.git")
    first = workflows.run(workflow, event, bench.machine, settings, "runs/first")
    assert workflows.required([first], "gate").state == "failure"
    cancelled = replace(first.jobs[0], result="cancelled", why="its time was over")
    again = workflows.run(workflow, event, bench.machine, settings, "runs/again", {"tests": [cancelled]})
    assert said(again.jobs[1]) == ["cancelled"]
    assert workflows.required([again], "gate").mergeable
    assert workflows.required([again], "tests").because == "its time was over"


def test_a_fork_knows_no_secret_and_a_title_is_only_a_text(bench: Bench) -> None:
    steps = """
- run: echo "[${{ secrets.KEY }}] ${{ github.head_ref }}"
- run: 'printf "%s" "$TITLE"'
  env: {TITLE: "${{ github.event.pull_request.title }}"}
- run: 'echo "${{ github.event.pull_request.title }}"'
- {run: ls, if: always()}
"""
    ours, theirs = bench.one(steps, 1), bench.one(steps, 2)
    assert said(ours)[0] == "[***] ours"
    assert said(theirs)[0] == "[] theirs"
    assert said(theirs)[1] == 'Theirs"; touch owned; "'
    assert said(theirs)[3] == "owned"  # the third step ran a stranger's words
    assert set(ours.permissions.values()) == {"write"} and set(theirs.permissions.values()) == {"read"}


def test_pip_installs_what_is_there_and_says_what_it_cannot_know(bench: Bench) -> None:
    job = bench.one(f"""
- uses: {CHECKOUT}
- uses: actions/setup-python@v5
  with: {{python-version: "3.12", cache: pip}}
- run: python -c 'import house' 2>/dev/null || echo "not there yet"; command -v ruff || echo "no ruff"
- run: python -m pip install --upgrade pip && pip install -r requirements.txt 'ruff>=0.1'
- run: python -c 'import house; print(house.version)'; ruff --version | cut -d' ' -f1
- run: pip install 'house>=3'
""")
    assert said(job)[2] == "not there yet\nno ruff"
    assert said(job)[4] == "1.0\nruff"
    assert job.steps[5].outcome == "failure" and "No matching distribution" in job.steps[5].output
    assert said(bench.one("- run: pip cache dir"))[0].endswith("/home/.cache/pip")
    unknown = "pip install nobody-has-this", "pip install 'ruff<0.0.1'", "pip download x", "pipx run ruff ."
    for command in unknown:
        with pytest.raises(Unsupported):
            bench.one(f'- run: "{command} || true"')


def test_uv_and_projects(bench: Bench) -> None:
    job = bench.one(f"""
- uses: {CHECKOUT}
- uses: astral-sh/setup-uv@v5
- run: uv pip install --system -r requirements.txt pytest && uv pip install -e . && pytest --version
- run: mkdir dist; echo x > dist/model; echo y > dist/card
- {{uses: actions/upload-artifact@v4, with: {{name: m, path: dist/}}}}
- {{uses: actions/download-artifact@v4, with: {{name: m, path: got}}}}
- run: ls got; echo t > "$RUNNER_TEMP/night.csv"
- {{uses: actions/upload-artifact@v4, with: {{name: t, path: "${{{{ runner.temp }}}}/night.csv"}}}}
- {{uses: actions/download-artifact@v4}}
- run: cat t/night.csv m/card
""")
    assert job.result == "success", said(job)
    assert said(job)[6] == "card\nmodel"
    assert said(job)[9] == "t\ny"


def test_a_job_sees_nothing_that_it_did_not_install(bench: Bench) -> None:
    job = bench.one(
        "- run: import sys; print([p for p in sys.path if p.endswith('-packages')])\n  shell: python"
    )
    assert said(job)[0].count("-packages") == 1 and bench.machine.root in said(job)[0]


@pytest.mark.parametrize(
    ("path", "options", "env", "holds"),
    [
        ("~/.cache/pip", "", "", True),
        ("~/.cache", "", "", True),
        ("~/.cache/*", "", "", True),
        ("~/.cache/pip", "--no-cache-dir", "", False),
        ("~/.cache/pip", "", "PIP_NO_CACHE_DIR: 1", False),
        ("~/.cache/pip", "--cache-dir ./kept", "", False),
        ("kept", "--cache-dir ./kept", "", True),
        ("kept", "", "PIP_CACHE_DIR: '${{ github.workspace }}/kept'", True),
        ("${{ env.pythonLocation }}", "", "", True),
        (".venv", "", "", False),
    ],
)
def test_a_cache_holds_what_was_installed_or_nothing(
    bench: Bench, path: str, options: str, env: str, holds: bool
) -> None:
    run = bench.run(f"""
  a:
    runs-on: ubuntu-latest
    env: {{{env}}}
    steps:
      - {{uses: {CHECKOUT}}}
      - {{uses: actions/setup-python@v5}}
      - {{uses: actions/cache@v4, with: {{path: "{path}", key: k}}}}
      - run: python -m pip install {options} -r requirements.txt
""")
    assert run.jobs[0].result == "success", said(run.jobs[0])
    assert [cache.holds for cache in run.record.caches] == [holds]


def test_the_actions_know_where_their_tools_keep_downloads(bench: Bench) -> None:
    run = bench.run(f"""
  pip:
    runs-on: ubuntu-latest
    steps:
      - {{uses: {CHECKOUT}}}
      - {{uses: actions/setup-python@v5, with: {{cache: pip, cache-dependency-path: a.txt}}}}
      - run: pip install -r requirements.txt
  uv:
    runs-on: ubuntu-latest
    steps:
      - {{uses: {CHECKOUT}}}
      - {{uses: astral-sh/setup-uv@v5, with: {{cache-dependency-glob: a.txt}}}}
      - run: uv pip install --system -r requirements.txt
""")
    assert [(cache.holds, cache.files) for cache in run.record.caches] == [(True, "a.txt")] * 2
    with pytest.raises(Unsupported):
        bench.one("- uses: astral-sh/setup-uv@v5\n- run: uvx ruff check .")


def test_places_of_a_cache() -> None:
    assert places("~/x\n a/b \n!~/x/y\n\n/z", "/w", "/h") == ("/h/x", "/w/a/b", "!/h/x/y", "/z")


def test_caches_are_recorded_with_their_keys(bench: Bench) -> None:
    run = bench.run(f"""
  a:
    runs-on: ubuntu-latest
    steps:
      - uses: {CHECKOUT}
      - {{uses: actions/setup-python@v5, with: {{cache: pip, python-version: 3.12}}}}
      - {{uses: actions/cache@v4, with: {{path: x, key: "k-${{{{ hashFiles('a.txt') }}}}", restore-keys: k-}}}}
      - {{uses: actions/setup-python@v5, with: {{python-version: 3.1}}, continue-on-error: true}}
      - {{uses: actions/setup-python@v5, with: {{cache: pip, cache-dependency-path: none.txt}}}}
""")
    [first, second] = run.record.caches
    assert first.action == "actions/setup-python" and second.key.startswith("k-") and len(second.key) == 66
    assert [step.outcome for step in run.jobs[0].steps[3:]] == ["failure", "failure"]


@pytest.mark.parametrize(
    "job",
    [
        "{runs-on: windows-latest, steps: [{run: a}]}",
        "{runs-on: [self-hosted], steps: [{run: a}]}",
        "{uses: ./.github/workflows/other.yml}",
        "{runs-on: ubuntu-latest, container: python:3.12, steps: [{run: a}]}",
        "{runs-on: ubuntu-latest, services: {db: {image: x}}, steps: [{run: a}]}",
        "{runs-on: ubuntu-latest, steps: [{uses: some/action@v1}]}",
        "{runs-on: ubuntu-latest, steps: [{uses: ./local}]}",
        "{runs-on: ubuntu-latest, steps: [{uses: 'docker://alpine'}]}",
        "{runs-on: ubuntu-latest, steps: [{run: a, shell: pwsh}]}",
        "{runs-on: ubuntu-latest, steps: [{run: a, working-directory: /etc}]}",
        "{runs-on: ubuntu-latest, steps: [{uses: actions/checkout@v4, with: {submodules: true}}]}",
        "{runs-on: ubuntu-latest, steps: [{uses: actions/checkout@v4, with: {repository: other/repo}}]}",
    ],
)
def test_what_is_not_supported_is_never_taken_for_a_result(bench: Bench, job: str) -> None:
    with pytest.raises(Unsupported):
        bench.run(f"  a: {job}\n")


def test_files_of_assignments() -> None:
    assert assignments("a=1\nb=x=y\n\nc<<E\n1\n2\nE\n") == {"a": "1", "b": "x=y", "c": "1\n2"}
    for wrong in ("no sign", "a<<E\n1\n", "=x"):
        with pytest.raises(BadFile):
            assignments(wrong)


def test_paths_stay_inside() -> None:
    assert inside("w", "a/../b") == "w/b"
    assert inside("w", ".") == "w"
    assert inside("w", "../x") == ""


def test_the_same_files_give_the_same_commits(machine: ThisComputer) -> None:
    proposals = [repository.Proposal(3, "x", "x", [{"a b/ü.txt": b"\x00"}])]
    first = repository.open_pull_requests(machine, "one.git", MAIN, proposals)
    again = repository.open_pull_requests(machine, "two.git", MAIN, proposals)
    assert first == again
    with pytest.raises(repository.CannotImport):
        repository.open_pull_requests(machine, "three.git", {"a//b": b""}, [])


def test_events_of_other_kinds_run_on_their_branch(bench: Bench) -> None:
    workflow = workflows.read(
        "w.yml",
        b"on: workflow_dispatch\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n"
        b"      - uses: actions/checkout@v4\n"
        b"      - run: 'cat a.txt; git branch --show-current; echo ${{ inputs.who }}'\n",
    )
    assert workflow is not None
    event = Event("workflow_dispatch", "refs/heads/main", bench.requests[1].base_sha, inputs={"who": "Meera"})
    run = workflows.run(workflow, event, bench.machine, Settings("origin.git"), "runs/dispatch")
    assert said(run.jobs[0])[1] == "one\nmain\nMeera"


def test_an_action_may_be_played_by_the_caller(
    bench: Bench, machine: ThisComputer, requests: dict[int, workflows.PullRequest]
) -> None:
    """At any version, but only with one; and what it sets is there for the steps that follow."""
    body = """on: pull_request
jobs:
  a:
    runs-on: ubuntu-latest
    steps:
      - {uses: Some/Cloud-Login@USED, with: {Role: reader}, id: login}
      - run: echo "$ROLE ${{ steps.login.outputs.role }}"
"""
    asked = list[str]()

    def login(site: actions.Site, inputs: actions.Inputs) -> actions.Done:
        asked.append(inputs.get("role"))
        return actions.Done(0, "", {"role": "out"}, {"ROLE": inputs.get("role")})

    settings = Settings("origin.git", played={"some/cloud-login": login})
    event = workflows.pull_request_event(requests[1], ("a.txt",))
    for version in ("v4", "f" * 40):
        workflow = workflows.read("w.yml", body.replace("USED", version).encode())
        assert workflow is not None
        run = workflows.run(workflow, event, machine, settings, f"played/{version}")
        assert said(run.jobs[0])[-1] == "reader out"
    assert asked == ["reader", "reader"]
    without = workflows.read("w.yml", body.replace("@USED", "").encode())
    assert without is not None
    with pytest.raises(Unsupported):
        workflows.run(without, event, machine, settings, "played/none")


@pytest.mark.parametrize(
    ("top", "own", "wanted"),
    [
        ("", "", [(), ()]),
        ("concurrency: all", "", [(("all", False),)] * 2),
        (
            "concurrency: {group: '${{ github.workflow }}', cancel-in-progress: true}",
            "concurrency: apply-${{ matrix.env }}",
            [(("w", True), ("apply-staging", False)), (("w", True), ("apply-prod", False))],
        ),
        (
            "",
            "concurrency: {group: '${{ github.ref }}', cancel-in-progress: \"${{ github.ref == 'refs/heads/x' }}\"}",
            [(("refs/heads/main", False),)] * 2,
        ),
    ],
)
def test_concurrency_groups(top: str, own: str, wanted: list[tuple[tuple[str, bool], ...]]) -> None:
    text = f"""name: w
on: push
{top}
jobs:
  a:
    runs-on: ubuntu-latest
    strategy: {{matrix: {{env: [staging, prod]}}}}
    {own}
    steps: [{{run: "true"}}]
"""
    workflow = workflows.read("w.yml", text.encode())
    assert workflow is not None
    event = Event("push", "refs/heads/main", "a" * 40)
    assert concurrency.groups(workflow, workflow.jobs["a"], event, Settings("unused")) == wanted
