"""What deploys are tried with, and what must be so afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from company import BLOCKED, DEPLOYED_LONG_AGO, DONE, REFUSED, WRONG_INPUT, Company, ends, said
from image_maker import Image
from labs.checks import Finished
from registry_between import Scan

ROUNDED = timedelta(seconds=61)  # a time may be given in whole minutes
# A scan that has ended, or is another kind of scan, and says nothing that counts. ECR's API reference, ImageScanStatus.
NO_SCAN = (
    ("FAILED", "UNSUPPORTED_IMAGE"),
    ("ACTIVE", "SCAN_ELIGIBILITY_EXPIRED", "FINDINGS_UNAVAILABLE", "LIMIT_EXCEEDED", "IMAGE_ARCHIVED"),
)
MEDIUM_AND_BELOW = ("MEDIUM", "LOW", "INFORMATIONAL")


def expect_said(done: Finished, **wanted: str) -> None:
    result = said(done)
    for key, value in wanted.items():
        done.require(
            result.get(key) == value,
            wanted=f'"{key}": "{value}" on standard output',
            got=f'"{key}": {json.dumps(result.get(key))}',
        )


def expect_recorded(
    company: Company, done: Finished, environment: str, image: Image, history: Sequence[Image]
) -> None:
    """The environment runs this image, and ran those before, newest first."""
    expect_said(done, service=company.service, env=environment, digest=image.digest, commit=image.commit)
    record = company.record(environment) or {}
    wanted = {"service": company.service, "env": environment, "digest": image.digest, "commit": image.commit}
    for key, value in {**wanted, "image": company.uri(image)}.items():
        done.require(
            record.get(key) == value,
            wanted=f'"{key}": "{value}" in the record of {environment}',
            got=f'"{key}": {json.dumps(record.get(key))}',
            hint="A record names what runs. A tag is a question, and its answer can change; a digest is the answer.",
        )
    before = [one.digest for one in history]
    done.require(
        company.history(environment) == before,
        wanted=f"{len(before)} releases in `history`: what ran before, newest first"
        if before
        else "no `history`",
        got=f"{len(company.history(environment))} releases, or others",
        hint="What runs already is not deployed again. What was rolled back does not come back.",
    )
    _expect_times(company, done, record)


def _expect_times(company: Company, done: Finished, record: Mapping[str, Any]) -> None:
    """It became the current release during this check, and what is in `history` (which we wrote) long before."""
    moment, found = _moment(record.get("deployed_at")), record.get("history")
    rows = found if isinstance(found, list) else []
    done.require(
        moment is not None and company.opened - ROUNDED <= moment <= datetime.now(UTC) + ROUNDED,
        wanted="`deployed_at`: now, in ISO 8601 with an offset",
        got="no time, or one without an offset" if moment is None else "another time",
        hint="When did this release become the current one here? A time without an offset is another moment for "
        "each reader.",
    )
    done.require(
        all(_moment(one.get("deployed_at")) == _moment(DEPLOYED_LONG_AGO) for one in rows),
        wanted=f"each release in `history` with its own `deployed_at`: {DEPLOYED_LONG_AGO}",
        got="another one, or none",
        hint="A release that goes into `history` takes all that the record said about it along.",
    )


def _moment(said: Any) -> datetime | None:
    """None where it is no time in ISO 8601, or has no offset."""
    try:
        found = datetime.fromisoformat(said)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo else None


# What was found in an image, and what is accepted


def findings(company: Company, blocking: tuple[str, ...], others: int = 8) -> list[tuple[str, str]]:
    """(name, severity): these severities at drawn places among others which block nobody."""
    rng = company.rng
    harmless = [str(rng.choice(MEDIUM_AND_BELOW)) for _ in range(others)]
    for severity in blocking:
        harmless.insert(int(rng.integers(4, len(harmless) + 1)), severity)  # never on the first page
    numbers = rng.choice(90_000, len(harmless), replace=False) + 10_000
    return [(f"CVE-2026-{number}", severity) for number, severity in zip(numbers, harmless, strict=True)]


def exceptions(company: Company, entries: Iterable[Mapping[str, Any]]) -> str:
    """A file of exceptions; the option's value."""
    company.folders += 1
    return company.work.give(f"exceptions-{company.folders}.json", json.dumps({"exceptions": list(entries)}))


def excepted(name: str, days: int = 20, **changed: Any) -> dict[str, Any]:
    """An entry that ends in `days` days. None takes a key out."""
    last = (datetime.now(UTC) + timedelta(days=days)).date().isoformat()
    entry = {"vulnerability": name, "reason": "not reachable: we parse no XML", "expires": last, **changed}
    return {key: value for key, value in entry.items() if value is not None}


