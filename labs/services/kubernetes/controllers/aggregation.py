"""ClusterRoles with an aggregationRule: their rules follow from those of the roles that they select.

Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/#aggregated-clusterroles
"""

from __future__ import annotations

from collections.abc import Iterable

from labs.services.kubernetes import objects, rbac
from labs.services.kubernetes.controllers.hands import Hands
from labs.services.kubernetes.resources import CLUSTERROLES
from labs.services.kubernetes.store import Change, Key


class Aggregation:
    name = "clusterrole-aggregation-controller"

    def concerns(self, change: Change, hands: Hands) -> Iterable[Key]:
        if change.resource is not CLUSTERROLES:
            return []
        return [
            ("", objects.name(one)) for one in hands.store.every(CLUSTERROLES) if one.get("aggregationRule")
        ]

    def reconcile(self, key: Key, hands: Hands) -> float | None:
        role = hands.get(CLUSTERROLES, *key)
        if role is not None and role.get("aggregationRule"):
            rules = rbac.aggregated(role, hands.store.every(CLUSTERROLES))
            if rules != (role.get("rules") or []):
                hands.put(CLUSTERROLES, {**role, "rules": rules})
        return None
