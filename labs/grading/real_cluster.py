"""The cluster that KUBECONFIG names, asked by dry runs whether it takes a learner's objects. Nothing in it changes.

A dry run goes through all of a request but the last step: authorisation, schema, defaults, admission
(https://kubernetes.io/docs/reference/using-api/api-concepts/#dry-run).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from labs.grading.evidence import CouldNotCheck, Evidence
from labs.machine import LOCAL
from labs.services.kubernetes import CLUSTER

SECONDS = 10
NOT_YOURS = "KUBECONFIG's user may not do this there"
HINT = (
    "A real cluster refused it, in a dry run. `kubectl apply --server-side --dry-run=server` shows the same."
)


class RealCluster:
    """`used` hears of it when a cluster was asked. At the embedded tier, and without KUBECONFIG, none is."""

    def __init__(self, tier: str, used: Callable[[], None]) -> None:
        self._config = os.environ.get("KUBECONFIG", "") if tier == LOCAL else ""
        self._used = used
        self._client: Any = None

    def must_take(self, did: str, things: Iterable[dict[str, Any]]) -> None:
        """Fail unless it takes each of these objects, server-side and strictly.

        Raises:
            Mismatch: it refuses one.
            CouldNotCheck: KUBECONFIG is set, and the cluster does not answer, or not this user, or not for this kind.
        """
        if not self._config or self._is_ours():
            return
        for thing in things:
            name = f"{thing['kind']} {thing['metadata']['name']}"
            status, said = self._dry_run(thing)
            if status >= 500 or status == 401:
                raise CouldNotCheck(f"the cluster of KUBECONFIG answered {status} for {name}")
            if status == 403 and "cannot patch resource" in said:
                raise CouldNotCheck(f"{NOT_YOURS}: {said}"[:300])
            if status >= 400:
                seen = Evidence(f"{did}, as a dry run on the cluster of KUBECONFIG")
                seen.fail(wanted=f"{name} is accepted", got=said[:300], hint=HINT)

    def _dry_run(self, thing: dict[str, Any]) -> tuple[int, str]:
        """Status and message for one object: in its namespace, or in `default` if the cluster has no such namespace."""
        from kubernetes.client import ApiException

        space = str(thing["metadata"].get("namespace") or "default")
        try:
            kinds = self._connect()
            resource = kinds.resources.get(api_version=thing["apiVersion"], kind=thing["kind"])
            if resource.namespaced and space != "default" and not self._has(kinds, space):
                space = "default"
            body = {**thing, "metadata": {**thing["metadata"], "namespace": space}}
            if not resource.namespaced:
                del body["metadata"]["namespace"]
            query = [
                ("dryRun", "All"),
                ("fieldManager", "labs"),
                ("force", "true"),
                ("fieldValidation", "Strict"),
            ]
            resource.server_side_apply(
                body=body, namespace=space if resource.namespaced else None, query_params=query,
                _request_timeout=SECONDS,
            )  # fmt: skip
        except ApiException as error:
            return int(error.status or 500), _message(error)
        except Exception as error:  # no connection, no kubeconfig, a kind that it does not know
            raise CouldNotCheck(f"the cluster of KUBECONFIG: {type(error).__name__}: {error}"[:300]) from None
        return 200, ""

    def _is_ours(self) -> bool:
        """Whether it is the stand-in that `labs up kubernetes` starts: a check has one of its own."""
        import kubernetes

        config: Any = kubernetes.config
        try:
            _, chosen = config.list_kube_config_contexts(config_file=self._config)
        except Exception:  # no kubeconfig: who connects by it says why
            return False
        return bool(chosen["context"].get("cluster") == CLUSTER)

    def _connect(self) -> Any:
        if self._client is None:
            import kubernetes.dynamic

            client: Any = kubernetes.client  # it has no types
            config: Any = kubernetes.config
            dynamic: Any = kubernetes.dynamic
            api = config.new_client_from_config(config_file=self._config)
            client.VersionApi(api).get_code(_request_timeout=SECONDS)  # what follows waits for minutes
            self._client = dynamic.DynamicClient(api, cache_file=str(Path("kinds.json").absolute()))
            self._used()
        return self._client

    @staticmethod
    def _has(kinds: Any, space: str) -> bool:
        from kubernetes.client import ApiException

        try:
            kinds.resources.get(api_version="v1", kind="Namespace").get(name=space, _request_timeout=SECONDS)
        except ApiException:
            return False
        return True


def _message(error: Any) -> str:
    """What the API server says, without the client's headers."""
    try:
        return str(json.loads(error.body)["message"])
    except (TypeError, ValueError, KeyError):
        return str(error.reason)
