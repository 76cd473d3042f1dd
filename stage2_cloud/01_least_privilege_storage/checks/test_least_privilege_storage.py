"""The grader of least_privilege_storage: real calls to an AWS API that enforces IAM; publishers that die half-way."""

from __future__ import annotations

import pytest

import by_hand
import duties
import identities
import lifecycle
import matrix
import pointers
import trials
from account import TOO_MUCH, Account, an_administrator, as_variables, policy_versions, settings
from labs.checks import check
from matrix import Matrix
from shop import SECONDS, Shop
from world import draw_model, draw_plan, draw_versions


@pytest.fixture(scope="session")
def kept():
    return {}


@pytest.fixture(scope="session")
def plan(seed):
    return draw_plan(seed)


@pytest.fixture
def account(kept):
    """The account in which the learner's roles are, with connections of this check's own."""
    return kept["account"].in_a_fork()


@pytest.fixture
def cells(plan, kept):
    return Matrix(plan, kept["old"], kept["policy"])


@pytest.fixture
def shop(work, services, rng):
    """The learner's `artifacts.py` on an empty bucket."""
    account = Account(services.up("aws").variables)
    bucket = f"nukkad-trial-{rng.bytes(8).hex()}"
    account.bucket(bucket)
    return Shop(work, account, bucket)


def apply(work, plan, running):
    running.give_to(work)
    config = work.put("platform.json", plan.text())
    return work.run("python3", "storage.py", "apply", config, warm=True, timeout=SECONDS).expect(status=0)


def trainer(model):
    return f"artifacts-trainer-{model}"


def server(model):
    return f"artifacts-server-{model}"


# The bucket


@check(points=2)
def builds_the_platform(work, services, plan, kept):
    """makes the bucket and all roles with `python3 storage.py apply platform.json`"""
    running = services.up("aws")
    account = Account(running.variables)
    account.furnish(plan)
    applied = apply(work, plan, running)
    there = {one["Name"] for one in account.client("s3").list_buckets()["Buckets"]}
    there |= {one["RoleName"] for one in account.client("iam").list_roles()["Roles"]}
    wanted = [
        plan.bucket,
        *map(trainer, plan.models),
        *map(server, plan.models),
        "artifacts-ci",
        "artifacts-auditor",
    ]
    missing = [name for name in wanted if name not in there]
    applied.require(
        not missing,
        wanted=f"the bucket {plan.bucket} and {len(wanted) - 1} roles",
        got=f"no {', '.join(missing)}",
        hint="The names are in the contract, and in the file that you are given.",
    )
    with an_administrator("reads the settings"):
        kept["applied"], kept["account"], kept["settings"] = applied, account, settings(account, plan.bucket)
    kept["old"], kept["policy"] = by_hand.plant(account, plan)


@check(points=2, after=builds_the_platform)
def closes_the_bucket(plan, kept):
    """keeps versions, encrypts by default and blocks all public access"""
    found = kept["settings"]
    rules = (found["encryption"] or {}).get("Rules", [])
    algorithms = {rule.get("ApplyServerSideEncryptionByDefault", {}).get("SSEAlgorithm") for rule in rules}
    block = found["public access block"] or {}
    for setting, fine, got in (
        ("versioning Enabled", found["versioning"] == "Enabled", found["versioning"] or "never enabled"),
        ("a default encryption", bool(algorithms & {"AES256", "aws:kms", "aws:kms:dsse"}), "none"),
        (
            "all four public access blocks",
            len(block) == 4 and all(block.values()),
            f"{sum(block.values())} of four",
        ),
    ):
        kept["applied"].require(
            fine, wanted=f"{plan.bucket}: {setting}", got=got, hint="See the contract: The bucket."
        )


@check(points=2, after=builds_the_platform)
def refuses_plain_http(account, plan, kept):
    """refuses everybody, administrators included, who comes without TLS"""
    duties.over_plain_http(account, plan, kept["settings"])


# Who may do what


@check(points=4, after=builds_the_platform)
def trainer_publishes_its_model(account, plan, cells, kept, rng):
    """lets a trainer publish its own model, write once, and do nothing else"""
    duties.of_trainers(account, plan, cells, kept["settings"], rng)


@check(points=4, after=builds_the_platform)
def server_reads_its_model(account, plan, cells, kept, rng):
    """lets a server read and list its own model, and do nothing else"""
    duties.of_servers(account, plan, cells, kept["settings"], rng)


@check(points=3, after=builds_the_platform)
def ci_moves_the_pointers(account, plan, cells, kept, rng):
    """lets the CI role read every model and move the pointers, and do nothing else"""
    duties.of_ci(account, plan, cells, kept["settings"], rng)


@check(points=2, after=builds_the_platform)
def auditor_sees_settings_only(account, plan, cells, kept, rng):
    """lets the auditor see how bucket and roles are set, and none of the data"""
    duties.of_the_auditor(account, plan, cells, kept["settings"], rng)


@check(points=3, after=builds_the_platform)
def roles_trust_whom_they_name(account, plan, rng):
    """lets each role be assumed by the one user that it is for, and by nobody else"""
    hint = "Name the one user. The account's root means everybody whom some policy lets assume roles."
    for who, call, allowed, outcome in sorted(
        identities.trust(account, plan, rng), key=lambda one: not one[2]
    ):
        matrix.judge(who, [(call, allowed, outcome)], hint)


