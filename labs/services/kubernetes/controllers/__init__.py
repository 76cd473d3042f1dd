"""The controllers, in the order in which they look at what changed. Each is (state, now) → changes.

Source: https://kubernetes.io/docs/concepts/architecture/controller/
"""

from __future__ import annotations

from labs.services.kubernetes.controllers.aggregation import Aggregation
from labs.services.kubernetes.controllers.autoscaler import Autoscaler
from labs.services.kubernetes.controllers.deployment import DeploymentController
from labs.services.kubernetes.controllers.disruption import Disruption
from labs.services.kubernetes.controllers.endpoints import EndpointsController
from labs.services.kubernetes.controllers.garbage import EventExpiry, Garbage
from labs.services.kubernetes.controllers.job import JobController
from labs.services.kubernetes.controllers.kubelet import Kubelet
from labs.services.kubernetes.controllers.loop import Controller
from labs.services.kubernetes.controllers.namespaces import Namespaces
from labs.services.kubernetes.controllers.replicaset import ReplicaSetController
from labs.services.kubernetes.controllers.scheduler import Scheduler
from labs.services.kubernetes.controllers.taints import TaintEviction


def all_controllers() -> list[Controller]:
    return [
        Namespaces(),
        Aggregation(),
        Garbage(),
        DeploymentController(),
        ReplicaSetController(),
        JobController(),
        Scheduler(),
        Kubelet(),
        TaintEviction(),
        EndpointsController(),
        Disruption(),
        Autoscaler(),
        EventExpiry(),
    ]
