"""Rotates the database password of `fraud`: a list of steps, each of which looks whether it was done already."""

import argparse
import base64
import json
import os
import secrets
import string
import sys
import time
import urllib.error
import urllib.request

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

NAMESPACE = "fraud"
MARK = "rotation.nukkad.example/id"
LETTERS = string.ascii_letters + string.digits


class TooLate(Exception):
    """Something was not ready in time."""


class Broken(Exception):
    """A call failed; the message names it, and nothing that it carried."""


def decode(value):
    return base64.b64decode(value).decode()


def encode(value):
    return base64.b64encode(value.encode()).decode()


def database(method, path, body=None):
    with open(os.environ["DATABASE_ADMIN_TOKEN_FILE"]) as file:
        headers = {"Authorization": "Bearer " + file.read().strip(), "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    url = os.environ["DATABASE_ADMIN_URL"] + "/users/fraud/passwords" + path
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method)) as reply:
            text = reply.read()
            return json.loads(text) if text else None
    except urllib.error.HTTPError as error:
        if method == "DELETE" and error.code == 404:
            return None
        raise Broken(f"the database answers {error.code} to {method}") from None


def states():
    return {one["id"]: one["state"] for one in database("GET", "")["passwords"]}


def read(core):
    return core.read_namespaced_secret("fraud-db", NAMESPACE)


def stage(core, secret, name):
    """Write the new password down beside the old one, before anybody else hears of it."""
    alphabet = "".join(secrets.choice(LETTERS) for _ in range(40))
    secret.data.update({"staged": encode(name), "staged_password": encode(alphabet)})
    core.replace_namespaced_secret("fraud-db", NAMESPACE, secret)


def promote(core, secret, words):
    """The staged one becomes the one that pods read, when the database accepts it."""
    name = decode(secret.data["staged"])
    database("PUT", "/" + name, {"password": decode(secret.data["staged_password"])})
    wait(words, lambda: states().get(name) == "active")
    secret.data["password"], secret.data["id"] = secret.data.pop("staged_password"), secret.data.pop("staged")
    core.replace_namespaced_secret("fraud-db", NAMESPACE, secret)


def replace_pods(apps, core, name, words):
    """New pods, and no old one left, not even one that is only about to end."""
    found = apps.read_namespaced_deployment("fraud", NAMESPACE)
    if (found.spec.template.metadata.annotations or {}).get(MARK) != name:
        body = {"spec": {"template": {"metadata": {"annotations": {MARK: name}}}}}
        apps.patch_namespaced_deployment("fraud", NAMESPACE, body)

    def all_new():
        deployment = apps.read_namespaced_deployment("fraud", NAMESPACE)
        pods = core.list_namespaced_pod(NAMESPACE, label_selector="app.kubernetes.io/name=fraud").items
        new = [one for one in pods if (one.metadata.annotations or {}).get(MARK) == name]
        return len(new) == len(pods) == deployment.status.ready_replicas == deployment.spec.replicas

    wait(words, all_new)


def wait(words, holds):
    end = time.time() + words.timeout
    while not holds():
        if time.time() > end:
            raise TooLate
        time.sleep(words.poll)


def step(core, apps, words):
    """Do the next thing that is to be done. Returns whether there may be more."""
    secret = read(core)
    current = decode(secret.data["id"])
    if "staged" in secret.data:
        promote(core, secret, words)
        return True
    if set(states()) != {current}:
        replace_pods(apps, core, current, words)
        known = set(states())
        secret = read(core)
        if decode(secret.data["id"]) != current:  # another run has gone on in between: look again
            return True
        keep = {decode(secret.data[key]) for key in ("id", "staged") if key in secret.data}
        for name in known - keep:
            database("DELETE", "/" + name)
        return True
    if current != words.to:
        stage(core, secret, words.to)
        return True
    return False


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--to", required=True)
    parser.add_argument("--timeout", type=float, default=600)
    parser.add_argument("--poll", type=float, default=2)
    parser.add_argument("-v", action="count", default=0)
    words = parser.parse_args()
    config.load_kube_config()
    core, apps = client.CoreV1Api(), client.AppsV1Api()
    more = True
    while more:
        try:
            more = step(core, apps, words)
        except ApiException as error:
            if error.status != 409:  # somebody else has written in between: look again
                sys.exit(f"the API server answers {error.status}")
        except Broken as error:
            sys.exit(str(error))
        except TooLate:
            print("not ready in time; the old password is still valid", file=sys.stderr)
            sys.exit(4)


if __name__ == "__main__":
    main()
