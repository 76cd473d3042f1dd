"""Deployments: revisions, rolling updates and recreation, progress and its deadline.

Source: https://kubernetes.io/docs/concepts/workloads/controllers/deployment/
"""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from labs.services.kubernetes import objects
from labs.services.kubernetes.context import template_hash
from labs.services.kubernetes.controllers import rollout
from labs.services.kubernetes.controllers.hands import Hands, with_condition
from labs.services.kubernetes.controllers.rollout import Limits, Size
from labs.services.kubernetes.objects import Obj
from labs.services.kubernetes.resources import DEPLOYMENTS, PODS, REPLICASETS
from labs.services.kubernetes.store import Change, Key

WHO = "deployment-controller"
HASH = "pod-template-hash"
_NOTE = "deployment.kubernetes.io/"
REVISION, DESIRED, MOST = f"{_NOTE}revision", f"{_NOTE}desired-replicas", f"{_NOTE}max-replicas"
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_NO_DEADLINE = 2**31 - 1


class DeploymentController:
    name = WHO

    def concerns(self, change: Change, hands: Hands) -> Iterable[Key]:
        thing = change.thing
        if change.resource is DEPLOYMENTS:
            return [(objects.namespace(thing), objects.name(thing))]
        owner = objects.controller_of(thing)
        if change.resource is REPLICASETS and owner and owner["kind"] == "Deployment":
            return [(objects.namespace(thing), owner["name"])]
        if change.resource is PODS and change.what == "DELETED" and owner and owner["kind"] == "ReplicaSet":
            above = hands.get(REPLICASETS, objects.namespace(thing), owner["name"])
            grand = objects.controller_of(above) if above else None
            return [(objects.namespace(thing), grand["name"])] if grand else []
        return []

    def reconcile(self, key: Key, hands: Hands) -> float | None:
        deployment = hands.get(DEPLOYMENTS, *key)
        if deployment is None or objects.deleting(deployment):
            return None
        spec = deployment["spec"]
        sets = sorted(hands.owned(REPLICASETS, deployment), key=_age)
        new = next((one for one in sets if same_template(one, deployment)), None)
        if spec.get("paused") or self._was_scaled(deployment, sets):
            self._scale_in_proportion(deployment, new, sets, hands)
        elif spec["strategy"]["type"] == "Recreate":
            self._recreate(deployment, new, sets, hands)
        else:
            self._roll(deployment, new, sets, hands)
        again = self._report(key, hands)
        self._forget_old(key, hands)
        return again

    def _was_scaled(self, deployment: Obj, sets: list[Obj]) -> bool:
        wanted = str(deployment["spec"]["replicas"])
        active = [one for one in sets if one["spec"]["replicas"] > 0]
        return any(objects.notes(one).get(DESIRED, wanted) != wanted for one in active)

    def _new_set(self, deployment: Obj, new: Obj | None, sets: list[Obj], hands: Hands, size: int) -> Obj:
        """The ReplicaSet of the present template, made with `size` replicas if there is none; its revision is last."""
        old = [one for one in sets if one is not new]
        revision = 1 + max((_revision(one) for one in old), default=0)
        if new is None:
            return self._create_set(deployment, revision, size, hands)
        notes = {**objects.notes(new), **_copied_notes(deployment)}
        if revision > _revision(new):
            notes[REVISION] = str(revision)
        if notes != objects.notes(new):
            new = hands.put(REPLICASETS, {**new, "metadata": {**new["metadata"], "annotations": notes}})
        if objects.notes(deployment).get(REVISION) != str(_revision(new)):
            self._note_revision(deployment, new, hands)
        return new

    @staticmethod
    def _note_revision(deployment: Obj, new: Obj, hands: Hands) -> None:
        current = hands.get(DEPLOYMENTS, objects.namespace(deployment), objects.name(deployment))
        if current is not None:
            notes = {**objects.notes(current), REVISION: str(_revision(new))}
            meta = {**current["metadata"], "annotations": notes}
            hands.put(DEPLOYMENTS, {**current, "metadata": meta})

    def _create_set(self, deployment: Obj, revision: int, size: int, hands: Hands) -> Obj:
        spec, space = deployment["spec"], objects.namespace(deployment)
        template = objects.copy(spec["template"])
        digest = template_hash(orjson.dumps(template, option=orjson.OPT_SORT_KEYS))
        name, salt = f"{objects.name(deployment)}-{digest}", 0
        while hands.get(REPLICASETS, space, name) is not None:
            salt += 1
            text = orjson.dumps([salt, template], option=orjson.OPT_SORT_KEYS)
            digest = template_hash(text)
            name = f"{objects.name(deployment)}-{digest}"
        labels = {**(template.get("metadata", {}).get("labels") or {}), HASH: digest}
        template.setdefault("metadata", {})["labels"] = labels
        selector = objects.copy(spec["selector"])
        selector["matchLabels"] = {**(selector.get("matchLabels") or {}), HASH: digest}
        body = {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": name,
                "namespace": space,
                "labels": labels,
                "annotations": {
                    **_copied_notes(deployment),
                    REVISION: str(revision),
                    **_size_notes(deployment),
                },
                "ownerReferences": [objects.owner_reference(deployment)],
            },
            "spec": {
                "replicas": size,
                "minReadySeconds": spec.get("minReadySeconds", 0),
                "selector": selector,
                "template": template,
            },
        }
        new = hands.create(REPLICASETS, space, body, WHO)
        if size:
            self._tell(deployment, new, 0, size, hands)
        self._note_revision(deployment, new, hands)
        self._progress(deployment, "NewReplicaSetCreated", f'Created new replica set "{name}"', hands)
        return new

    def _roll(self, deployment: Obj, new: Obj | None, sets: list[Obj], hands: Hands) -> None:
        bounds = limits_of(deployment)
        if new is None:
            room = bounds.most - sum(one["spec"]["replicas"] for one in sets)
            self._new_set(deployment, None, sets, hands, max(0, min(bounds.replicas, room)))
            return
        new = self._new_set(deployment, new, sets, hands, 0)
        old = [one for one in sets if objects.uid(one) != objects.uid(new)]
        sizes = rollout.step(bounds, _size(new), [_size(one) for one in old])
        for one in (new, *old):
            self._resize(deployment, one, sizes.get(objects.name(one)), hands)

    def _recreate(self, deployment: Obj, new: Obj | None, sets: list[Obj], hands: Hands) -> None:
        old = [one for one in sets if one is not new]
        running = False
        for one in old:
            running = running or bool(hands.owned(PODS, one))
            if one["spec"]["replicas"]:
                self._resize(deployment, one, 0, hands)
        wanted = deployment["spec"]["replicas"]
        if running:
            return
        fresh = self._new_set(deployment, new, sets, hands, wanted)
        self._resize(deployment, fresh, wanted, hands)

    def _scale_in_proportion(self, deployment: Obj, new: Obj | None, sets: list[Obj], hands: Hands) -> None:
        wanted = deployment["spec"]["replicas"]
        active = [one for one in sets if one["spec"]["replicas"] > 0]
        if len(active) <= 1:
            only = active[0] if active else new or (sets[-1] if sets else None)
            if only is not None:
                self._resize(deployment, only, wanted, hands)
            return
        if deployment["spec"]["strategy"]["type"] != "RollingUpdate":
            return
        bounds = limits_of(deployment)
        sizes = rollout.proportional(
            bounds, [_size(one) for one in active], newest=objects.name(new) if new else ""
        )
        for one in active:
            self._resize(deployment, one, sizes.get(objects.name(one), one["spec"]["replicas"]), hands)

    def _resize(self, deployment: Obj, one: Obj, size: int | None, hands: Hands) -> None:
        before = one["spec"]["replicas"]
        size = before if size is None else size
        hands.set_spec(REPLICASETS, one, _size_notes(deployment), replicas=size)
        if size != before:
            self._tell(deployment, one, before, size, hands)

    @staticmethod
    def _tell(deployment: Obj, one: Obj, before: int, size: int, hands: Hands) -> None:
        way = "up" if size > before else "down"
        text = f"Scaled {way} replica set {objects.name(one)} from {before} to {size}"
        hands.event(deployment, "Normal", "ScalingReplicaSet", text, WHO)

    def _progress(self, deployment: Obj, reason: str, message: str, hands: Hands) -> None:
        current = hands.get(DEPLOYMENTS, objects.namespace(deployment), objects.name(deployment))
        if current is None:
            return
        state = dict(objects.status(current))
        state["conditions"] = with_condition(
            state.get("conditions") or [],
            "Progressing",
            "True",
            reason,
            message,
            hands.stamp,
            lastUpdateTime=hands.stamp,
        )
        hands.set_status(DEPLOYMENTS, current, state)

    def _report(self, key: Key, hands: Hands) -> float | None:
        """Write the status; the moment of the progress deadline, if it is to be watched."""
        from labs.services.kubernetes.controllers.progress import status_of

        deployment = hands.get(DEPLOYMENTS, *key)
        if deployment is None:
            return None
        sets = sorted(hands.owned(REPLICASETS, deployment), key=_age)
        new = next((one for one in sets if same_template(one, deployment)), None)
        state, again = status_of(deployment, new, sets, hands.now)
        hands.set_status(DEPLOYMENTS, deployment, state)
        return again

    @staticmethod
    def _forget_old(key: Key, hands: Hands) -> None:
        deployment = hands.get(DEPLOYMENTS, *key)
        if deployment is None:
            return
        kept = deployment["spec"].get("revisionHistoryLimit", 10)
        sets = sorted(hands.owned(REPLICASETS, deployment), key=_revision)
        old = [one for one in sets if not same_template(one, deployment)]
        for one in old[: max(0, len(old) - kept)]:
            if not one["spec"]["replicas"] and not objects.status(one).get("replicas"):
                hands.delete(REPLICASETS, one, WHO, propagationPolicy="Background")


