"""The grader of publish_images: it stands between release.py and ECR, and looks at what is left in both."""

from __future__ import annotations

from functools import partial

import patience
import publishing
import scenes
from access import DEPLOYER, PUBLISHER, Role, expect_access
from company import API_TROUBLE, BLOCKED, DONE, REFUSED, WRONG_INPUT, Company, ends
from image_maker import build
from keeping import (
    Repository,
    deploy_and_die,
    deploy_both,
    deploy_while_read,
    deploy_without_a_folder,
    forgetting,
)
from labs.checks import check
from publishing import expect_published
from registry_between import Scan
from scenes import expect_kept, expect_unchanged

WHICH_RULE = "Which rules match an image that runs? The one with the lowest number decides about it."

# Publish


@check(points=2)
def sets_the_repository_up(work, services, rng):
    """makes a repository with fixed tags and scans, and mends another"""
    with Company(work, services, rng, repository=False) as company:
        for before in ("no repository", "the same again", "a repository made by hand"):
            publishing.set_up(company, before)


@check(points=4)
def publishes_what_was_built(work, services, rng):
    """publishes an image byte by byte, with its commit as its one tag"""
    with Company(work, services, rng) as company:
        image = company.draw(large=True)
        done = company.publish(image).expect(status=DONE)
        expect_published(company, image, done)
        publishing.expect_compared(company, image, done)


@check(points=3, after=publishes_what_was_built)
def publishes_once(work, services, rng):
    """changes nothing when it publishes again, and sends no layer twice"""
    with Company(work, services, rng) as company:
        first = company.draw()
        for about in ("", "the same again"):
            done = company.publish(first, about).expect(status=DONE, hint="What is wanted is there already.")
            expect_published(company, first, done)
        publishing.expect_few_layers_sent(company, first)
        publishing.lose_an_answer(company)


@check(points=4, after=publishes_what_was_built)
def refuses_other_content(work, services, rng):
    """refuses other content under a taken tag, also in a race"""
    with Company(work, services, rng) as company:
        there = company.push(company.draw())
        before = company.images()
        done = company.publish(company.draw(start=there.commit), about="the tag holds another image")
        ends(done, REFUSED, hint="Whose image is under the tag? Compare the digests.")
        done.require(company.images() == before, wanted="the registry as it was", got="another one")
        one, same = company.draw(), company.draw()
        publishing.expect_one_winner(company, one, company.draw(start=one.commit))
        for done in publishing.both_at_once(company, same, same):
            done.expect(status=DONE, hint="Both published the same image, so both have what they wanted.")
            expect_published(company, same, done)


@check(points=3, after=publishes_what_was_built)
def refuses_a_broken_image(work, services, rng):
    """sends nothing of a damaged image, or of another commit's"""
    with Company(work, services, rng) as company:
        for what, commit, folder in publishing.broken_folders(company):
            done = company.run("publish", "--commit", commit, "--image", folder, about=what)
            ends(
                done,
                WRONG_INPUT,
                hint="Compare all that the folder says of itself (names, sizes, annotations) "
                "before you send any of it.",
            )
            publishing.expect_nothing_written(company, done)


@check(points=3, after=publishes_what_was_built, when=publishes_once)
def waits_when_throttled(work, services, rng):
    """tries a throttled call again, and waits twice as long each time"""
    with Company(work, services, rng) as company:
        image, wait = company.draw(), 0.03
        company.registry.before = patience.throttle({"PutImage": patience.MOST_TRIES - 1})
        done = company.publish(image, about="throttled five times", RELEASE_WAIT_SECONDS=str(wait))
        done.expect(status=DONE, hint="`ThrottlingException` says: not now. Try up to six times.")
        expect_published(company, image, done)
        patience.expect_longer_waits(done, company.registry.of("PutImage"), wait)
        company.registry.before = patience.fail_once
        done = company.stage(image, about="once an error 500, once no answer")
        done.expect(status=DONE, hint="An error 500, or a connection that breaks, is no answer: ask again.")


