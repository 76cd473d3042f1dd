"""The command `labs`, run as a program: exit codes, what it says, what it leaves behind."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fake_course import Labs, end, make_course, wait_for

ESCAPE = "\x1b"


@pytest.fixture
def labs(tmp_path: Path) -> Labs:
    return Labs(make_course(tmp_path / "course"))


@pytest.fixture
def begun(labs: Labs) -> Labs:
    assert labs("start", "sort_logs").returncode == 0
    return labs


def on_a_terminal(labs: Labs, *arguments: str, **env: str) -> tuple[int, str]:
    """Run with a terminal of 90 columns for stdout and stderr: status and everything that was drawn."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        labs._argv(arguments),
        cwd=labs.root,
        env=labs._env({"TERM": "xterm-256color", "COLUMNS": "90", **env}),
        stdin=subprocess.DEVNULL,
        stdout=follower,
        stderr=follower,
    )
    os.close(follower)
    drawn = b""
    while process.poll() is None or select.select([leader], [], [], 0.05)[0]:
        if select.select([leader], [], [], 0.05)[0]:
            try:
                drawn += os.read(leader, 65536)
            except OSError:  # Linux: the other end is closed
                break
    os.close(leader)
    return process.wait(20), drawn.decode()


# --- help, version, completion -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command", ["list", "start", "check", "hint", "reset", "solution", "new", "verify", "doctor", "grade"]
)
def test_every_command_teaches_by_an_example_with_a_real_lab(labs: Labs, command: str) -> None:
    done = labs(command, "-h")
    assert done.returncode == 0
    assert re.search(rf"Examples?:\n +labs {command}\b", done.stdout)
    assert not re.search(r"\bA_[A-Z]+", done.stdout)


def test_help_is_whole_and_works_in_a_broken_course(labs: Labs) -> None:
    whole = labs("--help")
    assert "labs start sort_logs" in whole.stdout
    assert "..." not in whole.stdout.split("Commands:")[1]
    (labs.root / "stage1_first" / "stage.toml").write_text("title =")
    broken = labs("--help")
    assert broken.returncode == 0
    assert "labs start LAB" in broken.stdout


def test_no_command_shows_the_help(labs: Labs) -> None:
    done = labs()
    assert done.returncode == 0
    assert "Usage: labs" in done.stdout


def test_version(labs: Labs) -> None:
    assert re.fullmatch(r"labs \d+\.\d+\.\d+\n", labs("--version").stdout)


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("labs start s", ["sort_logs", "serve_things"]), ("labs check st", ["stage1_first", "stage2_second"])],
)
def test_completion_offers_slugs_and_stages(labs: Labs, typed: str, offered: list[str]) -> None:
    words = {"_LABS_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": "2"}
    assert labs(**words).stdout.split() == offered


# --- bad input ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["check", "sort_log"], "Did you mean `sort_logs`?"),
        (["start", "ship_things"], "on the roadmap and not written yet"),
        (["check", "stage2"], "No lab of stage2 is written yet."),
        (["check", "--all", "sort_logs"], "Give either names or --all."),
        (["check", "--all", "--only", "starts"], "--only starts needs one lab, and these are 2."),
        (["check", "sort_logs", "--only", "reject"], "It has: rejects."),
        (["check", "sort_logs", "--watch", "--json"], "--watch goes with neither"),
        (["check"], "labs start sort_logs"),
        (["check", "--seed", "x"], "--seed"),
        (["check", "--seed", "0"], "--seed"),
        (["check", "--nonsense"], "No such option"),
        (["dance"], "No such command"),
        (["hint", "sort_logs"], "First: labs check sort_logs"),
        (["solution", "sort_logs"], "--give-up"),
        (["check", "sort_logs", "--watch"], "labs start sort_logs"),
    ],
)
def test_bad_input_is_a_sentence_and_exit_2(labs: Labs, arguments: list[str], said: str) -> None:
    done = labs(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_malformed_lab_toml_is_a_sentence_and_spares_the_other_labs(labs: Labs) -> None:
    (labs.root / "stage1_first" / "01_sort_logs" / "lab.toml").write_text("slug =")
    done = labs("list")
    assert done.returncode == 0
    assert "serve_things" in done.stdout
    assert "lab.toml: not TOML" in done.stderr
    asked = labs("check", "sort_logs")
    assert asked.returncode == 2
    assert "lab.toml: not TOML" in asked.stderr
    assert "Traceback" not in done.stderr + asked.stderr
    (labs.root / "stage1_first" / "stage.toml").write_text("title =")
    assert "stage.toml: not TOML" in labs("list").stderr


# --- start, check, the exit codes --------------------------------------------------------------------------------


def test_start_says_where_what_to_read_and_what_next(labs: Labs) -> None:
    done = labs("start", "serve_things")
    assert done.returncode == 0
    assert "work/serve_things/   (app.py)" in done.stdout
    assert "stage1_first/02_serve_things/README.md" in done.stdout
    assert "builds on sort_logs, which you have not passed" in done.stdout
    assert "labs check serve_things" in done.stdout
    labs.write("serve_things", "mine")
    again = labs("start", "serve_things")
    assert again.returncode == 0
    assert "nothing was changed" in again.stdout
    assert (labs.work("serve_things") / "app.py").read_text() == "mine"


@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        ("pass", 0, "Passed."),
        ("fail", 1, "  wanted  status 422"),
        ("not started", 1, "Read the brief"),
        ("cannot", 3, "labs doctor"),
        ("broken", 4, "our fault, not yours"),
    ],
)
def test_the_exit_code_says_how_it_went(begun: Labs, text: str, status: int, said: str) -> None:
    begun.write("sort_logs", text)
    done = begun("check", "sort_logs")
    assert done.returncode == status
    assert said in done.stdout