@check(points=3, after=builds_the_platform)
def ci_believes_one_branch(account, plan, kept):
    """lets the CI role be assumed by tokens of the one branch of the one repository, made for AWS"""
    left = identities.audiences(account)
    kept["applied"].require(
        set(identities.AUDIENCES) <= set(left),
        wanted=f"the identity provider as it was, with the audiences {', '.join(identities.AUDIENCES)}",
        got=f"it takes tokens for {', '.join(left) or 'nobody'}",
        hint="Other teams use the provider too. Which part of your work is about all tokens, and which about one role?",
    )
    hint = "A trust policy must ask for `sub` and for `aud`, each in full."
    matrix.judge("a run of GitHub Actions", identities.tokens(account, plan), hint)


# Again, and after others


@check(points=2, after=builds_the_platform)
def changes_nothing_the_second_time(work, services, plan, kept):
    """changes nothing when it is run again"""
    running = services.up("aws", "another account")
    account = Account(running.variables)
    account.furnish(plan)
    apply(work, plan, running)
    with an_administrator("reads the settings"):
        first, versions = settings(account, plan.bucket), policy_versions(account)
    again = apply(work, plan, running)
    changed = by_hand.differences(first, settings(account, plan.bucket))
    changed += [
        arn.rpartition("/")[2]
        for arn, count in policy_versions(account).items()
        if versions.get(arn) != count
    ]
    again.require(
        not changed,
        wanted="everything as it was after the first run",
        got=f"changed, made anew, or one version more: {', '.join(changed)}",
        hint="Look at what is there. A managed policy keeps five versions, and refuses the sixth.",
    )
    kept["another"] = account, running, first


@check(points=3, after=changes_nothing_the_second_time)
def boundary_holds(plan, kept, rng):
    """keeps every trainer within its boundary, even when somebody gives it everything"""
    account, _, first = kept["another"]
    hint = "A permissions boundary on the role says what is the most that any policy can give it."
    for found in (
        duties.with_too_much(account.in_a_fork(), plan, rng),
        duties.with_too_much_on_paper(first, plan),
    ):
        for role, outcomes in found.items():
            matrix.judge(f"{role}, which somebody has given {TOO_MUCH}", outcomes, hint)


@check(points=3, after=changes_nothing_the_second_time, when=boundary_holds)
def repairs_what_others_changed(work, plan, kept):
    """brings back what somebody changed by hand: bucket, trust, policies, boundaries"""
    account, running, first = kept["another"]
    account = account.in_a_fork()
    with an_administrator("opens everything"):
        changed = by_hand.open_everything(account, plan)
    applied = apply(work, plan, running)
    wrong = by_hand.differences(first, settings(account, plan.bucket))
    applied.require(
        not wrong,
        wanted=f"all as after the first run, though somebody {changed}",
        got=f"not as it was: {', '.join(wrong)}",
        hint="State how each thing should be, also where it exists; take away what you have not put there.",
    )


@check(points=2, after=builds_the_platform)
def expires_only_what_nobody_needs(plan, kept, rng):
    """lets replaced and deleted versions go after 14 to 60 days, and nothing that is current, ever"""
    lifecycle.judge(plan, kept["settings"]["lifecycle"] or [], rng)


# Models


@check(points=2)
def publishes_and_fetches(shop, rng):
    """publishes a folder as blobs, manifest and pointer, and fetches the same files"""
    trials.publish_and_fetch(shop, rng)


@check(points=4, when=publishes_and_fetches)
def never_shows_half_a_model(shop, rng):
    """shows readers the old model or the new one, whole, between any two requests of a publisher"""
    trials.look_between_requests(shop, rng)


@check(points=3, when=publishes_and_fetches)
def finishes_what_a_dead_publisher_left(shop, rng):
    """finishes with the next try what a killed publisher left half-done"""
    trials.kill_and_retry(shop, rng)


@check(points=2, when=publishes_and_fetches)
def refuses_another_content(shop, rng):
    """refuses to publish another content under a version that exists"""
    model, (one, other) = draw_model(rng), draw_versions(rng, 2)
    shop.publish(model, "offers", one)
    trials.publish_other_content(shop, rng, model, one, other)


@check(points=3, when=publishes_and_fetches)
def refuses_what_was_corrupted(shop, rng):
    """refuses a model that is not whole and a folder that is not empty, and leaves nothing behind"""
    trials.corrupt(shop, rng)


@check(points=4, when=publishes_and_fetches)
def loses_no_update(shop, rng):
    """keeps both updates of the pointer when two publish at the same time"""
    pointers.race(shop, rng)


@check(points=2, when=publishes_and_fetches)
def rolls_back_and_forth(shop, rng):
    """rolls back to the version before, and forth again"""
    pointers.roll(shop, rng)


@check(
    points=3,
    after=builds_the_platform,
    when=(publishes_and_fetches, trainer_publishes_its_model, server_reads_its_model, ci_moves_the_pointers),
)
def works_with_its_roles(work, account, plan, kept, rng):
    """publishes as trainer, fetches as server and rolls back as CI, also after 400 days of lifecycle rules"""
    model = plan.models[rng.integers(len(plan.models))]
    shop = Shop(work, account, plan.bucket)
    keys = {
        "trainer": identities.become(account, f"{model}-training", trainer(model)),
        "server": identities.become(account, f"{model}-serving", server(model)),
        "ci": identities.become_ci(account, plan),
    }
    env = {role: as_variables(each) for role, each in keys.items()}
    pointers.a_year_with_roles(shop, model, env, kept["settings"]["lifecycle"] or [], rng)
