"""The grader of lock_down_the_cluster: it applies the files to clusters of its own, and tries what must not be."""

from __future__ import annotations

import pytest

import bad_pods
import calls
import leaking
import rights
import submission
import suspicions
import workloads
from kube import SPACE, Refused
from labs.checks import check
from labs.grading.evidence import Evidence
from paths import Connection, Town
from rotating import NOT_READY, REPLICAS, rotation
from submission import APPS, FILE, SECRET

OLD_ID = "r0"
MERGE = "application/merge-patch+json"


@pytest.fixture(scope="session")
def kept():
    """The objects, as the check that others wait for has read them."""
    return {}


@pytest.fixture
def password(rng):
    """The database password of this check: nobody has seen it before."""
    return f"Db-{rng.integers(10**14, 10**15)}-{rng.integers(10**14, 10**15)}"


@pytest.fixture
def kube(kept, tmp_path, password):
    """A cluster of this check's own, with the learner's objects."""
    found = submission.accepted(tmp_path / "cluster", kept["things"], password, OLD_ID)
    yield found
    found.close()


@pytest.fixture
def running(kube):
    """The same, a minute later."""
    kube.wait(60)
    return kube


@pytest.fixture
def person(rng):
    """The name of a user nobody has heard of."""
    return f"asha-{rng.integers(10**6)}"


@pytest.fixture
def town(kube, rng):
    """Pods and places around the learner's network policies."""
    return Town(kube, rng)


@pytest.fixture
def rotating(work, kept, tmp_path, rng):
    """rotate.py with a cluster and a database of this check's own."""
    with rotation(work, kept["things"], tmp_path / "cluster", rng) as found:
        yield found


@check(points=1)
def is_accepted_by_the_server(work, kept, tmp_path, password):
    """is accepted by the API server, strictly, with the objects of the contract"""
    things = submission.read(work)
    kube = submission.accepted(tmp_path / "cluster", things, password, OLD_ID)
    for name in APPS:
        try:
            kube.get("Deployment", name)
        except Refused:
            Evidence("kubectl apply -f k8s").fail(wanted=f"a Deployment {name}", got="no such object")
    kube.close()
    kept["things"] = things


@check(points=2, after=is_accepted_by_the_server)
def runs_its_own_pods(running):
    """has all its own pods ready, with less than `restricted` allows: read-only, one user, bounded memory"""
    for app in APPS:
        wanted = REPLICAS if app == "fraud" else 1
        status = running.get("Deployment", app).get("status") or {}
        did = Evidence(f"wait a minute for {app}")
        ready = status.get("readyReplicas", 0)
        did.require(
            ready >= wanted,
            wanted=f"{wanted} ready pods" if wanted > 1 else "a ready pod",
            got=f"{ready}: {workloads.trouble(running, app)}",
            hint="The refusal names each field that is missing.",
        )
        for pod in workloads.pods_of(running, app):
            lacking = workloads.lacks(pod)
            did.require(not lacking, wanted="pods as in the contract", got=lacking)


# Who may


def expect_no_more(kube, who, asked, hint):
    """Fail at the first request that is allowed and is not in the contract."""
    asked = list(asked)
    for subject in who:
        for one in asked:
            if not subject.may(one) and rights.allowed(kube, subject, one):
                Evidence(f"{subject.title}: {rights.told(one)}").fail(
                    wanted="forbidden", got="allowed", hint=hint
                )


def suspected(kube, space=None):
    """What a learner's own rules name, in one namespace, or (None) outside of it."""
    return [one for one in suspicions.requests(kube) if (one.namespace == SPACE) == (space == SPACE)]


def universe():
    """Every request that is asked about somewhere."""
    for part in (rights.about_secrets(), rights.everything_else(), rights.ways_up(), rights.outside()):
        yield from part


