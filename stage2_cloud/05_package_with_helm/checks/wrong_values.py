"""Values that the contract's table forbids: wrong types, limits and keys, by how one would say them."""

from __future__ import annotations

import numpy as np

from company import Values, digest


def bad_values() -> dict[str, Values]:
    """Wrong types and limits, by how one would say them."""
    return {
        "environment: production": {"environment": "production"},
        "no environment": {"environment": ""},
        "replicas: 1": {"replicas": 1},
        "replicas: 21": {"replicas": 21},
        "replicas: 4.5": {"replicas": 4.5},
        'replicas: "4"': {"replicas": "4"},
        'autoscaling.enabled: "yes"': {"autoscaling": {"enabled": "yes"}},
        "autoscaling.maxReplicas: 100": {"autoscaling": {"maxReplicas": 100}},
        "autoscaling.minReplicas: 40": {"autoscaling": {"minReplicas": 40}},
        "autoscaling.targetCPU: 101": {"autoscaling": {"targetCPU": 101}},
        "autoscaling.targetCPU: 0": {"autoscaling": {"targetCPU": 0}},
        "resources.requests.cpu: lots": {"resources": {"requests": {"cpu": "lots"}}},
        "resources.requests.memory: 1 gigabyte": {"resources": {"requests": {"memory": "1 gigabyte"}}},
        'resources.requests.cpu: "0.5"': {"resources": {"requests": {"cpu": "0.5"}}},
        "resources.requests.memory: 1G": {"resources": {"requests": {"memory": "1G"}}},
        "resources.limits.memory: 1.5Gi": {"resources": {"limits": {"memory": "1.5Gi"}}},
        "resources.limits.memory: 7": {"resources": {"limits": {"memory": 7}}},
        "service.port: 0": {"service": {"port": 0}},
        "service.port: 70000": {"service": {"port": 70000}},
        "service.port: http": {"service": {"port": "http"}},
        "host: not a host": {"host": "not a host"},
        "host: Not_A_Host": {"host": "Not_A_Host"},
        "host: fraud..example": {"host": "fraud..example"},
        "image.repository: 7": {"image": {"repository": 7}},
        'model.version: ""': {"model": {"version": ""}},
        "logLevel: verbose": {"logLevel": "verbose"},
        "model.version: 1.1 (a number)": {"model": {"version": 1.1}},
        "existingSecret: 7": {"existingSecret": 7},
        'existingSecret: ""': {"existingSecret": ""},
        "settings.WEIGHTS: a list": {"settings": {"WEIGHTS": [1, 2]}},
        "settings.RATE: 0.5 (not whole)": {"settings": {"RATE": 0.5}},
        "settings.not-a-variable": {"settings": {"not-a-variable": "x"}},
        "settings.lower": {"settings": {"lower": "x"}},
        "settings.1ST": {"settings": {"1ST": "x"}},
        "nodeSelector.a: 7": {"nodeSelector": {"a": 7}},
        "affinity: a text": {"affinity": "near"},
        "imagePullSecrets: a text": {"imagePullSecrets": "registry"},
        "podAnnotations.a: 7": {"podAnnotations": {"a": 7}},
        "env: a map": {"env": {"A": "b"}},
        "tolerations: a text": {"tolerations": "all"},
        "fullnameOverride of 64 characters": {"fullnameOverride": "f" * 64},
        "fullnameOverride: Fraud_1": {"fullnameOverride": "Fraud_1"},
    }


def bad_images(rng: np.random.Generator) -> dict[str, Values]:
    return {
        "no image.digest": {"image": {"digest": ""}},
        "image.digest: latest": {"image": {"digest": "latest"}},
        "image.digest: half of one": {"image": {"digest": f"sha256:{rng.bytes(16).hex()}"}},
        "image.tag: latest": {"image": {"tag": "latest"}},
        "image: fraud:latest": {"image": "fraud:latest"},
    }


def unknown_keys(rng: np.random.Generator) -> dict[str, Values]:
    return {
        "replica": {"replica": 6},
        "image.diggest": {"image": {"diggest": digest(rng)}},
        "model.verison": {"model": {"verison": "9"}},
        "autoscaling.minReplica": {"autoscaling": {"minReplica": 6}},
        "resources.request": {"resources": {"request": {"cpu": "1"}}},
        "resources.requests.cpus": {"resources": {"requests": {"cpus": "1"}}},
        "resources.limits.mem": {"resources": {"limits": {"mem": "1Gi"}}},
        "resources.limits.cpu": {"resources": {"limits": {"cpu": "1"}}},
        "service.ports": {"service": {"ports": 80}},
        "loglevel": {"loglevel": "debug"},
    }


def small_prod() -> dict[str, Values]:
    return {
        "prod with replicas: 3": {"autoscaling": {"enabled": False}, "replicas": 3},
        "prod with autoscaling.minReplicas: 2": {"autoscaling": {"minReplicas": 2}},
    }
