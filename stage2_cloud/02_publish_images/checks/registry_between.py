"""Stands between release.py and the embedded ECR: sees every call, and answers as ECR does where moto does not.

moto keeps repositories, tags and layers; the guard before it judges permissions. What is mended here: the digest of an
image is the SHA-256 of its manifest's bytes; a taken tag and a repeated push are different errors; a manifest needs its
layers; a layer needs its bytes; a scan takes time, has pages, and may fail. All of it as the API reference says.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from answers_of_ecr import Handler, Said, error, forwarded
from image_maker import digest_of
from labs.checks import Work
from lifecycle_rules import NoPolicy, rules

PART_BYTES = 8_192
WRITES = (
    "Put",
    "Batch",
    "Delete",
    "Create",
    "Initiate",
    "Upload",
    "Complete",
    "Set",
    "Start",
    "Tag",
    "Untag",
)
READS = ("BatchGetImage", "BatchCheckLayerAvailability", "BatchGetRepositoryScanningConfiguration")
PAGE = 3  # findings


@dataclass
class Scan:
    """What ECR says of an image's scan: not before it is asked for, then in progress `polls` times, then `status`.

    `unseen`: so many times it does not know yet of a scan that was asked for.
    """

    findings: list[tuple[str, str]] = field(default_factory=list)  # name, severity
    status: str = "COMPLETE"
    polls: int = 0
    on_push: bool = True
    unseen: int = 0
    asked: int = 0


@dataclass(frozen=True)
class Call:
    """One request: `number` counts from 1 among those of the same operation; `at` is in seconds."""

    operation: str
    said: Mapping[str, Any]
    number: int
    at: float

    @property
    def writes(self) -> bool:
        return self.operation.startswith(WRITES) and self.operation not in READS


Hook = Callable[[Call], Said | None]


class Between:
    """A registry for one check. `before` may answer in its place; `after` acts when a call was done."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.upstream = urlsplit(variables["AWS_ENDPOINT_URL"]).netloc
        self.secrets: dict[str, tuple[str, str | None]] = {
            variables["AWS_ACCESS_KEY_ID"]: (variables["AWS_SECRET_ACCESS_KEY"], None)
        }
        self.before: Hook = lambda call: None
        self.after: Hook = lambda call: None
        self.scans: dict[str, Scan] = {}
        self.layers: set[tuple[str, str]] = set()  # repository, digest
        self.tags: dict[tuple[str, str], str] = {}  # repository, tag → digest
        self.calls: list[Call] = []
        self._one_put = threading.Lock()
        self._counting = threading.Lock()

    def __enter__(self) -> Between:
        handler = type("Of", (Handler,), {"answer": staticmethod(self.answer)})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._server.shutdown()
        self._server.server_close()

    def give_to(self, work: Work) -> str:
        port = int(self._server.server_address[1])
        work.reach(port, {})
        return f"http://127.0.0.1:{port}"

    def of(self, operation: str) -> list[Call]:
        return [call for call in self.calls if call.operation == operation]

    # What an answer is made of

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Said:
        operation = headers.get("X-Amz-Target", "").rpartition(".")[2]
        if not headers.get("X-Amz-Target", "").startswith("AmazonEC2ContainerRegistry"):
            return self._forward(method, target, headers, body)
        said = json.loads(body or b"{}")
        with self._counting:
            call = Call(operation, said, len(self.of(operation)) + 1, time.monotonic())
            self.calls.append(call)
        if (instead := self.before(call)) is not None:
            return instead
        own = getattr(self, f"_{operation}", None)
        forward = lambda: self._forward(method, target, headers, body)  # noqa: E731
        found = own(said, forward, (method, target, headers)) if own else forward()
        return self.after(call) or found

    def _forward(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Said:
        return forwarded(self.upstream, method, target, headers, body)

    # Where ECR does otherwise than moto

    def _PutImage(self, said: dict[str, Any], forward: Any, request: Any) -> Said:
        repository, manifest = said.get("repositoryName", ""), str(said.get("imageManifest", "")).encode()
        digest = digest_of(manifest)
        if said.get("imageDigest", digest) != digest:
            return error("ImageDigestDoesNotMatchException", f"The manifest has the digest {digest}.")
        if "imageDigest" not in said:
            forward = self._with_digest(said, digest, request)
        with self._one_put:
            if not self._whole(repository, manifest):
                return error("LayersNotFoundException", "The specified layers could not be found.")
            found = forward()
        if found.code == "ImageAlreadyExistsException" and digest not in found.json.get("message", ""):
            return error(
                "ImageTagAlreadyExistsException", f"The image tag '{said.get('imageTag')}' is immutable."
            )
        if found.status == 200:
            self.tags[repository, str(said.get("imageTag", ""))] = digest
        return found

    def _with_digest(self, said: dict[str, Any], digest: str, request: Any) -> Any:
        """The same call with the digest that ECR would compute, signed as its sender would."""
        method, target, headers = request
        key = headers.get("Authorization", "").partition("Credential=")[2].partition("/")[0]
        secret, token = self.secrets.get(key, ("", None))
        body = json.dumps({**said, "imageDigest": digest}).encode()
        signed = AWSRequest(
            method,
            f"http://{headers['Host']}{target}",
            headers={name: headers[name] for name in ("Content-Type", "X-Amz-Target")},
            data=body,
        )
        SigV4Auth(Credentials(key, secret, token), "ecr", "ap-south-1").add_auth(signed)
        return lambda: self._forward(method, target, {**dict(signed.headers), "Host": headers["Host"]}, body)

    def _whole(self, repository: str, manifest: bytes) -> bool:
        try:
            content = json.loads(manifest)
            parts = {part["digest"] for part in (content["config"], *content["layers"])}
        except (ValueError, KeyError, TypeError):
            return False
        return {(repository, part) for part in parts} <= self.layers

    def _InitiateLayerUpload(self, said: dict[str, Any], forward: Any, _: Any) -> Said:
        found = forward()
        if found.status != 200:
            return found
        return Said(200, json.dumps({**found.json, "partSize": PART_BYTES}).encode())

    def _UploadLayerPart(self, said: dict[str, Any], forward: Any, _: Any) -> Said:
        size = said.get("partLastByte", 0) - said.get("partFirstByte", 0) + 1
        if size > PART_BYTES:
            return error(
                "InvalidParameterException", f"A part has at most {PART_BYTES} bytes here (partSize)."
            )
        return forward()

    def _CompleteLayerUpload(self, said: dict[str, Any], forward: Any, _: Any) -> Said:
        repository, digests = said.get("repositoryName", ""), said.get("layerDigests", [])
        found = forward()
        if found.status != 200:
            return found
        digest = found.json["layerDigest"]
        if digest not in digests:
            return error("InvalidLayerException", f"The uploaded bytes have the digest {digest}.")
        if (repository, digest) in self.layers:
            return error("LayerAlreadyExistsException", f"The layer {digest} is already in the repository.")
        self.layers.add((repository, digest))
        return found

    def _PutLifecyclePolicy(self, said: dict[str, Any], forward: Any, _: Any) -> Said:
        try:
            rules(said.get("lifecyclePolicyText", ""))
        except NoPolicy as reason:
            return error("InvalidParameterException", f"Lifecycle policy validation failure: {reason}.")
        return forward()

    def _StartImageScan(self, said: dict[str, Any], forward: Any, _: Any) -> Said:
        found = forward()
        if found.status != 200 and found.code != "LimitExceededException":
            return found
        scan = self._scan(said)
        if scan.on_push:
            return error(
                "LimitExceededException", "The scan quota per image has been exceeded. Wait and try again."
            )
        scan.on_push = True
        return Said(
            200, json.dumps({**self._about(said), "imageScanStatus": {"status": "IN_PROGRESS"}}).encode()
        )

    def _DescribeImageScanFindings(self, said: dict[str, Any], forward: Any, _: Any) -> Said:
        found = forward()
        if found.status != 200 and found.code != "ScanNotFoundException":
            return found
        scan = self._scan(said)
        if not scan.on_push or scan.unseen:
            scan.unseen -= scan.unseen > 0
            return error("ScanNotFoundException", "Image scan does not exist for the image.")
        scan.asked += 1
        if scan.asked <= scan.polls:
            status = {"status": "IN_PROGRESS", "description": "The scan is in progress."}
            return Said(200, json.dumps({**self._about(said), "imageScanStatus": status}).encode())
        status = {
            "status": scan.status,
            "description": "UnsupportedImageError" if scan.status == "FAILED" else "",
        }
        answer = {**self._about(said), "imageScanStatus": status}
        if scan.status == "COMPLETE":
            answer |= self._page(scan, int(said.get("nextToken") or 0))
        return Said(200, json.dumps(answer).encode())

    def _page(self, scan: Scan, start: int) -> dict[str, Any]:
        severities = [severity for _, severity in scan.findings]
        rows = [
            {"name": name, "severity": severity} for name, severity in scan.findings[start : start + PAGE]
        ]
        counts = {severity: severities.count(severity) for severity in set(severities)}
        page: dict[str, Any] = {"imageScanFindings": {"findings": rows, "findingSeverityCounts": counts}}
        return page | ({"nextToken": str(start + PAGE)} if start + PAGE < len(scan.findings) else {})

    def _scan(self, said: Mapping[str, Any]) -> Scan:
        image = said.get("imageId", {})
        by_tag = self.tags.get((str(said.get("repositoryName", "")), str(image.get("imageTag", ""))), "")
        return self.scans.setdefault(str(image.get("imageDigest", by_tag)), Scan())

    def _about(self, said: Mapping[str, Any]) -> dict[str, Any]:
        return {key: said[key] for key in ("repositoryName", "imageId") if key in said}