@check(points=3, after=is_accepted_by_the_server)
def allows_what_each_needs(kube, person, rng):
    """allows each account and group what it needs: the calls are made"""
    for subject in rights.subjects(person):
        needed = [one for one in universe() if subject.may(one)]
        if len(needed) > 40:  # on-call may read a lot
            needed = [needed[place] for place in sorted(rng.choice(len(needed), 40, replace=False))]
        for one in needed:
            done = not calls.refused(kube, subject, one) if calls.can_be_done(one) else True
            Evidence(f"{subject.title}: {rights.told(one)}").require(
                done and rights.allowed(kube, subject, one),
                wanted="allowed",
                got="forbidden",
                hint=(
                    "`kubectl auth can-i VERB RESOURCE --as NAME -n fraud` asks the same. Compare "
                    "group, resource, verb and name."
                ),
            )


@check(points=2, after=is_accepted_by_the_server)
def gives_nothing_to_everybody(kube, person):
    """gives nothing to the default account, to all accounts, to all who log in, or to others with the same name"""
    expect_no_more(
        kube, [*rights.strangers(person), *suspicions.others(kube, person)],
        [*universe(), *suspicions.requests(kube)],
        "Look at the subjects of your bindings: kind, name and, for a ServiceAccount, its namespace.",
    )  # fmt: skip


@check(points=3, after=is_accepted_by_the_server)
def keeps_secrets_by_name(kube, person):
    """shows the one Secret to the one account that rotates it, by name; nobody lists or watches Secrets"""
    every = [*rights.subjects(person), *rights.strangers(person)]
    expect_no_more(
        kube, every, rights.about_secrets(),
        (
            "A list or a watch answers with the values of all. And some shipped roles read "
            "Secrets: look at what they hold."
        ),
    )  # fmt: skip


@check(points=3, after=is_accepted_by_the_server)
def closes_the_ways_up(kube, person):
    """leaves nobody a way to more rights: pods, shells and tokens of others, bindings, other people's names"""
    expect_no_more(
        kube, rights.subjects(person), rights.ways_up(),
        (
            "Who may do this may do what somebody else may. Name each verb and resource; "
            "subresources are resources of their own."
        ),
    )  # fmt: skip


@check(points=2, after=is_accepted_by_the_server)
def allows_nothing_more_in_its_namespace(kube, person, rng):
    """allows nothing that the contract does not name, in the namespace"""
    everybody = rights.subjects(person)
    expect_no_more(
        kube,
        everybody,
        [*rights.everything_else(), *suspected(kube, SPACE)],
        "A star is a promise about all that will ever be added, and a verb too many is one that somebody will use.",
    )
    possible = [one for one in rights.everything_else() if calls.can_be_done(one) and calls.is_known(one)]
    for place in rng.choice(len(possible), 40, replace=False):
        for subject in everybody[:2]:
            one = possible[place]
            Evidence(f"{subject.title}: {rights.told(one)}, by doing it").require(
                subject.may(one) or calls.refused(kube, subject, one), wanted="forbidden", got="allowed"
            )


@check(points=2, after=is_accepted_by_the_server)
def stays_in_its_namespace(kube, person):
    """gives no right in other namespaces, on the cluster's own objects, or at other addresses"""
    expect_no_more(
        kube, rights.subjects(person), [*rights.outside(), *suspected(kube)],
        "A ClusterRole says what. The binding says where: in one namespace (RoleBinding), or everywhere.",
    )  # fmt: skip


