"""What the lifecycle policy leaves of a repository, whatever happens to release.py meanwhile."""

from __future__ import annotations

import json
import time

from answers_of_ecr import SILENCE, Said
from company import DONE, PATIENCE, WRONG_INPUT, Company, ends
from image_maker import Image
from labs.checks import Finished, Process
from registry_between import Call
from scenes import expect_kept

OVERDUE, RECENT = 31.0, 29.0  # days
# Seconds without a call of the other deployment, after which it waits for this one: judged already, or not yet.
QUIET, LONGEST, NEVER_BEGINS = 1.0, 20.0, 4.0
OF_A_COLLEAGUE = json.dumps(
    {
        "rules": [
            {
                "rulePriority": 1,
                "description": "an audit is on: nothing goes before summer",
                "selection": {
                    "tagStatus": "any",
                    "countType": "sinceImagePushed",
                    "countUnit": "days",
                    "countNumber": 500,
                },
                "action": {"type": "expire"},
            }
        ]
    }
)


class Repository:
    """A repository with both environments deployed, their histories full, and as many images that nobody needs."""

    def __init__(self, company: Company) -> None:
        self.company = company
        self.staging, self.prod = company.pushed(4), company.pushed(4)
        company.write_record("staging", self.staging[0], self.staging[1:])
        company.write_record("prod", self.prod[0], self.prod[1:])
        alike = [company.draw(start=image.commit[:12]) for image in (self.prod[0], self.staging[2])]
        by_hand, untagged = company.draw(), company.draw()
        self.unneeded = [company.push(image) for image in (*alike, company.draw(), company.draw())]
        self.unneeded += [company.push(by_hand, tag="prod-debug"), company.push(untagged, tag=None)]

    def days(self, days: float) -> dict[str, float]:
        """The images that nobody needs are so many days old; all others are very old."""
        return {image.digest: days + number / 100 for number, image in enumerate(self.unneeded)}

    def gc(self, about: str = "") -> Finished:
        return self.company.run("gc", about=about).expect(status=DONE)

    def deploy(self) -> Finished:
        return self.company.stage(self.unneeded[2])

    def roll_back(self) -> Finished:
        return self.company.run("rollback", "--env", "prod")

    def expect_expired(self, done: Finished, unneeded: list[Image] | None = None) -> None:
        """Of images that no record names: those pushed 31 days ago go, those pushed 29 days ago stay."""
        wanted = {image.digest for image in (self.unneeded if unneeded is None else unneeded)}
        gone = self.company.expires(dict.fromkeys(wanted, OVERDUE))
        left = wanted - gone
        done.require(
            not left,
            wanted=f"all {len(wanted)} images that no record names expire 31 days after they were pushed",
            got=f"{len(left)} of them stay: {self._what(left)}",
            hint="What does each rule match? A rule that matches more than it is meant for also protects more.",
        )
        soon = self.company.expires(dict.fromkeys(wanted, RECENT)) & wanted
        done.require(
            not soon,
            wanted="an image that was pushed 29 days ago stays",
            got=f"{len(soon)} images of 29 days expire",
            hint="Somebody may want to deploy it next week.",
        )

    def _what(self, digests: set[str]) -> str:
        kinds = {
            self.unneeded[0].digest: "commit that begins like one in prod",
            self.unneeded[1].digest: "commit that begins like one in staging",
            self.unneeded[4].digest: "tagged by hand",
            self.unneeded[5].digest: "without a tag",
        }
        return ", ".join(sorted({kinds.get(digest, "tagged with its commit") for digest in digests}))


class DiesAt:
    """Kills a process at its first call that changes the registry: before ECR has it, or after."""

    def __init__(self, company: Company, moment: str) -> None:
        self.process: Process | None = None
        setattr(company.registry, moment, self)

    def __call__(self, call: Call) -> Said | None:
        if call.writes:
            while self.process is None:  # it is being started
                time.sleep(0.002)
            self.process.signal("SIGKILL")
            while self.process.alive:
                time.sleep(0.002)
            return SILENCE  # before: ECR never hears of it
        return None


def deploy_and_die(company: Company, image: Image, moment: str) -> Finished:
    dies = DiesAt(company, moment)
    about = f"killed {moment} its first change of the registry"
    process = company.start("deploy", "--env", "staging", "--digest", image.digest, about=about)
    dies.process = process
    done = process.wait(PATIENCE)
    company.registry.before = company.registry.after = lambda call: None
    return done


