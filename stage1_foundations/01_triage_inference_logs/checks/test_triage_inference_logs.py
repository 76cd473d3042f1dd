"""Watches what triage.sh makes of a night's logs."""

import io
import json
import shutil
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import odd_lines
from labs.checks import CouldNotCheck, check
from log_maker import (
    IST,
    NIGHT,
    UTC,
    as_line,
    cut_short,
    draw,
    endless_line,
    log_of,
    packed,
    shuffled,
    time_out,
    write_big,
)
from right_report import of_models
from triage_run import (
    CAP_MB,
    OLD,
    agrees,
    counts_of,
    has_failed,
    holds_only,
    is_honest,
    is_untouched,
    one_bad_in_each,
    only,
    put,
    triage,
    whole,
)

MB = 2**20
PYTHONS = ("python", "python3", "python3.11", "python3.12", "python3.13")
TOOLS = ("zcat", "gzip", "gunzip", "sort", "awk", "gawk", "mawk", "jq", "tee", "mv", "cp", "ln", "install")
DIES_HALFWAY = "#!/bin/sh\nprintf '{\"models\": {'\nkill -9 $$\n"


@check(points=2)
def writes_a_report(work, rng):
    """writes a report: how many requests each model had, and how many lines each file"""
    requests = draw(rng, 80)
    wanted = {
        **counts_of(requests),
        "lines": {"read": 80, "counted": 80, "bad": 0, "outside_window": 0, "duplicate": 0},
        "files": {"a.jsonl.gz": whole(30), "b.jsonl.gz": whole(50)},
        "since": None,
        "until": None,
    }
    triage(work, {"a.jsonl.gz": log_of(requests[:30]), "b.jsonl.gz": log_of(requests[30:])}, wanted=wanted)


@check(points=1, after=writes_a_report)
def counts_errors(work, rng):
    """counts server errors and timeouts as errors, and not what the caller got wrong"""
    requests = draw(rng, 150)
    requests[::9] = [time_out(request) for request in requests[::9]]
    requests[1::9] = [replace(r, status=int(rng.integers(500, 600))) for r in requests[1::9]]
    requests[2::9] = [replace(r, status=int(rng.integers(400, 500))) for r in requests[2::9]]
    wanted = only(of_models(requests), "errors", "error_rate")
    hint = "An error: `status` is 500 or more, or `timeout` is true. 4xx is the caller's mistake."
    triage(work, {"a.jsonl.gz": log_of(requests)}, wanted=wanted, hint=hint)


@check(points=2, after=writes_a_report)
def takes_nearest_rank_percentiles(work, rng):
    """takes p50, p95 and p99 by nearest rank, over all requests, failed ones too"""
    requests = []
    for count in (1, 2, 7, 20, 41, 100, 199):
        some = [replace(request, model=f"of_{count}") for request in draw(rng, count, ["fraud"])]
        requests += [time_out(request) if i % 6 == 5 else request for i, request in enumerate(some)]
    wanted = only(of_models(requests), "p50_ms", "p95_ms", "p99_ms")
    hint = "Sort all N latencies, those of failed requests too; take the one at rank ceil(p / 100 × N)."
    triage(work, {"a.jsonl.gz": log_of(requests)}, wanted=wanted, hint=hint)


@check(points=2, after=writes_a_report)
def reads_every_unit(work, rng):
    """reads each line's latency in the unit that its field names"""
    requests = [
        replace(request, model=model, endpoint=f"/{unit}")
        for model in ("fraud", "offers")
        for unit, request in zip(("s", "ms", "us"), draw(rng, 3), strict=True)
    ]
    log = packed(request.line(request.endpoint[1:]) for request in requests)
    hint = "The field of each line says its unit. During a rollout one model's file holds all three."
    triage(work, {"a.jsonl.gz": log}, wanted=only(of_models(requests), "slowest_endpoints"), hint=hint)


