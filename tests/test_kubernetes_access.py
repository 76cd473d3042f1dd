"""Who may do what: RBAC, impersonation, tokens, the rules against escalation, and Pod Security."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_kubernetes_cluster import Api, Refused, deployment, opened, pod_spec, thing

from labs.services.kubernetes import pod_security, rbac
from labs.services.kubernetes.users import Attributes, User


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with opened(tmp_path) as found:
        yield found


def rule(resources: str = "", verbs: str = "get", groups: str = "core", **more: Any) -> dict[str, Any]:
    return {
        "apiGroups": ["" if one == "core" else one for one in groups.split()],
        "resources": resources.split(),
        "verbs": verbs.split(),
        **more,
    }


def asked(text: str) -> Attributes:
    """`verb [group/]resource[/subresource] [name]`, or `verb /path`."""
    verb, what, *name = text.split()
    if what.startswith("/"):
        return Attributes(verb, path=what)
    group, _, resource = what.rpartition(":")
    plural, _, below = resource.partition("/")
    return Attributes(verb, group, plural, below, "default", name[0] if name else "")


RULES: list[tuple[dict[str, Any], str, bool]] = [
    (rule("pods"), "get pods x", True),
    (rule("pods"), "list pods", False),
    (rule("pods"), "get pods/log x", False),
    (rule("pods/log"), "get pods/log x", True),
    (rule("pods/log"), "get pods x", False),
    (rule("*"), "get pods/log x", True),
    (rule("*/log"), "get pods/log x", True),
    (rule("*/log"), "get pods x", False),
    (rule("*/scale", "update", "apps"), "update apps:deployments/scale x", True),
    (rule("pods", "*"), "deletecollection pods", True),
    (rule("deployments"), "get apps:deployments x", False),
    (rule("deployments", groups="apps"), "get apps:deployments x", True),
    (rule("deployments", groups="*"), "get apps:deployments x", True),
    (rule("secrets", resourceNames=["db"]), "get secrets db", True),
    (rule("secrets", resourceNames=["db"]), "get secrets other", False),
    (rule("secrets", "list get", resourceNames=["db"]), "list secrets", False),
    (rule("secrets", "list", resourceNames=["db"]), "list secrets db", True),
    (rule("secrets", "create", resourceNames=["db"]), "create secrets", False),
    ({"nonResourceURLs": ["/metrics"], "verbs": ["get"]}, "get /metrics", True),
    ({"nonResourceURLs": ["/metrics"], "verbs": ["get"]}, "get /metrics/x", False),
    ({"nonResourceURLs": ["/debug/*"], "verbs": ["*"]}, "post /debug/x", True),
    ({"nonResourceURLs": ["*"], "verbs": ["get"]}, "get pods x", False),
    (rule("*", "*", "*"), "get /metrics", False),
]


@pytest.mark.parametrize(("one", "text", "wanted"), RULES)
def test_rules(one: dict[str, Any], text: str, wanted: bool) -> None:
    assert rbac.rule_allows(one, asked(text)) is wanted


COVERS: list[tuple[list[dict[str, Any]], dict[str, Any], bool]] = [
    ([rule("pods", "get list")], rule("pods", "get"), True),
    ([rule("pods", "get")], rule("pods", "get list"), False),
    ([rule("pods", "get"), rule("pods", "list")], rule("pods", "get list"), True),
    ([rule("pods secrets", "get")], rule("pods", "*"), False),
    ([rule("pods", "*")], rule("pods", "*"), True),
    ([rule("*", "*", "*")], rule("pods", "*", "apps"), True),
    ([rule("pods")], rule("pods", resourceNames=["x"]), True),
    ([rule("pods", resourceNames=["x"])], rule("pods"), False),
    ([rule("pods", resourceNames=["x"])], rule("pods", resourceNames=["x", "y"]), False),
    ([rule("*/log")], rule("pods/log"), True),
    ([{"nonResourceURLs": ["/a*"], "verbs": ["get"]}], {"nonResourceURLs": ["/ab"], "verbs": ["get"]}, True),
    ([rule("*", "*", "*")], {"nonResourceURLs": ["/ab"], "verbs": ["get"]}, False),
]


@pytest.mark.parametrize(("owned", "one", "wanted"), COVERS)
def test_what_covers_what(owned: list[dict[str, Any]], one: dict[str, Any], wanted: bool) -> None:
    assert rbac.covers(owned, one) is wanted


SUBJECTS = [
    ({"kind": "User", "name": "jane"}, True),
    ({"kind": "Group", "name": "dev"}, True),
    ({"kind": "Group", "name": "jane"}, False),
    ({"kind": "ServiceAccount", "name": "jane", "namespace": "default"}, False),
]


@pytest.mark.parametrize(("subject", "wanted"), SUBJECTS)
def test_subjects(subject: dict[str, Any], wanted: bool) -> None:
    assert rbac.subject_is(subject, User("jane", ("dev",)), "default") is wanted


def bind(api: Api, role: str, subject: dict[str, Any], space: str = "", kind: str = "ClusterRole") -> None:
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role}
    name = f"{role}-{subject['name'].replace(':', '-')}"
    made = thing("RoleBinding", name, space) if space else thing("ClusterRoleBinding", name)
    api.create({**made, "roleRef": reference, "subjects": [subject]})


def may(api: Api, text: str, user: str, space: str = "default", groups: tuple[str, ...] = ()) -> bool:
    verb, what, *name = text.split()
    spec: dict[str, Any] = {"user": user, "groups": list(groups)}
    if what.startswith("/"):
        spec["nonResourceAttributes"] = {"verb": verb, "path": what}
    else:
        about = asked(text)
        spec["resourceAttributes"] = {
            "verb": verb,
            "group": about.group,
            "resource": about.resource,
            "subresource": about.subresource,
            "namespace": space,
            "name": name[0] if name else "",
        }
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
    found = api.ask("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", body)
    return bool(found["status"]["allowed"])


DEFAULT_ROLES = {
    "view": {
        "get pods x": True,
        "list apps:deployments": True,
        "get pods/log x": True,
        "get secrets x": False,
        "create pods": False,
        "list rbac.authorization.k8s.io:roles": False,
    },
    "edit": {
        "get secrets x": True,
        "create apps:deployments": True,
        "create pods/exec x": True,
        "impersonate serviceaccounts x": True,
        "create rbac.authorization.k8s.io:roles": False,
        "update namespaces x": False,
    },
    "admin": {
        "create rbac.authorization.k8s.io:rolebindings": True,
        "get secrets x": True,
        "update namespaces x": False,
        "get nodes x": False,
    },
    "cluster-admin": {
        "delete nodes x": True,
        "get /metrics": True,
        "escalate rbac.authorization.k8s.io:roles x": True,
    },
}


@pytest.mark.parametrize("role", DEFAULT_ROLES)
def test_default_roles(api: Api, role: str) -> None:
    bind(api, role, {"kind": "User", "name": "jane"})
    assert {text: may(api, text, "jane") for text in DEFAULT_ROLES[role]} == DEFAULT_ROLES[role]


def test_a_binding_in_a_namespace_holds_there_only(api: Api) -> None:
    api.create(thing("Namespace", "shop"))
    bind(api, "view", {"kind": "User", "name": "jane"}, "shop")
    jane = api.as_user("jane")
    assert jane.items("Pod", "shop") == []
    for act, place in (
        (lambda: jane.items("Pod"), 'in the namespace "default"'),
        (lambda: jane.ask("GET", "/api/v1/pods"), "at the cluster scope"),
    ):
        with pytest.raises(Refused) as refused:
            act()
        assert refused.value.code == 403
        assert refused.value.message == (
            f'pods is forbidden: User "jane" cannot list resource "pods" in API group "" {place}'
        )


def test_one_named_object_may_be_listed_by_its_name(api: Api) -> None:
    api.create(_role("one", rule("configmaps", "get list watch", resourceNames=["settings"])))
    bind(api, "one", {"kind": "User", "name": "jane"}, "default", "Role")
    api.create(thing("ConfigMap", "settings"))
    jane = api.as_user("jane")
    assert len(jane.items("ConfigMap", fieldSelector="metadata.name=settings")) == 1
    for selector in ("", "metadata.name=other"):
        with pytest.raises(Refused):
            jane.items("ConfigMap", fieldSelector=selector)


def test_roles_gather_the_rules_of_others(api: Api) -> None:
    bind(api, "view", {"kind": "User", "name": "jane"})
    assert not may(api, "get example.com:models x", "jane")
    role = thing("ClusterRole", "see-models", rules=[rule("models", groups="example.com")])
    role["metadata"]["labels"] = {"rbac.authorization.k8s.io/aggregate-to-view": "true"}
    api.create(role)
    assert may(api, "get example.com:models x", "jane")
    api.delete("ClusterRole", "see-models")
    assert not may(api, "get example.com:models x", "jane")


def test_groups_of_service_accounts(api: Api) -> None:
    bind(api, "view", {"kind": "Group", "name": "system:serviceaccounts:default"})
    token = api.ask("POST", api.path("ServiceAccount", "default") + "/token", {})["status"]["token"]
    pod = api.with_token(token)
    assert pod.items("Pod") == []
    with pytest.raises(Refused):
        pod.items("Secret")
    other = api.path("ServiceAccount", "default", "kube-public") + "/token"
    with pytest.raises(Refused):
        api.with_token(api.ask("POST", other, {})["status"]["token"]).items("Pod")


def test_tokens_end(api: Api) -> None:
    api.create(thing("ServiceAccount", "robot"))
    path = api.path("ServiceAccount", "robot") + "/token"
    made = api.ask("POST", path, {"spec": {"expirationSeconds": 900}})["status"]
    assert made["expirationTimestamp"] == "2027-01-15T08:15:00Z"
    claims = json.loads(base64.urlsafe_b64decode(made["token"].split(".")[1] + "=="))
    assert claims["sub"] == "system:serviceaccount:default:robot" and claims["exp"] - claims["iat"] == 900
    body = {"spec": {"token": made["token"]}}
    reviews = "/apis/authentication.k8s.io/v1/tokenreviews"
    assert api.ask("POST", reviews, body)["status"]["authenticated"] is True

    def code(token: str) -> int:
        return api.client.get("/api/v1/pods", headers={"Authorization": f"Bearer {token}"}).status_code

    head, middle, signature = made["token"].split(".")
    forged = base64.urlsafe_b64encode(json.dumps({**claims, "exp": 2**40}).encode()).decode().rstrip("=")
    assert code(made["token"]) == 403
    for wrong in (f"{head}.{forged}.{signature}", f"{head}.{middle}.", "a.b.c", "", "é", f"{head}.{middle}"):
        assert (
            api.client.get("/api/v1/pods", headers={b"Authorization": f"Bearer {wrong}".encode()}).status_code
            == 401
        )
    other = api.ask("POST", path, {"spec": {"audiences": ["vault"]}})["status"]["token"]
    assert code(other) == 401
    api.wait(901)
    assert code(made["token"]) == 401
    fresh = api.ask("POST", path, {})["status"]["token"]
    assert code(fresh) == 403
    api.delete("ServiceAccount", "robot")
    api.create(thing("ServiceAccount", "robot"))
    assert code(fresh) == 401  # of the account with another uid
    with pytest.raises(Refused, match="10 minutes"):
        api.ask("POST", path, {"spec": {"expirationSeconds": 60}})


def test_impersonation_needs_a_permission(api: Api) -> None:
    bind(api, "edit", {"kind": "User", "name": "jane"}, "default")
    assert api.as_user("jane", "dev").ask("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {})[
        "status"
    ]["userInfo"] == {"username": "jane", "groups": ["dev", "system:authenticated"]}
    token = api.ask("POST", api.path("ServiceAccount", "default") + "/token", {})["status"]["token"]
    bind(api, "edit", {"kind": "ServiceAccount", "name": "default", "namespace": "default"}, "default")
    robot = api.with_token(token)
    for name in ("jane", "system:serviceaccount:kube-system:default"):
        with pytest.raises(Refused, match="cannot impersonate resource"):
            robot.as_user(name).items("Pod")
    assert robot.as_user("system:serviceaccount:default:default").items("Pod") == []
    with pytest.raises(Refused, match="without a user"):
        Api(api.client, api.cluster, api.token, {"Impersonate-Group": "x"}).items("Pod")


def _role(name: str, *rules: dict[str, Any], space: str = "default") -> dict[str, Any]:
    return thing("Role", name, space, rules=list(rules))


def test_nobody_grants_more_than_he_has(api: Api) -> None:
    bind(api, "admin", {"kind": "User", "name": "lead"}, "default")
    lead = api.as_user("lead")
    lead.create(_role("readers", rule("pods", "get list")))
    for wrong in (
        _role("nodes", rule("nodes", "get")),
        _role("all", rule("*", "*", "*")),
        _role("escalators", rule("roles", "escalate", "rbac.authorization.k8s.io")),
    ):
        with pytest.raises(
            Refused, match="attempting to grant RBAC permissions not currently held"
        ) as refused:
            lead.create(wrong)
        assert refused.value.code == 403
    with pytest.raises(Refused, match="not currently held"):
        lead.apply(_role("readers", rule("pods", "get list"), rule("nodes", "get")), force="true")
    with pytest.raises(Refused, match="not currently held"):
        bind(lead, "cluster-admin", {"kind": "User", "name": "lead"}, "default")
    bind(lead, "view", {"kind": "User", "name": "jane"}, "default")
    may_bind = rule("clusterroles", "bind", "rbac.authorization.k8s.io", resourceNames=["cluster-admin"])
    api.create(thing("ClusterRole", "binder", rules=[may_bind]))
    bind(api, "binder", {"kind": "User", "name": "lead"})
    bind(lead, "cluster-admin", {"kind": "User", "name": "lead"}, "default")
    lead.create(_role("all", rule("*", "*", "*")))


def test_a_binding_keeps_its_role(api: Api) -> None:
    bind(api, "view", {"kind": "User", "name": "jane"}, "default")
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"}
    with pytest.raises(Refused, match="cannot change roleRef"):
        api.patch("RoleBinding", "view-jane", {"roleRef": reference})


def test_rules_reviews(api: Api) -> None:
    api.create(_role("readers", rule("pods", "get list")))
    bind(api, "readers", {"kind": "User", "name": "jane"}, "default", "Role")
    body = {"spec": {"namespace": "default"}}
    found = api.as_user("jane").ask("POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", body)
    wanted = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}
    assert wanted in found["status"]["resourceRules"] and found["status"]["incomplete"] is False
    assert may(api, "get /version", "jane", groups=("system:authenticated",))


def test_logs_need_a_permission_before_they_are_refused(api: Api) -> None:
    path = api.path("Pod", "x") + "/log"
    for user, code in (("jane", 403), ("", 501)):
        with pytest.raises(Refused) as refused:
            (api.as_user(user) if user else api).ask("GET", path)
        assert refused.value.code == code


# Pod Security

GOOD = {
    "allowPrivilegeEscalation": False,
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


def _spec(pod: dict[str, Any] | None = None, *, bare: bool = False, **context: Any) -> dict[str, Any]:
    merged = {key: value for key, value in {**({} if bare else GOOD), **context}.items() if value is not None}
    return {**pod_spec(securityContext=merged), **(pod or {})}


def _sysctl(name: str) -> dict[str, Any]:
    return {"securityContext": {"sysctls": [{"name": name, "value": "1"}]}}


SECURITY: dict[str, tuple[dict[str, Any], bool, bool]] = {  # spec, good for baseline, good for restricted
    "nothing said": (pod_spec(), True, False),
    "everything right": (_spec(), True, True),
    "host network": (_spec({"hostNetwork": True}), False, False),
    "host PID": (_spec({"hostPID": True}), False, False),
    "privileged": (_spec(privileged=True, allowPrivilegeEscalation=None), False, False),
    "a capability too many": (_spec(capabilities={"drop": ["ALL"], "add": ["SYS_ADMIN"]}), False, False),
    "a usual capability": (_spec(capabilities={"drop": ["ALL"], "add": ["CHOWN"]}), True, False),
    "binding low ports": (_spec(capabilities={"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}), True, True),
    "drops only some": (_spec(capabilities={"drop": ["KILL"]}), True, False),
    "host path": (_spec({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}), False, False),
    "a config volume": (_spec({"volumes": [{"name": "v", "configMap": {"name": "x"}}]}), True, True),
    "host port": ({"containers": [{"name": "a", "securityContext": GOOD, "ports": [{"hostPort": 80}]}]}, False, False),
    "unmasked proc": (_spec(procMount="Unmasked"), False, False),
    "unconfined": (_spec(seccompProfile={"type": "Unconfined"}), False, False),
    "seccomp for the whole pod": (
        _spec({"securityContext": {"seccompProfile": {"type": "Localhost"}}}, seccompProfile=None),
        True,
        True,
    ),
    "no seccomp": (_spec(seccompProfile=None), True, False),
    "escalation": (_spec(allowPrivilegeEscalation=None), True, False),
    "may be root": (_spec(runAsNonRoot=None), True, False),
    "not root for the whole pod": (_spec({"securityContext": {"runAsNonRoot": True}}, runAsNonRoot=None), True, True),
    "a container takes it back": (_spec({"securityContext": {"runAsNonRoot": True}}, runAsNonRoot=False), True, False),
    "user 0": (_spec(runAsUser=0), True, False),
    "SELinux user": (_spec(seLinuxOptions={"user": "u"}), False, False),
    "AppArmor off": (_spec(appArmorProfile={"type": "Unconfined"}), False, False),
    "a safe sysctl": (_spec(_sysctl("net.ipv4.tcp_syncookies")), True, True),
    "another sysctl": (_spec(_sysctl("kernel.msgmax")), False, False),
    "a bad init container": ({**_spec(), "initContainers": [{"name": "i", "image": "i:1"}]}, True, False),
}  # fmt: skip


@pytest.mark.parametrize("case", SECURITY)
def test_pod_security(case: str) -> None:
    spec, baseline, restricted = SECURITY[case]
    found = {level: not pod_security.violations(level, spec) for level in pod_security.LEVELS}
    assert found == {"privileged": True, "baseline": baseline, "restricted": restricted}


def test_pod_security_in_the_words_of_kubernetes() -> None:
    assert pod_security.violations("restricted", pod_spec()) == [
        'allowPrivilegeEscalation != false (container "app" must set securityContext.allowPrivilegeEscalation=false)',
        'unrestricted capabilities (container "app" must set securityContext.capabilities.drop=["ALL"])',
        'runAsNonRoot != true (pod or container "app" must set securityContext.runAsNonRoot=true)',
        'seccompProfile (pod or container "app" must set securityContext.seccompProfile.type to "RuntimeDefault" '
        'or "Localhost")',
    ]


def test_namespaces_enforce_and_warn(api: Api) -> None:
    space = thing("Namespace", "tight")
    prefix = "pod-security.kubernetes.io"
    space["metadata"]["labels"] = {f"{prefix}/enforce": "baseline", f"{prefix}/warn": "restricted"}
    api.create(space)
    with pytest.raises(Refused, match='violates PodSecurity "baseline:latest": host namespaces'):
        api.create(thing("Pod", "bad", "tight", spec={**pod_spec(), "hostNetwork": True}))
    api.create(thing("Pod", "soft", "tight", spec=pod_spec()))
    assert 'would violate PodSecurity \\"restricted:latest\\"' in api.warnings[0]
    made = deployment()
    made["metadata"]["namespace"] = "tight"
    made["spec"]["template"]["spec"]["hostPID"] = True
    api.create(made)  # a template only warns; its pods are refused
    assert "would violate" in api.warnings[0]
    assert [one["metadata"]["name"] for one in api.items("Pod", "tight")] == ["soft"]
    conditions = api.get("Deployment", "web", "tight")["status"]["conditions"]
    failure = next(one for one in conditions if one["type"] == "ReplicaFailure")
    assert failure["reason"] == "FailedCreate" and "violates PodSecurity" in failure["message"]
    with pytest.raises(Refused) as refused:
        api.patch("Namespace", "tight", {"metadata": {"labels": {f"{prefix}/enforce": "strict"}}})
    assert refused.value.code == 422
