"""The grader of three_tiers_as_code: one graph of resources for either tool; gate, pipeline and drift are run."""

from __future__ import annotations

import pytest

import approving
import described_checks as must
import described_network as network
import described_secrets
import described_sizes
import drift_checks
import environments
import gating
import pipeline
import pipeline_checks
import plan_cases
import plan_doors
import plan_doubts
import real_state
import reality
import state_checks
import submission
from labs.checks import CouldNotCheck, check

LOSS = "Whatever the reason, the order or the address: which actions end the life of a resource?"


@pytest.fixture(scope="session")
def kept():
    """The description, as the check that the others wait for has evaluated it."""
    return {}


@pytest.fixture
def described(kept):
    return kept["described"]


@pytest.fixture
def real(services, work, kept, rng):
    """An environment that is really there, and the learner's drift.py beside it."""
    running = services.up("aws")
    running.give_to(work)
    if "real" not in kept:
        kept["real"] = reality.Reality(running.variables, rng)
        return kept["real"]
    return kept["real"].in_a_fork()


# The description


@check(points=2)
def describes_three_tiers(work, seed, kept):
    """describes network, app and data once, and builds staging, prod and an environment that nobody has planned for"""
    found = submission.describe(work, environments.draw(seed))
    must.has_three_tiers(found)
    kept["described"] = found


@check(points=2, after=describes_three_tiers)
def lays_out_its_subnets(described):
    """gives each tier subnets of its own, in the two zones and inside of the VPC"""
    network.has_its_subnets(described)


@check(points=3, after=describes_three_tiers)
def keeps_the_data_inside(described):
    """has no way from the data subnets to the Internet, and one for app servers that leads out only"""
    network.keeps_data_inside(described)


@check(points=4, after=describes_three_tiers)
def guards_the_database(described):
    """lets the app servers reach the database on its port, and nobody else"""
    network.guards_database(described)


@check(points=2, after=describes_three_tiers)
def guards_the_app(described):
    """lets the load balancer reach the app servers, and the world reach the load balancer by HTTPS"""
    network.guards_app(described)


@check(points=2, after=describes_three_tiers)
def encrypts_the_data(described):
    """encrypts database and bucket with a key of its own, keeps versions, and blocks public access"""
    must.encrypts_data(described)


@check(points=3, after=describes_three_tiers)
def survives_a_bad_plan(described):
    """cannot lose its data tier by one wrong plan, one wrong click or one wrong delete"""
    must.survives(described)


@check(points=3, after=describes_three_tiers)
def keeps_secrets_out(work, described):
    """writes no secret into files, settings of servers, tags or outputs"""
    described_secrets.keeps_secrets(described, submission.secrets_in_files(work))


@check(points=2, after=describes_three_tiers)
def carries_its_environment(described):
    """names and tags everything with its environment, and shares no name between two"""
    must.carries_its_name(described)


@check(points=2, after=describes_three_tiers)
def sizes_each_environment(described):
    """gives prod what the contract says, and staging less"""
    described_sizes.sizes(described)


@check(points=2, after=describes_three_tiers)
def leaves_the_others_alone(described):
    """adds one app server between two others without touching them"""
    described_sizes.leaves_the_others(described)


# The state


@check(points=2, after=describes_three_tiers)
def locks_its_state(described):
    """keeps the state of each environment away from laptops: remote, encrypted, locked"""
    state_checks.remote(described)


@check(points=3, after=locks_its_state, needs=("terraform",))
def locks_for_real(work, services, described):
    """lets one of two real applies win, and reports a lock that was left behind"""
    if described.tool != "terraform":
        raise CouldNotCheck("Pulumi locks by its own program, which this lab does not run", "pulumi")
    if described.backends["prod"].get("use_lockfile") is not True:
        raise CouldNotCheck("a lock in DynamoDB, which the embedded API does not serve to Terraform here")
    real_state.two_applies(work, services.up("aws"), described.backends["prod"])


# The gate


@check(points=3)
def passes_what_is_harmless(work, rng):
    """lets plans pass that harm nobody"""
    gate = gating.of(work, rng)
    gate.judge(
        [*plan_cases.harmless(gate.drawn), *plan_doors.harmless(gate.drawn)],
        "A gate that is always red is switched off. What exactly would this plan lose or open?",
    )


@check(points=4)
def refuses_to_lose_data(work, rng):
    """refuses every plan that destroys, replaces or forgets a part of the data tier"""
    gate = gating.of(work, rng)
    gate.judge(plan_cases.losses(gate.drawn), LOSS)


@check(points=4)
def refuses_open_doors(work, rng):
    """refuses plans that open a way in or take a protection away"""
    gate = gating.of(work, rng)
    gate.judge(
        [*plan_doubts.weaker(gate.drawn), *plan_doors.opened(gate.drawn)],
        "An update destroys nothing, and may be worse. Compare before and after.",
    )


@check(points=3)
def refuses_what_it_cannot_know(work, rng):
    """refuses plans that hide what decides, are too large, stale or of elsewhere, and says when it cannot judge"""
    gate = gating.of(work, rng)
    gate.judge(
        [*plan_doubts.doubtful(gate.drawn), *plan_doors.hidden(gate.drawn)], "What is not known is not fine."
    )
    gate.judge(
        plan_doubts.no_plans(gate.drawn), "A download may stop half-way. What does your program say then?"
    )


@check(points=3, when=refuses_to_lose_data)
def lets_one_approved_loss_through(work, rng):
    """lets one loss through that somebody has approved for this very plan, and nothing else"""
    approving.try_all(gating.of(work, rng))


@check(points=1, when=refuses_to_lose_data)
def tells_no_secret(work, rng):
    """names what it refuses, and no value of it"""
    gate = gating.of(work, rng)
    cases = [*list(plan_cases.losses(gate.drawn))[:3], *plan_doubts.secret_cases(gate.drawn)]
    for done in gate.run([gating.Asked(case.plan, case.title) for case in cases]):
        if done.status == 1:
            gating.report(done)
        done.require(
            gate.drawn.secret not in done.stdout + done.stderr,
            wanted="a report without the password that is in the plan",
            got="the password, in the report",
            hint="Logs of a pipeline are read by many. Which parts of a plan may be shown?",
        )


# The pipeline


@check(points=3, when=passes_what_is_harmless)
def plans_every_pull_request(work, rng):
    """plans every pull request with a role that only reads, shows the plan, runs the gate, and applies nothing"""
    pipeline_checks.on_pull_requests(pipeline.Pipeline(work, rng))


@check(points=4, when=plans_every_pull_request)
def applies_what_the_gate_saw(work, rng):
    """applies on main exactly the plan that the gate has seen, one apply at a time"""
    pipeline_checks.on_main(pipeline.Pipeline(work, rng))


# Drift


@check(points=2)
def sees_no_drift(work, real):
    """reports no drift where only orders, defaults and the platform's tags differ"""
    done = real.look(work, "on an account that is as described")
    drift_checks.nothing(done)


@check(points=3, after=sees_no_drift)
def sees_drift(work, real):
    """reports what was changed, what vanished and what was added by hand"""
    drift_checks.everything(work, real)


@check(points=2, after=sees_no_drift)
def tells_trouble_from_drift(work, real):
    """says that it could not look, which is not the same as no drift"""
    drift_checks.trouble(work, real)
