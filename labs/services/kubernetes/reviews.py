"""Questions about access: who am I, may I, may they, and what may I at all.

Source: https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/
"""

from __future__ import annotations

from typing import Any

from labs.services.kubernetes.context import Context
from labs.services.kubernetes.objects import Obj, timestamp
from labs.services.kubernetes.rbac import Authorizer
from labs.services.kubernetes.resources import Resource
from labs.services.kubernetes.statuses import bad_request
from labs.services.kubernetes.tokens import ISSUER, Tokens
from labs.services.kubernetes.users import Attributes, User


class Reviews:
    def __init__(self, authorizer: Authorizer, tokens: Tokens) -> None:
        self._authorizer, self._tokens = authorizer, tokens

    def answer(self, resource: Resource, namespace: str, body: Any, ctx: Context) -> Obj:
        if not isinstance(body, dict):
            raise bad_request("the body of the request is not an object")
        spec = body.get("spec") or {}
        match resource.kind:
            case "SelfSubjectReview":
                state: Obj = {"userInfo": ctx.user.as_json()}
            case "TokenReview":
                state = self._token(spec, ctx)
            case "SelfSubjectRulesReview":
                state = self._rules(ctx.user, spec.get("namespace") or "")
            case "SelfSubjectAccessReview":
                state = self._access(ctx.user, spec)
            case _:
                state = self._of_somebody(resource, namespace, spec)
        meta = {"creationTimestamp": timestamp(ctx.now)}
        return {
            "kind": resource.kind,
            "apiVersion": resource.api_version,
            "metadata": meta,
            "spec": spec,
            "status": state,
        }

    def _of_somebody(self, resource: Resource, namespace: str, spec: Obj) -> Obj:
        user = User(spec.get("user") or "", tuple(spec.get("groups") or ()))
        if not user.name and not user.groups:
            raise bad_request("spec.user or spec.groups is required")
        asked = spec.get("resourceAttributes") or {}
        if resource.kind == "LocalSubjectAccessReview" and asked.get("namespace") != namespace:
            raise bad_request("spec.resourceAttributes.namespace must match the namespace of the request")
        return self._access(user, spec)

    def _access(self, user: User, spec: Obj) -> Obj:
        about, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
        if bool(about) == bool(path):
            raise bad_request("exactly one of nonResourceAttributes or resourceAttributes must be specified")
        if about:
            asked = Attributes(
                about.get("verb") or "",
                about.get("group") or "",
                about.get("resource") or "",
                about.get("subresource") or "",
                about.get("namespace") or "",
                about.get("name") or "",
            )
        else:
            asked = Attributes((path or {}).get("verb") or "", path=(path or {}).get("path") or "")
        decision = self._authorizer.decide(user, asked)
        return {"allowed": decision.allowed, **({"reason": decision.reason} if decision.reason else {})}

    def _rules(self, user: User, namespace: str) -> Obj:
        if not namespace:
            raise bad_request("no namespace on request")
        rules = self._authorizer.rules(user, namespace)
        return {
            "resourceRules": [
                {
                    key: one[key]
                    for key in ("verbs", "apiGroups", "resources", "resourceNames")
                    if one.get(key)
                }
                for one in rules
                if not one.get("nonResourceURLs")
            ],
            "nonResourceRules": [
                {"verbs": one["verbs"], "nonResourceURLs": one["nonResourceURLs"]}
                for one in rules
                if one.get("nonResourceURLs")
            ],
            "incomplete": False,
        }

    def _token(self, spec: Obj, ctx: Context) -> Obj:
        audiences = tuple(spec.get("audiences") or (ISSUER,))
        user = self._tokens.user(spec.get("token") or "", ctx.now, audiences)
        if user is None:
            return {"authenticated": False, "error": "invalid bearer token", "user": {}}
        return {"authenticated": True, "user": user.as_json(), "audiences": list(audiences)}
