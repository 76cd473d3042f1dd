"""Deployment, promotion and rollback: which image an environment runs, and that it stays in the registry."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from botocore.exceptions import ClientError

import lifecycle
from deployments import Deployments, Record, Release, deployed, rolled_back
from ecr import Ecr
from oci_image import digest_of, origin
from publishing import digest_under
from scan_gate import judge
from trouble import Refused, WrongInput


def deploy(
    ecr: Ecr,
    records: Deployments,
    environment: str,
    wanted: str | None,
    exceptions: Collection[str],
    limit_seconds: float,
) -> Record:
    """Deploy the image `wanted` (a digest). In prod it is what staging runs, whether it is named or not."""
    digest = _promoted(records, wanted) if environment == "prod" else wanted
    if digest is None:
        raise WrongInput("say which image: --commit or --digest")
    release = _release(ecr, records.service, digest)
    judge(ecr, records.service, digest, exceptions, limit_seconds)
    with records.locked():
        if environment == "prod":
            _promoted(records, digest)  # the scan may have taken minutes
        record = deployed(records.read(environment), release)
        _settle(ecr, records, environment, record)
    return record


def roll_back(ecr: Ecr, records: Deployments, environment: str) -> Record:
    """Go back one release. Findings are not asked for: what ran yesterday is better than what fails now."""
    with records.locked():
        record = rolled_back(records.read(environment))
        _release(ecr, records.service, record.current.digest)
        _settle(ecr, records, environment, record)
    return record


def protect(ecr: Ecr, records: Deployments) -> list[str]:
    """Write the lifecycle policy anew from the records; the commits that it keeps.

    Raises:
        WrongInput: there are no records. Most likely this is the wrong folder, not a service that nobody needs.
    """
    if not records.folder.is_dir():
        raise WrongInput(f"there is no folder {records.folder}: where are the records?")
    with records.locked():
        found = records.all()
        if not found:
            raise WrongInput(f"there is no record in {records.folder}")
        return _protect(ecr, records.service, found.values())


def digest_of_commit(ecr: Ecr, service: str, commit: str) -> str:
    digest = digest_under(ecr, service, commit)
    if digest is None:
        raise Refused(f"{service}:{commit} was not published")
    return digest


def _promoted(records: Deployments, wanted: str | None) -> str:
    staging = records.read("staging")
    if staging is None:
        raise Refused("staging runs nothing, so there is nothing to promote")
    return wanted or staging.current.digest


def _release(ecr: Ecr, service: str, digest: str) -> Release:
    """The image `digest`, as the registry has it now.

    Raises:
        Refused: it is not there, or nobody can say what it was built from.
    """
    reply = ecr.call(
        "batch_get_image",
        repositoryName=service,
        imageIds=[{"imageDigest": digest}],
        acceptedMediaTypes=[
            "application/vnd.oci.image.manifest.v1+json",
            "application/vnd.docker.distribution.manifest.v2+json",
        ],
    )
    manifests = [one["imageManifest"] for one in reply["images"]]
    if not manifests or digest_of(manifests[0].encode()) != digest:
        raise Refused(f"{service} has no image {digest}")
    commit = origin(manifests[0])
    repository = ecr.call("describe_repositories", repositoryNames=[service])["repositories"][0]
    return Release.now(digest, f"{repository['repositoryUri']}@{digest}", commit)


def _settle(ecr: Ecr, records: Deployments, environment: str, record: Record) -> None:
    """Protect first, then write. Whoever dies between the two leaves too much protected, never too little.

    What is not needed any more stays protected until the next deployment, or `gc`.
    """
    before = records.all()
    with records.prepared(environment, record):
        _protect(ecr, records.service, [*before.values(), record])


def _protect(ecr: Ecr, service: str, found: Iterable[Record]) -> list[str]:
    needed = sorted({release.commit for record in found for release in record.releases})
    ecr.call("put_lifecycle_policy", repositoryName=service, lifecyclePolicyText=lifecycle.policy(needed))
    return needed


def set_up(ecr: Ecr, records: Deployments) -> str:
    """Make the repository, or mend what is there; its ARN.

    A lifecycle policy that is there stays: it keeps images. One that was lost is written from the records: without
    their rules ECR would delete what runs.

    Raises:
        WrongInput: the policy must be written, and a record cannot be read.
    """
    service = records.service
    with records.locked():
        lost = not _has_policy(ecr, service)
        found = records.all() if lost else {}
        _make_or_mend(ecr, service)
        if lost:
            _protect(ecr, service, found.values())
    repository = ecr.call("describe_repositories", repositoryNames=[service])["repositories"][0]
    return str(repository["repositoryArn"])


def _has_policy(ecr: Ecr, service: str) -> bool:
    none = ("LifecyclePolicyNotFoundException", "RepositoryNotFoundException")
    try:
        ecr.call("get_lifecycle_policy", expected=none, repositoryName=service)
    except ClientError:
        return False
    return True


def _make_or_mend(ecr: Ecr, service: str) -> None:
    scanning = {"scanOnPush": True}
    try:
        ecr.call(
            "create_repository",
            expected=("RepositoryAlreadyExistsException",),
            repositoryName=service,
            imageTagMutability="IMMUTABLE",
            imageScanningConfiguration=scanning,
        )
    except ClientError:
        ecr.call("put_image_tag_mutability", repositoryName=service, imageTagMutability="IMMUTABLE")
        ecr.call(
            "put_image_scanning_configuration", repositoryName=service, imageScanningConfiguration=scanning
        )