@check(points=1, after=takes_nearest_rank_percentiles)
def ranks_the_slowest_endpoints(work, rng):
    """names the three endpoints with the highest p95; of equals, the first in the alphabet"""
    base = int(rng.integers(200_000, 400_000))
    latencies = {
        "/zebra": [base] * 25,
        "/steady": [base + 5_000] * 10,
        "/one-bad-moment": [base // 4] * 39 + [base * 900],
        "/apple": [base] * 25,
        "/mango": [base] * 3,
    }
    requests = [
        replace(request, endpoint=endpoint, latency_us=latency)
        for endpoint, each in latencies.items()
        for request, latency in zip(draw(rng, len(each), ["fraud"]), each, strict=True)
    ]
    wanted = only(of_models(requests), "slowest_endpoints")
    hint = "Sort by p95, highest first, then by name. A mean or a maximum follows one bad moment."
    triage(work, {"a.jsonl.gz": log_of(requests)}, wanted=wanted, hint=hint)


@check(points=2, after=writes_a_report)
def counts_torn_lines(work, rng):
    """counts each line that is no JSON object as bad, and every line around it as usual"""
    logs, good = odd_lines.torn(rng)
    hint = "Parse each line by itself, as bytes. The file's name says what its second line holds."
    triage(work, logs, wanted=one_bad_in_each(logs, good), hint=hint)


@check(points=2, after=writes_a_report)
def refuses_impossible_values(work, rng):
    """counts each object that cannot be true as bad: a field missing, of another type, or impossible"""
    logs, good = odd_lines.impossible(rng)
    hint = "Check every field of the contract, type and range. The file's name says what is wrong in it."
    triage(work, logs, wanted=one_bad_in_each(logs, good), hint=hint)


@check(points=1, after=writes_a_report)
def counts_odd_but_right_lines(work, rng):
    """counts lines that look odd and are right"""
    logs, requests = odd_lines.right_but_odd(rng)
    wanted = {"files": {name: whole(1) for name in logs}, **counts_of(requests, "errors")}
    hint = "The contract allows this line. The file's name says what is odd about it."
    triage(work, logs, wanted=wanted, hint=hint)


@check(points=2, after=writes_a_report)
def counts_a_delivery_once(work, rng):
    """counts a request once, however often the shipper delivered its line"""
    requests = draw(rng, 60)
    requests += [replace(r, model="shared", request_id=requests[0].request_id) for r in draw(rng, 1)]
    lines = [request.line() for request in requests]
    again = [as_line(dict(sorted(r.record().items())), separators=(",", ":")) for r in requests[25:40]]
    logs = {"a.jsonl.gz": packed(lines[:40] + lines[3:8]), "b.jsonl.gz": packed(again + lines[40:])}
    wanted = {"lines": {"read": 81, "counted": 61, "duplicate": 20, "bad": 0}, **counts_of(requests)}
    hint = "A request is its `model` and its `request_id` together. Copies differ in spelling, and in file."
    triage(work, logs, wanted=wanted, hint=hint)


@check(points=2, after=writes_a_report)
def keeps_to_the_window(work, rng):
    """counts what lies from `--since` up to, but not including, `--until`, in any order and offset"""
    requests = draw(rng, 200)
    since, until = (
        NIGHT + timedelta(milliseconds=int(rng.integers(ms, ms + 3_600_000))) for ms in (0, 7_200_000)
    )
    for i, at in enumerate(
        (since, since - timedelta(milliseconds=1), until, until - timedelta(milliseconds=1))
    ):
        requests[i] = replace(requests[i], at=at)
    requests = shuffled(rng, requests)
    lines = [request.line(zone=IST if i % 3 else UTC) for i, request in enumerate(requests)]
    logs = {"a.jsonl.gz": packed(lines[:120]), "b.jsonl.gz": packed(lines[120:])}
    low, high = since.astimezone(IST).isoformat(), until.isoformat().replace("+00:00", "Z")
    hint = "Compare instants, not text. Lines are in no order of time: read every file to its end."
    for options, inside in {
        ("--since", low, "--until", high): [r for r in requests if since <= r.at < until],
        ("--until", high): [r for r in requests if r.at < until],
    }.items():
        counts = {"read": 200, "counted": len(inside), "outside_window": 200 - len(inside)}
        window = {"since": low if "--since" in options else None, "until": high}
        triage(work, logs, *options, wanted={"lines": counts, **counts_of(inside), **window}, hint=hint)


@check(points=1, after=writes_a_report)
def reads_every_gzip_member(work, rng):
    """reads a file of several gzip members to its end, and one that holds no line"""
    requests = draw(rng, 90)
    logs = {"a.jsonl.gz": packed([r.line() for r in requests], members=7), "quiet.jsonl.gz": packed([])}
    wanted = {"files": {"a.jsonl.gz": whole(90), "quiet.jsonl.gz": whole(0)}, **counts_of(requests)}
    hint = "Each flush of a shipper appends a new gzip member, in the middle of a line if need be."
    triage(work, logs, wanted=wanted, hint=hint)


@check(points=2, after=counts_torn_lines)
def reads_a_file_that_was_cut_short(work, rng):
    """counts what can be read of a file that was cut short, names it, and exits 3"""
    first, early, late, sound = (draw(rng, count) for count in (120, 50, 100, 40))
    cut, read = cut_short(rng, [request.line() for request in first])
    cut_later, read_later = cut_short(rng, [request.line() for request in late])
    logs = {
        "cut.jsonl.gz": cut,
        "cut-in-its-second-member.jsonl.gz": log_of(early) + cut_later,
        "sound.jsonl.gz": log_of(sound),
    }
    wanted = {
        "files": {
            "cut.jsonl.gz": whole(read + 1, bad=1) | {"state": "damaged"},
            "cut-in-its-second-member.jsonl.gz": whole(50 + read_later + 1, bad=1) | {"state": "damaged"},
            "sound.jsonl.gz": whole(40),
        },
        **counts_of(first[:read] + early + late[:read_later] + sound),
    }
    hint = "Keep the lines before the cut; the torn piece is one bad line. Go on; lose no status in a pipe."
    triage(work, logs, status=3, wanted=wanted, hint=hint)


@check(points=1, after=writes_a_report)
def names_files_it_cannot_read(work, rng):
    """names files that are no sound gzip, or not there behind their link, and exits 3"""
    sound = draw(rng, 30, ["fraud", "offers"])
    wrong_checksum = bytearray(log_of(draw(rng, 30, ["assist"])))
    wrong_checksum[-8] ^= 0xFF
    logs = {
        "error-page.jsonl.gz": b"<html><h1>502 Bad Gateway</h1></html>\n",
        "sound.jsonl.gz": log_of(sound),
        "wrong-checksum.jsonl.gz": bytes(wrong_checksum),
        "zero-bytes.jsonl.gz": b"",
    }
    wanted = {"files": {name: {"state": "damaged"} for name in logs}, **counts_of(sound)}
    wanted["files"] |= {"sound.jsonl.gz": whole(30), "latest.jsonl.gz": {"state": "unreadable"}}
    work.put("logs/README.txt", "")
    work.run("ln", "-s", "gone.jsonl.gz", "logs/latest.jsonl.gz")
    hint = "One bad file must not stop the others, and must not be forgotten either."
    triage(work, logs, status=3, wanted=wanted, hint=hint)


@check(points=1, after=writes_a_report)
def reads_any_file_name(work, rng):
    """reads every `*.jsonl.gz` directly in the folder, whatever its name, and nothing else"""
    names = ("fraud 7 Jan", "-v", "50% [new]*", "$HOME's", "नुक्कड़")
    requests = {f"{name}.jsonl.gz": draw(rng, 10) for name in names}
    for other in ("fraud.jsonl", "fraud.jsonl.gz.part", "old/fraud.jsonl.gz"):
        work.put(f"night shift/{other}", log_of(draw(rng, 5)))
    logs = {name: log_of(each) for name, each in requests.items()}
    wanted = {
        "files": {name: whole(10) for name in requests},
        "lines": {"read": 10 * len(requests)},
        **counts_of([request for each in requests.values() for request in each]),
    }
    hint = 'Quote every expansion: "$file", "${files[@]}". Names in one string cannot be parted again.'
    triage(work, logs, folder="night shift", wanted=wanted, hint=hint)


@check(points=1, after=writes_a_report)
def refuses_wrong_usage(work, rng):
    """refuses a command line that it cannot understand: says so on stderr, exits 2, touches nothing"""
    put(work, {"a.jsonl.gz": log_of(draw(rng, 5))})
    work.put("report.json", OLD)
    paths = ("logs", "report.json")
    for words in (
        (),
        ("logs",),
        (*paths, "more"),
        ("--fast", *paths),
        ("--since", "yesterday", *paths),
        ("--since", "2026-01-07T00:00:00", *paths),
        ("--since", "2026-01-07T00:00:00+05:30", "--until", "2026-01-06T18:29:59Z", *paths),
    ):
        finished = work.run("bash", "triage.sh", *words)
        finished.expect(
            status=2, hint="Check every argument before any work. A time without an offset is no time."
        )
        said = finished.stderr.strip()
        finished.require(
            said, wanted="a sentence on stderr", got="nothing", hint="Say what is wrong, and the usage."
        )
        is_untouched(work, finished, "report.json")


@check(points=1, after=writes_a_report)
def says_when_there_are_no_logs(work):
    """exits 4 when the folder holds no log, and 1 when there is no folder"""
    work.put("logs/README.txt", "Logs come at midnight.\n")
    work.put("report.json", OLD)
    hint = "No news is not good news. And a pattern that matches nothing stays as it is, unless `nullglob` is set."
    for folder, status in (("logs", 4), ("lost", 1)):
        finished = work.run("bash", "triage.sh", folder, "report.json")
        finished.expect(status=status, hint=hint)
        is_untouched(work, finished, "report.json")


@check(points=2, after=writes_a_report)
def replaces_the_report_whole(work, rng):
    """puts the new report in place in one step: who reads the old one goes on reading the old one"""
    requests = draw(rng, 40)
    put(work, {"a.jsonl.gz": log_of(requests)})
    work.put("report.json", OLD)
    script = (
        'exec 9<report.json; bash triage.sh logs report.json 9<&-; status=$?; cat <&9 >seen; exit "$status"'
    )
    finished = work.run("bash", "-c", script)
    finished.did = "bash triage.sh logs report.json  (while another process has the old report open)"
    agrees(work, finished, counts_of(requests))
    same = work.read("seen").bytes == OLD
    hint = "Write a new file beside the report, then rename it over the report."
    finished.require(
        same, wanted="the other process reads the old report", got="it reads something else", hint=hint
    )

    work.put("out/keep.txt", "")
    finished = work.run("bash", "triage.sh", "logs", "out")
    has_failed(finished, "REPORT is a folder here. `mv` would move the report into it, and be content.")
    holds_only(work, finished, "out", "keep.txt")


@check(points=3, after=writes_a_report)
def fails_when_a_stage_fails(work, rng):
    """fails when one of its programs dies halfway, keeps the old report, and leaves no litter"""
    requests = draw(rng, 60)
    put(work, {"a.jsonl.gz": log_of(requests)})
    hint = "`set -euo pipefail`; and where you handle a status yourself, let only the ones you know pass."
    for what, names in {
        "the Python reader": PYTHONS,
        "any other program, such as zcat, sort or mv,": TOOLS,
    }.items():
        for name in names:
            work.put(f"broken/{name}", DIES_HALFWAY)
        work.put("out/report.json", OLD)
        script = 'chmod +x broken/*; PATH="$PWD/broken:$PATH" exec bash triage.sh logs out/report.json'
        finished = work.run("bash", "-c", script)
        finished.did = f"bash triage.sh logs out/report.json  ({what} is killed halfway)"
        is_honest(work, finished, requests, hint)
        work.run("rm", "-r", "broken", "out")


@check(points=2, after=writes_a_report)
def fails_when_the_report_cannot_be_written(work, rng):
    """fails when the disk is full or the path is wrong, keeps the old report, and leaves no litter"""
    requests = draw(rng, 40)
    put(work, {f"{i}.jsonl.gz": log_of([request]) for i, request in enumerate(requests)})
    work.put("out/report.json", OLD)
    finished = work.run("bash", "-c", "ulimit -f 1; exec bash triage.sh logs out/report.json")
    finished.did = "bash triage.sh logs out/report.json  (the disk is full after 1 KiB: `ulimit -f 1`)"
    is_honest(work, finished, requests, "Put the new report in place only when it was written to its end.")

    finished = work.run("bash", "triage.sh", "logs", "out/report.json/new.json")
    has_failed(finished, "There is no such folder: say so, and exit 1.")
    is_untouched(work, finished, "out/report.json")


@check(points=3, after=writes_a_report)
def streams_a_large_log(work, rng):
    """reads 320 MB of lines with 128 MB of memory"""
    log = io.BytesIO()
    requests = write_big(log, rng, 320 * MB)
    wanted = {"lines": {"counted": len(requests), "bad": 0}, **counts_of(requests)}
    hint = "Hold one line at a time, and keep of it only what the report needs."
    triage(work, {"big.jsonl.gz": log.getvalue()}, wanted=wanted, memory_mb=CAP_MB, hint=hint)


@check(points=1, after=counts_torn_lines)
def survives_an_endless_line(work, rng):
    """counts a line that goes on for 256 MB as one bad line, with 128 MB of memory"""
    requests = draw(rng, 20)
    requests[0] = replace(requests[0], request_id=requests[0].request_id * 30_000)  # long, and allowed
    good = [request.line() for request in requests]
    log = packed(good[:10]) + endless_line(256 * MB) + packed([b"\n", *good[10:]])
    wanted = {"files": {"a.jsonl.gz": whole(21, bad=1)}, **counts_of(requests)}
    hint = (
        "`for line in file` holds the whole line. Read in pieces; beyond 1 MiB, drop them up to the newline."
    )
    triage(work, {"a.jsonl.gz": log}, wanted=wanted, memory_mb=CAP_MB, hint=hint)


@check(points=1, after=writes_a_report)
def gives_the_same_bytes_again(work, rng):
    """gives the same bytes for the same logs"""
    requests = draw(rng, 90)
    requests = [replace(r, endpoint=f"/v{i % 7}", latency_us=1000 * (i % 3)) for i, r in enumerate(requests)]
    put(work, {f"{name}.jsonl.gz": log_of(requests[i::6]) for i, name in enumerate("fbdace")})
    reports = set()
    for hash_seed in ("1", "2", "3"):
        finished = work.run("bash", "triage.sh", "logs", "report.json", env={"PYTHONHASHSEED": hash_seed})
        reports.add(agrees(work, finished, counts_of(requests)).bytes)
    same = len(reports) == 1
    hint = "Sort what comes out of a set or a folder, and leave the clock out of the report."
    finished.require(same, wanted="three runs, three equal reports", got="reports that differ", hint=hint)


@check(points=1, after=writes_a_report)
def runs_as_cron_runs_it(work, rng):
    """runs from another folder, with almost no environment, on relative paths"""
    requests = draw(rng, 30)
    put(work, {"a.jsonl.gz": log_of(requests)}, "elsewhere/at night/logs")
    script = 'cd "elsewhere/at night" && env -i PATH="$PATH" bash ../../triage.sh logs report.json'
    finished = work.run("bash", "-c", script)
    finished.did = script
    hint = "LOG_DIR and REPORT count from the caller's folder; your reader lies beside ${BASH_SOURCE[0]}."
    agrees(work, finished, counts_of(requests), "elsewhere/at night/report.json", hint=hint)


@check(points=1, after=writes_a_report)
def passes_shellcheck(work):
    """has no error that `shellcheck` finds in it"""
    program = shutil.which("shellcheck", path=Path(sys.prefix) / "bin") or shutil.which("shellcheck")
    if not program:
        raise CouldNotCheck("no shellcheck here: install the environment whole")
    found = work.run(program, "--norc", "--severity=error", "--format=json1", "triage.sh")
    found.did = "shellcheck --severity=error triage.sh"
    try:
        errors = json.loads(found.stdout)["comments"]
    except ValueError:
        raise CouldNotCheck("shellcheck did not run here") from None
    got = f"line {errors[0]['line']}: SC{errors[0]['code']}" if errors else ""
    found.require(not errors, wanted="no error", got=got, hint="Run it yourself: it explains what is wrong.")