@check(points=2, after=is_accepted_by_the_server)
def follows_what_is_added_to_view(kube, person, rng):
    """lets on-call see what is added to the role `view` later, here and nowhere else, and nobody besides"""
    group = f"nukkad{rng.integers(1000)}.example"
    kube.create({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": "view-refunds", "labels": {"rbac.authorization.k8s.io/aggregate-to-view": "true"}},
        "rules": [{"apiGroups": [group], "resources": ["refunds"], "verbs": ["get", "list"]}],
    })  # fmt: skip
    kube.wait(5)
    did = "label a new ClusterRole rbac.authorization.k8s.io/aggregate-to-view"
    for subject in [*rights.subjects(person), *rights.strangers(person)]:
        for space in (SPACE, "payments", ""):
            wanted = subject.title == "the group fraud-oncall" and space == SPACE
            asked = rights.Attributes("list", group, "refunds", "", space)
            got = rights.allowed(kube, subject, asked)
            Evidence(f"{did}; {subject.title}: {rights.told(asked).replace(group, 'example')}").require(
                got == wanted,
                wanted="allowed" if wanted else "forbidden",
                got="allowed" if got else "forbidden",
                hint="A copy of today's `view` does not grow. A binding to it does.",
            )


@check(points=2, after=is_accepted_by_the_server, when=runs_its_own_pods)
def mounts_tokens_only_where_needed(running, rng):
    """mounts a token of the API server into `fraud` alone, under an account of its own for each Deployment"""
    for app in APPS:
        pods = workloads.pods_of(running, app)
        did = Evidence(f"look at the pods of {app}")
        did.require(pods, wanted="at least one pod", got=f"none: {workloads.trouble(running, app)}")
        for pod in pods:
            account = pod["spec"].get("serviceAccountName")
            did.require(
                account == app, wanted=f"the ServiceAccount {app}", got=f"the ServiceAccount {account}"
            )
            did.require(
                workloads.tokens(pod) == (app == "fraud"),
                wanted="a token" if app == "fraud" else "no token: it never speaks to the API server",
                got="a token" if workloads.tokens(pod) else "no token",
                hint="A pod gets one unless its account or its own spec says no.",
            )
    pod = running.create(bad_pods.good(f"unseen-{rng.integers(1000)}"))
    Evidence("create a pod that names no account").require(
        not workloads.tokens(pod),
        wanted="no token",
        got="a token of the default account",
        hint="The account `default` exists in every namespace. It has the same field.",
    )


# The network


def expect_closed(town: Town, every, hint):
    """Fail at the first connection that a policy lets through."""
    network = town.network(blocks_cover_pods=True)
    for one in every:
        if network.lets(one.source, one.target, one.port, one.protocol):
            Evidence(f"connect {one}").fail(wanted="blocked", got="it goes through", hint=hint)


def expect_open(town: Town, every, hint):
    network = town.network(blocks_cover_pods=False)
    for one in every:
        out = network.side("Egress", one.source, one.target, one.target, one.port, one.protocol)
        into = network.side("Ingress", one.target, one.source, one.target, one.port, one.protocol)
        Evidence(f"connect {one}").require(
            out and into,
            wanted="it goes through",
            got=f"blocked {'on its way in' if out else 'on its way out'}",
            hint=hint,
        )


@check(points=3, after=is_accepted_by_the_server)
def lets_the_needed_through(town):
    """lets every connection of the contract through, at both ends"""
    expect_open(
        town, town.needed(), "Both ends must allow it: egress where it begins, ingress where it ends."
    )


@check(points=1, after=is_accepted_by_the_server)
def resolves_names(town):
    """lets every pod ask kube-dns, by UDP and by TCP"""
    expect_open(town, town.names(), "Answers that are too long for a datagram come by TCP, at the same port.")


@check(points=3, after=is_accepted_by_the_server)
def closes_everything_within(kube, town):
    """blocks everything else inside the namespace, both ways, also for pods that nobody has seen"""
    unseen = town.pod(SPACE, {"app.kubernetes.io/name": town.word()}, "a pod of fraud that nobody has seen")
    expect_closed(
        town,
        [*town.within(), *suspicions.connections(kube, town, SPACE), Connection(unseen, town.apps["fraud"], 8080)],
        "A pod that no policy selects is open. So one policy selects every pod, and allows nothing.",
    )  # fmt: skip
    network = town.network(blocks_cover_pods=True)
    for kind in ("Egress", "Ingress"):
        Evidence(f"look at {kind.lower()} alone, of a pod that nobody has seen").require(
            not network.side(kind, unseen, town.apps["fraud"], unseen, 8080, "TCP"),
            wanted="blocked",
            got="open: only the other end blocks it",
            hint="policyTypes says which directions a policy is about.",
        )


