"""Runs a Pulumi program with Pulumi's own mocks, and writes down what it registered. It runs in the sandbox.

python3 pulumi_probe.py SCENARIOS.json OUT_FOLDER: for each scenario (name → configuration), a fork runs
`infra/__main__.py` and writes `OUT_FOLDER/<name>.json`. Source: https://www.pulumi.com/docs/iac/concepts/testing/unit/
"""

import asyncio
import importlib
import json
import os
import runpy
import sys
import threading
import traceback

import pulumi
from pulumi.runtime import mocks, set_mocks
from pulumi.runtime.config import set_all_config
from pulumi.runtime.stack import run_pulumi_func

PROJECT = "nukkad"
SIGNATURE = "4dabf18193072939515e22adb298388d"  # https://www.pulumi.com/docs/iac/concepts/secrets/
SECRET = "1b47061264138c4ac30d75fd1eb44270"
# What the API says only after an apply, beside the id: outputs that programs ask for.
OUTPUTS = [
    "arn",
    "address",
    "endpoint",
    "dnsName",
    "zoneId",
    "keyId",
    "hostedZoneId",
    "bucketDomainName",
    "bucketRegionalDomainName",
    "defaultSecurityGroupId",
    "defaultRouteTableId",
    "mainRouteTableId",
    "privateIp",
    "masterUserSecrets",
    "resourceId",
]


def mark(address: str, attribute: str) -> str:
    return f"\ue000{address}#{attribute}\ue001"


class Seen(mocks.Mocks, mocks.MockMonitor):
    """Both halves of a mocked engine: it gives ids, and remembers what was registered."""

    def __init__(self) -> None:
        mocks.MockMonitor.__init__(self, self)
        self.registered: list[dict] = []
        self.components: dict = {}
        self.now = threading.local()  # the engine's calls come from several threads

    def RegisterResource(self, request):  # the name is the engine's
        above = request.parent
        chain = []
        while above and above in self.components:
            chain.append(self.components[above][0])
            above = self.components[above][1]
        path = tuple(reversed(chain))
        self.now.path, self.now.protect, self.now.provider = path, bool(request.protect), request.provider
        answer = super().RegisterResource(request)
        if not request.custom and request.type != "pulumi:pulumi:Stack":
            self.components[answer.urn] = (request.name, request.parent)
        return answer

    def new_resource(self, args):
        path = self.now.path
        address = ".".join([*(f"module.{name}" for name in path), f"{args.typ}.{args.name}"])
        inputs, secrets = plain(args.inputs)
        self.registered.append(
            {
                "address": address,
                "type": args.typ,
                "name": args.name,
                "module": list(path),
                "inputs": inputs,
                "secrets": sorted(secrets),
                "protect": self.now.protect,
                "provider": self.now.provider,
                "custom": bool(args.custom),
            }
        )
        known = {name: mark(address, name) for name in OUTPUTS}
        return mark(address, "id"), {**known, **args.inputs}

    def call(self, args):
        if args.token == "aws:index/getCallerIdentity:getCallerIdentity":
            return {"accountId": "123456789012", "id": "123456789012", "arn": "arn", "userId": "A"}, []
        if args.token == "aws:iam/getPolicyDocument:getPolicyDocument":
            return {"json": mark("data.policy", "json"), "id": "1"}, []
        raise NotImplementedError(f"COULD-NOT-CHECK the function {args.token}")


def plain(value, path=""):
    """The value without the wrappers of secrets, and the paths at which they were."""
    if isinstance(value, dict):
        if value.get(SIGNATURE) == SECRET:
            return plain(value["value"], path)[0], {path or "."}
        if SIGNATURE in value:
            return str(value.get("value")), set()
        found, secrets = {}, set()
        for key, each in value.items():
            found[key], more = plain(each, f"{path}.{key}" if path else key)
            secrets |= more
        return found, secrets
    if isinstance(value, (list, tuple)):
        pairs = [plain(each, path) for each in value]
        return [each for each, _ in pairs], set().union(*(more for _, more in pairs))
    return value, set()


def run(scenario: dict) -> dict:
    monitor = Seen()
    asyncio.set_event_loop(asyncio.new_event_loop())
    secret = [key for key in scenario if key.endswith(":feature_store_url")]
    set_all_config(scenario, secret)
    set_mocks(monitor, project=PROJECT, stack="graded", preview=False, monitor=monitor)
    exported = {}

    async def outputs(stack):
        for name, value in stack.outputs.items():
            output = pulumi.Output.from_input(value)
            exported[name] = [await output.future(), await output.is_secret()]

    async def program():
        sys.path.insert(0, os.path.abspath("infra"))
        os.chdir("infra")
        runpy.run_path("__main__.py", run_name="__main__")

    async def whole():
        await run_pulumi_func(program)
        await outputs(pulumi.runtime.get_root_resource())

    asyncio.get_event_loop().run_until_complete(whole())
    return {"resources": monitor.registered, "outputs": exported}


def child(scenario: dict, out: str) -> None:
    try:
        answer = run(scenario)
    except NotImplementedError as error:
        answer = {
            "unknown" if "COULD-NOT-CHECK" in str(error) else "todo": str(error).replace(
                "COULD-NOT-CHECK ", ""
            )
        }
    except BaseException as error:
        frames = [
            f
            for f in traceback.extract_tb(error.__traceback__)
            if "/infra/" in f.filename or f.filename.startswith("__main__")
        ]
        where = f" at {os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""
        text = str(error).strip().splitlines() or [""]
        hidden = "COULD-NOT-CHECK" in str(error)
        key = "unknown" if hidden else "error"
        answer = {key: f"{type(error).__name__}: {text[-1] if hidden else text[0]}{where}"[:400]}
    text = json.dumps(answer, default=lambda value: f"<{type(value).__name__}>")
    with open(out, "w", encoding="utf-8") as file:
        file.write(text)


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        scenarios = json.load(file)
    for module in ("ec2", "lb", "rds", "s3", "kms", "secretsmanager", "iam"):
        importlib.import_module(f"pulumi_aws.{module}")
    where = os.path.abspath(sys.argv[2])
    os.makedirs(where, exist_ok=True)
    for name, scenario in scenarios.items():
        out, number = os.path.join(where, f"{name}.json"), os.fork()
        if number == 0:
            try:
                child(scenario, out)
            finally:
                sys.stdout.flush()
                os._exit(0)
        os.waitpid(number, 0)


main()