def test_a_lab_without_a_folder_is_not_started(labs: Labs) -> None:
    done = labs("check", "sort_logs")
    assert done.returncode == 1
    assert done.stdout == "○ sort_logs · not started · begin with: labs start sort_logs\n"


def test_check_without_a_name_takes_the_folder_you_are_in_else_the_last_started(begun: Labs) -> None:
    labs = begun
    labs("start", "serve_things")
    assert labs("check").stdout.startswith("serve_things ·")
    assert labs("check", cwd=labs.work("sort_logs") / "conf").stdout.startswith("sort_logs ·")
    labs("start", "sort_logs")
    assert labs("check").stdout.startswith("sort_logs ·")


def test_a_stage_or_all_are_checked_with_a_total(begun: Labs) -> None:
    begun.write("sort_logs", "pass")
    for names in (["stage1"], ["--all"]):
        done = begun("check", *names)
        assert done.returncode == 1
        assert "○ serve_things · not started" in done.stdout
        assert done.stdout.endswith("1 of 2 labs passed · 6 of 36 points\n")


def test_json_is_all_that_stdout_holds(begun: Labs) -> None:
    begun.write("sort_logs", "fail")
    done = begun("check", "--all", "--json", "--seed", "9")
    body = json.loads(done.stdout)
    assert done.returncode == 1
    assert body["schema"] == 1
    assert body["not_started"] == ["serve_things"]
    (result,) = body["results"]
    assert (result["lab"], result["seed"], result["state"], result["earned"]) == ("sort_logs", 9, "failed", 1)
    assert [check["state"] for check in result["checks"]] == ["passed", "failed", "could not check"]


def test_one_check_alone_is_shown_and_not_remembered(begun: Labs) -> None:
    begun.write("sort_logs", "pass")
    begun("check", "sort_logs")
    begun.write("sort_logs", "fail")
    done = begun("check", "sort_logs", "--only", "rejects")
    assert done.returncode == 1
    assert done.stdout.startswith("sort_logs · 0 of 2 points · only rejects\n\n✗ refuses")
    assert done.stdout.rstrip().endswith("then: `labs check sort_logs --only rejects`")
    assert "passed" in begun("list").stdout, "the board keeps what everything came to"
    begun.write("sort_logs", "pass")
    done = begun("check", "sort_logs", "--only", "rejects")
    assert done.returncode == 0 and done.stdout.rstrip().endswith("Now everything: `labs check sort_logs`")
    assert json.loads(begun("check", "--only", "rejects", "--json").stdout)["results"][0]["only"] == "rejects"


def test_the_solution_can_be_checked_without_any_work(labs: Labs) -> None:
    done = labs("check", "sort_logs", "--solution")
    assert done.returncode == 0
    assert not labs.work("sort_logs").exists()
    assert not (labs.root / "work").exists()


def test_an_error_of_the_grader_is_a_sentence_and_a_bug_an_apology(begun: Labs) -> None:
    begun.write("sort_logs", "refuse")
    refused = begun("check")
    assert (refused.returncode, refused.stderr) == (2, "✗ The folder cannot be graded.\n  next  Mend it.\n")
    begun.write("sort_logs", "crash")
    crashed = begun("check")
    assert crashed.returncode == 4
    assert "this is our fault, not yours" in crashed.stderr
    assert "RuntimeError: a bug of ours" in crashed.stderr
    assert "Report it" in crashed.stderr
    assert (begun.root / "closed").exists()


# --- what is shown where -----------------------------------------------------------------------------------------