def deploy_while_read(company: Company, image: Image) -> None:
    """Somebody has opened the old record when the new one is written: a second name of the file stays with him."""
    old = company.work.read(company.path("staging")).bytes
    linked = company.work.run("ln", company.path("staging"), "opened.json")
    assert linked.status == 0, linked.stderr
    done = company.stage(image, about="the platform is reading the record of staging").expect(status=DONE)
    done.require(
        company.work.read("opened.json").bytes == old,
        wanted="a new file in the place of the old one, which its reader reads to its end",
        got="the old file has changed under its reader",
        hint="Who writes into a file leaves half a record when he is killed. Put a whole one in its place.",
    )


def deploy_without_a_folder(company: Company, image: Image) -> None:
    """No record can be written: there is a file where the folder of the records should be."""
    company.work.put("closed", "no folder")
    before = raw(company)
    done = company.stage(image, about="DEPLOYMENTS is a file, no folder", DEPLOYMENTS="closed")
    ends(done, WRONG_INPUT, hint="Which exceptions does the system raise when a file cannot be made?")
    expect_same(company, done, before)


class WaitsForTheOther:
    """Holds the first lifecycle policy back until the other deployment has ended, or stands still."""

    def __init__(self, company: Company) -> None:
        self.calls, self.held = company.registry.calls, False
        self.other: Process | None = None
        self.begun = 0.0

    def __call__(self, call: Call) -> Said | None:
        if call.operation == "PutLifecyclePolicy" and not self.held:
            self.held, known = True, len(self.calls)
            while self.other is None or (self.other.alive and not self._stands_still(self.calls[known:])):
                time.sleep(0.02)
        return None

    def _stands_still(self, calls: list[Call]) -> bool:
        """Without a call for longer than it took to get this far: on a busy machine everything takes longer."""
        now = time.monotonic()
        if not any(one.operation == "DescribeImageScanFindings" for one in calls):
            return now - max([self.begun, *(one.at for one in calls)]) > NEVER_BEGINS
        return now - calls[-1].at > min(max(QUIET, 2 * (calls[-1].at - self.begun)), LONGEST)


def deploy_both(company: Company, image: Image) -> list[Finished]:
    """Staging gets a new image while prod, which got its digest before, waits to write the policy."""
    company.registry.before = hold = WaitsForTheOther(company)
    prod = company.start("deploy", "--env", "prod", about="at the same time")
    while not hold.held and prod.alive:
        time.sleep(0.01)
    staging = company.start("deploy", "--env", "staging", "--digest", image.digest, about="at the same time")
    hold.begun, hold.other = time.monotonic(), staging
    done = [staging.wait(PATIENCE), prod.wait(PATIENCE)]
    company.registry.before = lambda call: None
    return done


def forgetting(company: Company, repository: Repository) -> None:
    """Records that are missing or torn, a policy that is lost: whoever does not know what runs must not act."""
    done = company.run("setup", about="the lifecycle policy is lost").expect(status=DONE)
    expect_kept(company, done, hint="What runs already when this policy is written? The records say it.")
    repository.expect_expired(done)
    company.ecr.put_lifecycle_policy(repositoryName=company.service, lifecyclePolicyText=OF_A_COLLEAGUE)
    before = raw(company)
    done = company.run("setup", about="there is a policy").expect(status=DONE)
    expect_same(
        company, done, before, "A policy that is there may protect what you do not know of: it stays."
    )
    done = company.run("gc", about="in a folder without records", DEPLOYMENTS="elsewhere")
    expect_careful(company, done, before)
    torn = before[1][: int(company.rng.integers(len(before[1]) // 2))]
    company.work.put(company.path("prod"), torn)
    before = raw(company)
    expect_careful(company, company.run("gc", about="the record of prod is torn"), before)
    company.work.put(company.path("prod"), "{}")
    before = raw(company)
    done = company.stage(repository.unneeded[2], about="the record of prod is {}")
    expect_careful(company, done, before)
    company.ecr.delete_lifecycle_policy(repositoryName=company.service)
    before = raw(company)
    done = company.run("setup", about="the policy is lost, and the record of prod is {}")
    expect_careful(company, done, before)


def expect_careful(company: Company, done: Finished, before: object) -> None:
    """It said that its input is wrong, and the records and the policy are as they were: `before`."""
    careful = "A record that cannot be read is not the same as no record: do not go on as if nothing ran."
    ends(done, WRONG_INPUT, hint=careful)
    expect_same(company, done, before)


def expect_same(
    company: Company,
    done: Finished,
    before: object,
    hint: str = "Read every record before you write anything.",
) -> None:
    done.require(
        raw(company) == before,
        wanted="the records and the lifecycle policy as they were",
        got="others",
        hint=hint,
    )


def raw(company: Company) -> tuple[bytes, bytes, str]:
    """Both records as they lie there, and the policy."""
    staging, prod = (company.work.read(company.path(one)).bytes for one in ("staging", "prod"))
    return staging, prod, company.policy()