@check(points=2, after=publishes_what_was_built, when=publishes_once)
def gives_up(work, services, rng):
    """gives up after six tries, or at once if told no, and says why"""
    with Company(work, services, rng) as company:
        operation = str(rng.choice(["PutImage", "InitiateLayerUpload"]))
        for about, before, tries in patience.hopeless(operation):
            company.registry.before = before
            known = len(company.registry.of(operation))
            done = ends(company.publish(company.draw(), about), API_TROUBLE)
            patience.expect_tries(done, operation, len(company.registry.of(operation)) - known, tries)
        company.registry.before = patience.throttle({"PutLifecyclePolicy": 10**6})
        done = ends(company.stage(company.push(company.draw()), about="throttled for ever"), API_TROUBLE)
        expect_unchanged(company, done, (None, None), "")


# Deploy


@check(points=3)
def deploys_a_digest(work, services, rng):
    """records the digest of what it deploys, and never a tag"""
    with Company(work, services, rng) as company:
        old = company.pushed(4)
        image = company.push(company.draw())
        company.write_record("staging", old[0], old[1:])
        done = company.deploy("staging", "--commit", image.commit).expect(status=DONE)
        scenes.expect_recorded(company, done, "staging", image, old[:3])
        scenes.deploy_again(company, image, old[:3])


@check(points=2, after=deploys_a_digest)
def refuses_what_was_not_published(work, services, rng):
    """refuses what is not there, and what nobody can trace to a commit"""
    with Company(work, services, rng) as company:
        by_hand = company.push(build("", [rng.bytes(200)], {}), tag="debug")
        retagged = company.push(company.draw(), tag="hotfix")
        unknown = company.draw()
        for what, options in (
            ("this commit was not published", ("--commit", unknown.commit)),
            ("there is no such image", ("--digest", unknown.digest)),
            ("it has no annotations", ("--digest", by_hand.digest)),
            ("its commit is not its tag", ("--digest", retagged.digest)),
        ):
            done = company.deploy("staging", *options, about=what)
            ends(done, REFUSED, hint="Ask the registry for the digest and for its manifest.")
            expect_unchanged(company, done, (None, None), "")


@check(points=3, after=deploys_a_digest)
def blocks_findings(work, services, rng):
    """blocks a CRITICAL or HIGH finding, wherever it is in the list"""
    with Company(work, services, rng) as company:
        company.write_record("staging", company.push(company.draw()))
        run = partial(scenes.try_to_stage, company)
        for severity in ("CRITICAL", "HIGH"):
            done = run(f"one {severity} finding", Scan(scenes.findings(company, (severity,))))
            ends(done, BLOCKED, hint="A long list comes in pages: what does `nextToken` mean?")
        done = run("eight findings, none above MEDIUM", Scan(scenes.findings(company, ())))
        done.expect(status=DONE, hint="Only CRITICAL and HIGH block.")


@check(points=3, after=deploys_a_digest)
def waits_for_the_scan(work, services, rng):
    """waits for the scan, and blocks when it fails or never ends"""
    with Company(work, services, rng) as company:
        company.write_record("staging", company.push(company.draw()))
        run = partial(scenes.try_to_stage, company)
        for about, status, hint, scan, options in scenes.scans(company):
            ends(run(about, scan, *options), status, hint)
        endless = Scan(polls=10**6)
        done = ends(run("the scan never ends", endless, "--scan-timeout", "1.5"), BLOCKED)
        patience.expect_few_questions(done, endless.asked)


@check(points=3, after=deploys_a_digest, when=blocks_findings)
def honours_exceptions(work, services, rng):
    """accepts a finding for a reason and until a day, not longer"""
    with Company(work, services, rng) as company:
        company.write_record("staging", company.push(company.draw()))
        for about, status, entries, found in scenes.excuses(company):
            file = scenes.exceptions(company, entries)
            done = scenes.try_to_stage(company, about, Scan(found), "--exceptions", file)
            ends(
                done, status, hint="An exception has the name of one vulnerability, a reason, and a last day."
            )


@check(points=3, after=deploys_a_digest, when=blocks_findings)
def promotes_the_same(work, services, rng):
    """brings to prod what staging runs, judged again, and nothing else"""
    with Company(work, services, rng) as company:
        publishing.expect_nothing_pushed(company, scenes.promote(company))