@check(points=3, after=is_accepted_by_the_server)
def tells_namespaces_apart(kube, town):
    """blocks pods of other namespaces, also those whose labels look right"""
    expect_closed(
        town, [*town.between_namespaces(), *suspicions.connections(kube, town, None)],
        "Two selectors in one item of `from` must both fit; in two items one is enough. Which label can nobody forge?",
    )  # fmt: skip


@check(points=2, after=is_accepted_by_the_server)
def reaches_no_metadata_and_no_internet(kube, town):
    """blocks the cloud's metadata address, the internet, and what lies beside the database"""
    expect_closed(
        town,
        [*town.away(), *suspicions.connections(kube, town, "")],
        "Whoever reads 169.254.169.254 has the rights of the machine. Name what is needed.",
    )


# Pods


@check(points=2, after=is_accepted_by_the_server)
def refuses_bad_pods(kube):
    """refuses every pod below the level `restricted`, of v1.32"""
    for title, pod in bad_pods.every().items():
        try:
            kube.create(pod, dryRun="All")
        except Refused as error:
            assert error.code in (403, 422), error.message
            continue
        Evidence(f"create a pod with {title}").fail(
            wanted="refused (403)",
            got="admitted",
            hint="The level is a label of the Namespace. `warn` and `audit` only talk.",
        )
    labels = kube.get("Namespace", SPACE)["metadata"].get("labels") or {}
    got = labels.get("pod-security.kubernetes.io/enforce-version", "none")
    Evidence("look at the version of the level").require(
        got == "v1.32",
        wanted="v1.32",
        got=str(got),
        hint="Without a version an upgrade of the cluster changes what is refused.",
    )


# The password


@check(points=3, after=is_accepted_by_the_server, when=runs_its_own_pods)
def keeps_the_password_in_a_file(running, password):
    """gives the password to `fraud` alone, in a file that only its process can read, and shows it nowhere"""
    where = workloads.shown(running, password)
    Evidence("look for the password in pods, variables and objects").require(
        not where,
        wanted="it stands in the Secret alone",
        got=f"it stands {where}",
        hint=(
            "A variable is inherited by every child and stands in every dump. A file is read "
            "by whom its mode allows."
        ),
    )
    for app in APPS:
        for pod in workloads.pods_of(running, app):
            files = [one for each in workloads.containers(pod) for one in workloads.secret_files(pod, each)]
            mine = [one for one in files if one.secret == SECRET]
            if app != "fraud":
                Evidence(f"look at the files of {app}").require(
                    not mine, wanted="no password", got=f"{SECRET} is mounted"
                )
                continue
            here = Evidence(f"read {FILE} in a pod of fraud")
            found = [one for one in mine if one.path == FILE and one.key == "password"]
            here.require(found, wanted="the password", got="no such file")
            loose = [one for one in mine if one.mode & 0o007]
            here.require(
                not loose,
                wanted="no right for others in its mode",
                got=f"mode {loose[0].mode:04o}" if loose else "",
                hint="`defaultMode` is 0644 unless it says otherwise.",
            )
            group = (pod["spec"].get("securityContext") or {}).get("fsGroup")
            here.require(
                group is not None,
                wanted="a file that the process can read",
                got="it belongs to root, and the process is user 10001 without its group",
                hint="`fsGroup` gives the files of a volume to a group, and the process to that group.",
            )


# What a rotation stands on; that the rotator has its rights, the fixture asks.
RIGHT = (runs_its_own_pods, keeps_the_password_in_a_file)


@check(points=3, after=is_accepted_by_the_server, when=RIGHT)
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


@check(points=4, after=is_accepted_by_the_server, when=rotates)
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


