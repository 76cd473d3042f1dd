"""Rotations, played: alone, killed, two at once, without nodes, and with calls that fail."""

from __future__ import annotations

from between import Pair
from labs.grading.evidence import Evidence
from rotating import NOT_READY, REPLICAS
from traces import Traces

MERGE = "application/merge-patch+json"


def rotates(rotating):
    """gives every pod a new password, and revokes the old one"""
    did = "python3 rotate.py --to NAME"
    to = rotating.name()
    rotating.run(to).expect(status=0)
    rotating.done(did, to)
    password = rotating.between.secret()["password"]
    Evidence(did).require(
        len(password) >= 24 and password != rotating.old and to not in password,
        wanted="a new password of at least 24 characters that nobody can guess",
        got="a short one, the old one, or one made of the name",
    )
    again = rotating.name()
    rotating.run(again).expect(status=0)
    rotating.done(f"{did}, a second time with another name", again)
    Evidence(did).require(
        rotating.between.secret()["password"] != password, wanted="another password each time", got="the same"
    )
    rotating.back()
    rotating.run(to)
    Evidence(f"{did}, in a cluster and a database as they were before, with the same name").require(
        rotating.between.secret()["password"] != password,
        wanted="a password that nobody can compute",
        got="the same password again",
        hint="What comes from a name or a seed comes again. `secrets` asks the operating system.",
    )


def locks_nobody_out(rotating):
    """never has a pod whose login fails, and never a ready pod less, while it rotates"""
    rotating.run(rotating.name()).expect(status=0)
    rotating.no_lockout("python3 rotate.py, with every pod logging in at every moment")
    Evidence("python3 rotate.py").require(
        rotating.between.seen.fewest >= REPLICAS,
        wanted=f"{REPLICAS} ready pods at every moment",
        got=f"{rotating.between.seen.fewest} at the worst moment",
        hint="How the Deployment replaces its pods is part of the rotation.",
    )


def does_nothing_twice(rotating):
    """writes nothing when it is run again for a rotation that is done"""
    to = rotating.name()
    rotating.run(to).expect(status=0)
    again = rotating.run(to)
    again.expect(status=0)
    writes = rotating.between.seen.writes
    again.require(not writes, wanted="no write", got=f"{len(writes)}: {writes[0] if writes else ''}")


def goes_on_after_a_kill(rotating):
    """ends in the same good state when it is killed after any of its writes and started again"""
    for at in range(1, 16):
        to = rotating.name()
        did = f"kill rotate.py after its write number {at}, and run it again"
        if not rotating.killed(to, at):
            break
        rotating.no_lockout(did)
        last = rotating.between.seen.writes[-1].replace(to, "NAME")
        again = rotating.run(to)
        Evidence(did).require(
            again.status == 0,
            wanted="status 0",
            got=f"status {again.status}",
            hint=f"The write was {last}. What does the next run find of it, and what was only in memory?",
        )
        rotating.no_lockout(did)
        rotating.done(did, to)
    else:
        Evidence("count the writes of one rotation").fail(wanted="at most 15", got="more")


def survives_two_at_once(rotating):
    """ends in the same good state when two runs begin at the same moment"""
    orders = {f"writes that the first one is ahead: {ahead}": Pair(ahead) for ahead in (1, 2, 4)}
    orders["the second one reads slowly, and the first one writes in between"] = Pair(0, slow=True)
    for order, pair in orders.items():
        to = rotating.name()
        did = f"run rotate.py --to NAME twice at once; {order}"
        ends = rotating.two(to, pair)
        rotating.no_lockout(did)
        if any(one.status for one in ends):  # one may give up: somebody runs it again
            rotating.run(to).expect(
                status=0, hint="What had one of the two written when the other one wrote it again?"
            )
            rotating.no_lockout(did + ", and a third time")
        rotating.done(did, to)


def keeps_the_old_one_while_pods_are_not_ready(rotating):
    """keeps the old password valid when new pods do not become ready, and ends with status 4; later it goes on"""
    kube = rotating.kube
    for node in kube.items("Node"):
        kube.ask(
            "PATCH", f"/api/v1/nodes/{node['metadata']['name']}", {"spec": {"unschedulable": True}}, MERGE
        )
    to = rotating.name()
    did = "rotate while no node takes new pods, with --timeout 1"
    found = rotating.run(to, timeout=1)
    rotating.no_lockout(did)
    Evidence(did).require(found.status == NOT_READY, wanted="status 4", got=f"status {found.status}")
    for node in kube.items("Node"):
        kube.ask(
            "PATCH", f"/api/v1/nodes/{node['metadata']['name']}", {"spec": {"unschedulable": None}}, MERGE
        )
    rotating.run(to).expect(status=0)
    rotating.no_lockout("run it again when nodes take pods")
    rotating.done("run it again when nodes take pods", to)


def tells_no_secret(rotating):
    """leaves no password or token in its output, in files, in other objects or in addresses, also when calls fail"""
    to, traces = rotating.name(), Traces(rotating)
    runs = (
        ("-vv", " while the database fails", True, False),
        ("-vv", " while the API server refuses the Secret", False, True),
        ("-vv", "", False, False),
        ("-v", ", when that is done", False, False),
    )
    for words, when, database, api in runs:
        rotating.database.fault, rotating.between.fault = database, api
        finished = rotating.run(to, words)
        here = Evidence(f"python3 rotate.py --to NAME {words}{when}")
        found = traces.told_in(finished)
        here.require(
            not found, wanted="output without any secret", got=f"{found} stands in it",
            hint=(
                "Errors of others quote what you sent, tracebacks quote errors, and libraries "
                "log what passes through them."
            ),
        )  # fmt: skip
        if database or api:
            here.require(
                finished.status not in (0, NOT_READY),
                wanted="a status that says so: not 0, not 4",
                got=f"{finished.status}",
            )
        where, what = traces.left_behind()
        here.require(
            not what, wanted="secrets in the Secret alone, under keys with `password` in their name, at every moment",
            got=f"{what} stands in {where}", hint="What stands there for a moment stays there after a `kill -9`.",
        )  # fmt: skip
    rotating.done("python3 rotate.py, when nothing fails any more", to)