def test_a_pipe_gets_no_colours_and_hears_of_progress_on_stderr(begun: Labs) -> None:
    begun.write("sort_logs", "fail slow")
    done = begun("check", TERM="xterm-256color", COLORTERM="truecolor")
    assert ESCAPE not in done.stdout + done.stderr
    assert "checking sort_logs …" in done.stderr
    assert "  3/3 – finishes what it began" in done.stderr
    assert "[red]at[/red]" in done.stdout
    assert "isolation: sealed" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_terminal_gets_colours_and_a_live_list(begun: Labs) -> None:
    begun.write("sort_logs", "fail slow")
    status, drawn = on_a_terminal(begun, "check")
    assert status == 1
    assert f"{ESCAPE}[" in drawn
    assert "1 of 3 checks" in drawn
    assert drawn.rstrip().splitlines()[-1].startswith("Mend what is explained above")


def test_no_color_takes_every_style_away(begun: Labs) -> None:
    begun.write("sort_logs", "fail")
    for command in ("check", "list"):
        _, drawn = on_a_terminal(begun, command, NO_COLOR="1")
        assert not re.search(r"\x1b\[[\d;]+m", drawn)


def test_a_reader_that_leaves_early_is_no_error_of_ours(begun: Labs) -> None:
    command = " ".join([*begun._argv(("list",)), "| head -n 1"])
    done = subprocess.run(command, shell=True, env=begun._env({}), capture_output=True, text=True, timeout=30)
    assert done.stdout.startswith("Stage 1")
    assert "Traceback" not in done.stderr