def excuses(company: Company) -> Iterator[tuple[str, int, list[dict[str, Any]], list[tuple[str, str]]]]:
    """(what is special, the status that must come, exceptions, findings)."""
    found = findings(company, ("HIGH", "CRITICAL", "HIGH"))
    names = [name for name, severity in found if severity in ("HIGH", "CRITICAL")]
    which = int(company.rng.integers(len(names)))
    good = [excepted(name) for name in names]

    def instead(**changed: Any) -> list[dict[str, Any]]:
        return [*good[:which], excepted(names[which], **changed), *good[which + 1 :]]

    blank = company.rng.choice([None, "", " "])
    yield "an exception for each", DONE, good, found
    yield "one names only how it begins", BLOCKED, instead(vulnerability=names[which][:-1]), found
    yield "one has ended", BLOCKED, instead(days=-2), found
    yield "one has no reason", WRONG_INPUT, instead(reason=blank), found
    yield "one never ends", WRONG_INPUT, instead(expires=None), found
    yield "one ends in 120 days", WRONG_INPUT, instead(days=120), found


def scans(company: Company) -> Iterator[tuple[str, int, str, Scan, tuple[str, ...]]]:
    """(what is special, the status that must come, a hint, the scan, options). But for one that never ends."""
    look = "No findings and no scan look alike: see the status first."
    yield (
        "nobody has asked for a scan",
        DONE,
        "`ScanNotFoundException`: ask for one.",
        Scan(on_push=False),
        (),
    )
    asked = "`LimitExceededException`: somebody has asked for it before you. Then wait, as if it were you."
    yield "somebody else has asked for it, and it takes a while", DONE, asked, Scan(unseen=1, polls=2), ()
    for statuses in NO_SCAN:
        status = str(company.rng.choice(statuses))
        yield f"the scan is {status}", BLOCKED, look, Scan(status=status), ()
    never = (
        "Nothing is later than NaN, so a loop that compares with it never ends. Look at what you were given."
    )
    yield "no number of seconds", WRONG_INPUT, never, Scan(polls=2), ("--scan-timeout", "nan")


def try_to_stage(company: Company, about: str, scan: Scan, *options: str) -> Finished:
    """Deploy an image with this scan to staging, which runs another one."""
    image = company.push(company.draw(), scan)
    before, policy = company.records(), company.policy()
    done = company.stage(image, *options, about=about)
    if done.status != 0:
        expect_unchanged(company, done, before, policy)
    elif company.runs("staging") != image.digest:
        done.fail(wanted="the image in the record of staging", got="another one, or none")
    return done


def deploy_again(company: Company, image: Image, history: Sequence[Image]) -> None:
    """What runs already is deployed again: it runs since it was deployed first."""
    company.write_record("staging", image, history)
    before = company.records()
    done = company.stage(image, about="it runs already").expect(status=DONE)
    expect_said(done, service=company.service, env="staging", digest=image.digest, commit=image.commit)
    done.require(
        company.records() == before,
        wanted="the record of staging as it was",
        got="another one",
        hint="What runs already is not deployed again: compare the digests before you make a new record.",
    )


def promote(company: Company) -> Finished:
    """Prod takes the digest that staging runs, judged again, and nothing else; the last of these deployments."""
    tested, other = company.pushed(2)
    done = ends(company.deploy("prod", about="staging runs nothing"), REFUSED)
    expect_unchanged(company, done, (None, None), "")
    company.write_record("staging", tested)
    before = company.records()
    for which, named in (("--digest", other.digest), ("--commit", other.commit)):
        done = company.deploy("prod", which, named, about="staging runs another one")
        ends(done, REFUSED, hint="What nobody has tried in staging has no business in prod.")
        expect_unchanged(company, done, before, "")
    company.registry.scans[tested.digest] = bad = Scan(findings(company, ("CRITICAL",)))
    done = company.deploy("prod", about="a new finding since staging")
    ends(done, BLOCKED, hint="What was clean yesterday is not clean today: ask again.")
    expect_unchanged(company, done, before, "")
    company.registry.scans[tested.digest] = Scan()
    done = company.deploy("prod").expect(status=DONE)
    expect_recorded(company, done, "prod", tested, [])
    company.registry.scans[tested.digest] = bad
    before, policy = company.records(), company.policy()
    done = company.deploy("prod", about="it runs already, with a new finding")
    ends(
        done,
        BLOCKED,
        hint="Who deploys again asks again whether this may run. The gate comes before all else.",
    )
    expect_unchanged(company, done, before, policy)
    return done


def expect_unchanged(company: Company, done: Finished, before: tuple[Any, ...], policy: str) -> None:
    done.require(
        (company.records(), company.policy()) == (before, policy),
        wanted="the records and the lifecycle policy as they were",
        got="others",
        hint="What is refused changes nothing: judge first, then write.",
    )


def expect_kept(
    company: Company, done: Finished, days: Mapping[str, float] | None = None, hint: str = ""
) -> None:
    """No image that a record names may be deleted, however old it is."""
    lost = company.needed() & company.expires(days)
    where = sorted(
        f"{environment} ({'runs now' if digest == company.runs(environment) else 'can be rolled back to'})"
        for environment in ("staging", "prod")
        for digest in (company.runs(environment), *company.history(environment))
        if digest in lost
    )
    done.require(
        not lost and company.policy(),
        wanted="a lifecycle policy that expires no image which a record names",
        got=f"images of {', '.join(dict.fromkeys(where))} expire" if lost else "no lifecycle policy",
        hint=hint,
    )
