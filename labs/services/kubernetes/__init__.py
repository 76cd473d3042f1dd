"""An embedded Kubernetes API server with simulated nodes, for labs without a cluster.

Real clients (kubectl, Helm, the Python client) talk to it. What it does it does as Kubernetes 1.32 does; what it does
not do it refuses with a `Status` that says so. See docs/services.md.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

from __future__ import annotations

CLUSTER = "labs"
"""Its name in kubeconfigs."""


def main(arguments: list[str]) -> int:
    """Serve: SOCKET DATA [SPEED]. What it needs is imported now; to have that done before, name
    `labs.services.kubernetes.server` among a lab's warm modules."""
    from labs.services.kubernetes import server

    return server.main(arguments)