@check(points=4, after=deploys_a_digest)
def rolls_back(work, services, rng):
    """rolls back step by step, and refuses where there is no step"""
    with Company(work, services, rng) as company:
        now, before, first = company.pushed(3)
        company.registry.scans[before.digest] = Scan(scenes.findings(company, ("CRITICAL",)))
        company.write_record("prod", now, (before, first))
        for image, history in ((before, [first]), (first, [])):
            done = company.run("rollback", "--env", "prod").expect(status=DONE)
            scenes.expect_recorded(company, done, "prod", image, history)
        for about, history in (("nothing to go back to", ()), ("that image is gone", (company.draw(),))):
            company.write_record("prod", first, history)
            state, policy = company.records(), company.policy()
            done = ends(company.run("rollback", "--env", "prod", about=about), REFUSED)
            expect_unchanged(company, done, state, policy)


# What stays in the registry


@check(points=4, after=deploys_a_digest, when=rolls_back)
def keeps_what_runs(work, services, rng):
    """keeps every image that a record names, however old it is"""
    with Company(work, services, rng) as company:
        repository = Repository(company)
        for run in (repository.gc, repository.deploy, repository.roll_back):
            done = run().expect(status=DONE)
            expect_kept(company, done, repository.days(1), hint=WHICH_RULE)
            expect_kept(company, done, dict.fromkeys(company.needed(), 1.0), hint=WHICH_RULE)


@check(points=2, after=keeps_what_runs)
def expires_the_rest(work, services, rng):
    """expires what no record names 30 days after it was pushed"""
    with Company(work, services, rng) as company:
        done = company.run("setup").expect(status=DONE)
        repository = Repository(company)
        repository.expect_expired(done, [*repository.unneeded, *repository.staging])
        repository.expect_expired(repository.gc())
        company.write_record("staging", repository.prod[0])
        repository.expect_expired(repository.gc("staging has changed"), repository.staging)


@check(points=3, after=keeps_what_runs)
def protects_before_it_records(work, services, rng):
    """survives a kill: whole records, every recorded image protected"""
    with Company(work, services, rng) as company:
        repository = Repository(company)
        repository.gc()
        for moment, image in zip(("before", "after"), repository.unneeded[2:4], strict=True):
            done = deploy_and_die(company, image, moment)
            expect_kept(company, done, hint="Until the new record is there the old one counts: protect both.")
        deploy_while_read(company, repository.unneeded[2])
        deploy_without_a_folder(company, repository.unneeded[3])


@check(points=3, after=keeps_what_runs)
def deploys_two_at_once(work, services, rng):
    """protects what two deployments at the same time have recorded"""
    with Company(work, services, rng) as company:
        old, tested, new = company.pushed(3)
        company.write_record("staging", tested)
        company.write_record("prod", old)
        for done in deploy_both(company, new):
            done.expect(status={DONE, REFUSED})
            expect_kept(company, done, hint="Read, compute, write: nobody else may do the same in between.")


@check(points=3, after=keeps_what_runs)
def refuses_to_forget(work, services, rng):
    """never forgets what runs: a record missing or torn, a policy lost"""
    with Company(work, services, rng) as company:
        forgetting(company, Repository(company))


@check(points=3, after=publishes_what_was_built, when=publishes_once)
def lets_the_publisher_push(work, services, rng):
    """lets the publisher push to its own repository, and nothing else"""
    with Company(work, services, rng) as company:
        role = Role(company, "publisher")
        image = company.draw()
        expect_published(company, image, company.publish(image, about="as publisher", **role.variables))
        expect_access(company, role, PUBLISHER)


@check(points=3, after=deploys_a_digest, when=blocks_findings)
def lets_the_deployer_deploy(work, services, rng):
    """lets the deployer judge and keep images, and not push any"""
    with Company(work, services, rng) as company:
        role = Role(company, "deployer")
        image = company.push(company.draw())
        company.stage(image, about="as deployer", **role.variables).expect(status=DONE)
        company.run("gc", about="as deployer", **role.variables).expect(status=DONE)
        expect_access(company, role, DEPLOYER)
