"""Who may do what: the calls of the contract are made, and everything else is asked about."""

from __future__ import annotations

import calls
import rights
import suspicions
from kube import SPACE
from labs.grading.evidence import Evidence


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


def gives_nothing_to_everybody(kube, person):
    """gives nothing to the default account, to all accounts, to all who log in, or to others with the same name"""
    expect_no_more(
        kube, [*rights.strangers(person), *suspicions.others(kube, person)],
        [*universe(), *suspicions.requests(kube)],
        "Look at the subjects of your bindings: kind, name and, for a ServiceAccount, its namespace.",
    )  # fmt: skip


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


def closes_the_ways_up(kube, person):
    """leaves nobody a way to more rights: pods, shells and tokens of others, bindings, other people's names"""
    expect_no_more(
        kube, rights.subjects(person), rights.ways_up(),
        (
            "Who may do this may do what somebody else may. Name each verb and resource; "
            "subresources are resources of their own."
        ),
    )  # fmt: skip


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


def stays_in_its_namespace(kube, person):
    """gives no right in other namespaces, on the cluster's own objects, or at other addresses"""
    expect_no_more(
        kube, rights.subjects(person), [*rights.outside(), *suspected(kube)],
        "A ClusterRole says what. The binding says where: in one namespace (RoleBinding), or everywhere.",
    )  # fmt: skip


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