def _copied_notes(deployment: Obj) -> dict[str, str]:
    """Annotations that its ReplicaSet gets as well, such as the change-cause of `kubectl rollout history`."""
    kept = (_LAST_APPLIED, REVISION, DESIRED, MOST)
    return {key: value for key, value in objects.notes(deployment).items() if key not in kept}


def limits_of(deployment: Obj) -> Limits:
    spec = deployment["spec"]
    rolling = spec["strategy"].get("rollingUpdate") or {}
    return rollout.limits(spec["replicas"], rolling.get("maxSurge", 0), rolling.get("maxUnavailable", 0))


def same_template(replicaset: Obj, deployment: Obj) -> bool:
    mine, theirs = deployment["spec"]["template"], objects.copy(replicaset["spec"]["template"])
    theirs.get("metadata", {}).get("labels", {}).pop(HASH, None)
    return bool(_bare(mine) == _bare(theirs))


def _bare(template: Obj) -> Obj:
    meta = template.get("metadata") or {}
    kept = {key: meta.get(key) or {} for key in ("labels", "annotations")}
    return {"metadata": kept, "spec": template["spec"]}


def _size_notes(deployment: Obj) -> dict[str, str]:
    bounds = limits_of(deployment)
    surge = bounds.surge if deployment["spec"]["strategy"]["type"] == "RollingUpdate" else 0
    return {DESIRED: str(bounds.replicas), MOST: str(bounds.replicas + surge)}


def _size(one: Obj) -> Size:
    return Size(
        objects.name(one),
        one["spec"]["replicas"],
        objects.status(one).get("availableReplicas", 0),
        objects.seconds(one["metadata"]["creationTimestamp"]),
        int(objects.notes(one).get(MOST) or 0),
    )


def _revision(one: Obj) -> int:
    text = objects.notes(one).get(REVISION) or "0"
    return int(text) if text.isdigit() else 0


def _age(one: Obj) -> tuple[str, int]:
    return one["metadata"]["creationTimestamp"], _revision(one)