@check(points=2, after=is_accepted_by_the_server, when=rotates)
def does_nothing_twice(rotating):
    """writes nothing when it is run again for a rotation that is done"""
    to = rotating.name()
    rotating.run(to).expect(status=0)
    again = rotating.run(to)
    again.expect(status=0)
    writes = rotating.between.seen.writes
    again.require(not writes, wanted="no write", got=f"{len(writes)}: {writes[0] if writes else ''}")


@check(points=4, after=is_accepted_by_the_server, when=locks_nobody_out)
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


@check(points=3, after=is_accepted_by_the_server, when=locks_nobody_out)
def survives_two_at_once(rotating):
    """ends in the same good state when two runs begin at the same moment"""
    for ahead in (1, 2, 4):
        to = rotating.name()
        did = f"run rotate.py --to NAME twice at once; writes that the first one is ahead: {ahead}"
        ends = rotating.two(to, ahead)
        rotating.no_lockout(did)
        if any(one.status for one in ends):  # one may give up: somebody runs it again
            rotating.run(to).expect(
                status=0, hint="What had one of the two written when the other one wrote it again?"
            )
            rotating.no_lockout(did + ", and a third time")
        rotating.done(did, to)


@check(points=2, after=is_accepted_by_the_server, when=locks_nobody_out)
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


@check(points=3, after=is_accepted_by_the_server, when=locks_nobody_out)
def tells_no_secret(rotating):
    """leaves no password or token in its output, in files, in other objects or in addresses, also when calls fail"""
    to = rotating.name()
    for words, database, api in ((("-vv",), True, False), (("-vv",), False, True), (("-v",), False, False)):
        rotating.database.fault, rotating.between.fault = database, api
        finished = rotating.run(to, *words)
        trouble = (
            " while the database fails"
            if database
            else " while the API server refuses the Secret"
            if api
            else ""
        )
        here = Evidence(f"python3 rotate.py --to NAME {words[0]}{trouble}")
        found = rotating.told_in(finished)
        here.require(
            not found, wanted="output without any secret", got=f"{found} stands in it",
            hint=(
                "Errors of others quote what you sent, tracebacks quote errors, and libraries "
                "log what passes through them."
            ),
        )  # fmt: skip
        if trouble:
            here.require(
                finished.status not in (0, NOT_READY),
                wanted="a status that says so: not 0, not 4",
                got=f"{finished.status}",
            )
        where, what = rotating.left_behind()
        here.require(not what, wanted="secrets in the Secret alone", got=f"{what} stands in {where}")
    rotating.done("python3 rotate.py, when nothing fails any more", to)


# Leaks


@check(points=2, needs=("git",))
def finds_what_a_repository_keeps(work, rng):
    """finds a secret in every object of a repository: other branches, tags, stashes, notes, messages, removed files"""
    leaking.in_git(work, rng)


@check(points=2)
def finds_what_an_image_keeps(work, rng):
    """finds a secret in every layer and every config of an image's archive, also what later layers remove"""
    leaking.in_images(work, rng)


@check(points=2)
def knows_every_form(work, rng):
    """finds a secret plain, as base64, in URLs and in JSON, and nothing that only looks alike"""
    leaking.in_every_form(work, rng)


@check(points=2)
def reads_in_pieces(work, rng, tmp_path):
    """needs little memory for large files, and finds a secret that lies across two pieces"""
    leaking.in_pieces(work, rng, tmp_path)


@check(points=1, needs=("git",))
def says_what_it_could_not_read(work, rng):
    """says which place it could not read, with status 2, and looks at the others"""
    leaking.unread(work, rng)


@check(points=2, needs=("git",))
def trusts_no_place(work, rng):
    """runs nothing that a repository asks for, follows nothing that an archive says, and writes nothing"""
    leaking.trusting(work, rng)


@check(points=1, needs=("git",))
def shows_no_secret(work, rng):
    """prints no secret and no part of one, also where names and errors hold it"""
    leaking.showing(work, rng)