def test_an_old_locale_gets_question_marks_and_no_crash(begun: Labs) -> None:
    done = begun("list", PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert "? sort_logs" in done.stdout


# --- the board ---------------------------------------------------------------------------------------------------


def test_the_board_follows_the_learner(labs: Labs) -> None:
    def board() -> dict[str, str]:
        """What stands at the end of each lab's line, and the next command."""
        rows = [line.split() for line in labs("list").stdout.splitlines() if line.strip()]
        return {
            word: " ".join(row[-4:]) for row in rows for word in row[:2] if "_" in word or word == "Next:"
        }

    seen = board()
    assert seen["sort_logs"].endswith("points not started")
    assert seen["ship_things"].endswith("coming")
    assert seen["Next:"] == "Next: labs start sort_logs"
    labs("start", "sort_logs")
    seen = board()
    assert seen["sort_logs"].endswith("points started")
    assert seen["Next:"] == "Next: labs check sort_logs"
    labs.write("sort_logs", "fail")
    labs("check")
    assert board()["sort_logs"] == "1 of 12 points"
    labs.write("sort_logs", "pass")
    labs("check")
    seen = board()
    assert seen["sort_logs"].endswith("points passed")
    assert seen["Next:"] == "Next: labs start serve_things"


def test_the_board_as_json(begun: Labs) -> None:
    body = json.loads(begun("list", "--json").stdout)
    assert body["next"]["command"] == "labs check sort_logs"
    assert [lab["state"] for lab in body["stages"][0]["labs"]] == ["started", "not started"]
    assert body["stages"][1]["coming"] == [{"slug": "ship_things", "title": "Ship things"}]


def test_corrupt_progress_is_set_aside_with_a_word(begun: Labs) -> None:
    (begun.root / "work" / ".labs" / "sort_logs.json").write_text("{torn")
    done = begun("list")
    assert done.returncode == 0
    assert "could not be read" in done.stderr
    assert len(list((begun.root / "work" / ".labs").glob("*.corrupt-*"))) == 1
    assert begun("list").stderr == ""


# --- hints, reset, solution --------------------------------------------------------------------------------------


def test_hints_come_one_by_one_for_the_first_failure(begun: Labs) -> None:
    begun.write("sort_logs", "fail")
    begun("check")
    first, second, third = (begun("hint", "sort_logs").stdout for _ in range(3))
    assert "refuses a transaction" in first
    assert "1. Which status says" in first and "2. Constrain" not in first
    assert "2. Constrain" in second and "1. Which" not in second
    assert "1. Which" in third and "2. Constrain" in third and "--give-up" in third


def test_a_hint_for_a_named_check_keeps_its_code_whole(labs: Labs) -> None:
    shown = [labs("hint", "sort_logs", "starts").stdout for _ in range(3)]
    assert "Look at the top." in shown[0]
    assert "     1. not an item\n     ## not a heading\n     app = FastAPI()" in shown[2]
    unknown = labs("hint", "sort_logs", "nope")
    assert unknown.returncode == 2 and "starts, rejects" in unknown.stderr


def test_nothing_to_hint_at_once_all_passed(begun: Labs) -> None:
    begun.write("sort_logs", "pass")
    begun("check")
    done = begun("hint", "sort_logs")
    assert done.returncode == 0 and "nothing to hint at" in done.stdout


def test_reset_says_where_the_backup_is(begun: Labs) -> None:
    begun.write("sort_logs", "mine")
    done = begun("reset", "sort_logs", cwd=begun.work("sort_logs"))
    (backup,) = (begun.root / "work" / ".backups").iterdir()
    assert (backup / "app.py").read_text() == "mine"
    assert str(backup) in done.stdout
    assert f"cd {begun.work('sort_logs')}" in done.stdout  # the shell stands in the backup now
    assert (begun.work("sort_logs") / "app.py").read_text() == "not started\n"


def test_the_solution_is_shown_after_passing_or_giving_up(begun: Labs) -> None:
    assert begun("solution", "sort_logs").returncode == 2
    given_up = begun("solution", "sort_logs", "--give-up")
    assert given_up.returncode == 0
    assert (begun.root / "work" / "sort_logs-solution" / "app.py").read_text() == "pass\n"
    begun.write("sort_logs", "pass")
    begun("check")
    begun.write("sort_logs", "fail")
    begun("check")
    assert begun("solution", "sort_logs").returncode == 0  # once passed, it stays open
    assert (begun.work("sort_logs") / "app.py").read_text() == "fail"


# --- disks that refuse -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["a file", "/proc/nukkad"])
def test_a_work_folder_that_cannot_be_written_is_a_sentence(labs: Labs, where: str) -> None:
    if where == "a file":
        (labs.root / "file").write_text("")
        where = str(labs.root / "file" / "work")
    done = labs("start", "sort_logs", LABS_WORK=where)
    assert done.returncode == 2
    assert "export LABS_WORK=" in done.stderr
    assert "Traceback" not in done.stderr
    assert labs("list", LABS_WORK=where).returncode == 0


def test_the_work_folder_can_be_moved(labs: Labs, tmp_path: Path) -> None:
    elsewhere = str(tmp_path / "else where")
    assert labs("start", "sort_logs", LABS_WORK=elsewhere).returncode == 0
    assert (tmp_path / "else where" / "sort_logs" / "app.py").exists()
    assert labs("check", LABS_WORK=elsewhere).returncode == 1
    assert not (labs.root / "work").exists()


def test_a_result_that_cannot_be_saved_is_shown_all_the_same(begun: Labs) -> None:
    begun.write("sort_logs", "pass")
    hidden = begun.root / "work" / ".labs"
    for path in hidden.iterdir():
        path.unlink()
    hidden.rmdir()
    hidden.write_text("in the way")
    done = begun("check", "sort_logs")
    assert done.returncode == 0
    assert "Passed." in done.stdout
    assert "This result was not saved." in done.stderr


# --- Ctrl-C and --watch ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_ends_the_grader_and_saves_nothing_half(begun: Labs, number: int, status: int) -> None:
    begun.write("sort_logs", "pass slow")
    process = begun.begin("check")
    wait_for(begun.root / "grading")
    code, out, err = end(process, number)
    assert code == status
    assert (begun.root / "closed").exists()
    assert out == ""
    assert "Traceback" not in err
    if number == signal.SIGINT:
        assert err.splitlines()[-1] == "Stopped. Your files are as you left them."
    saved = json.loads((begun.root / "work" / ".labs" / "sort_logs.json").read_text())
    assert saved["result"] is None
    assert [path.name for path in (begun.root / "work" / ".labs").iterdir()] == ["sort_logs.json"]


def test_watch_checks_again_at_every_save_and_survives_a_reset(begun: Labs) -> None:
    process = begun.begin("check", "--watch")
    saved = begun.root / "work" / ".labs" / "sort_logs.json"

    def reaches(earned: int) -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            result = json.loads(saved.read_text())["result"]
            if result and result["earned"] == earned:
                return
            time.sleep(0.05)
        raise AssertionError(f"{earned} points were not reached")

    reaches(0)
    begun.write("sort_logs", "fail")
    reaches(1)
    begun.write("sort_logs", "refuse")
    time.sleep(1)
    begun.write("sort_logs", "pass")
    reaches(6)
    begun("reset", "sort_logs")
    reaches(0)
    begun.write("sort_logs", "pass")
    reaches(6)
    code, out, err = end(process)
    assert code == 130
    assert "The folder cannot be graded." in err
    assert out.count("Watching for your next save.") >= 4
    assert err.splitlines()[-1] == "Stopped. Your files are as you left them."
    assert (begun.root / "closed").exists()


# --- quick -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", ["list", "--help", "check --help"])
def test_the_board_and_the_help_import_nothing_heavy(arguments: str) -> None:
    script = (
        f"import sys; sys.argv = ['labs', *{arguments.split()}]\n"
        "from labs.cli import main\nmain()\nprint(*sys.modules)"
    )
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, timeout=60
    )
    loaded = {name.split(".")[0] for name in done.stdout.splitlines()[-1].split()}
    assert (
        loaded & {"numpy", "pandas", "httpx", "pyarrow", "mlflow", "sklearn", "fastapi", "watchfiles"}
        == set()
    )
    assert "labs.grading" not in done.stdout.splitlines()[-1].split()
