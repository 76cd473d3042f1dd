"""Which S3 action a request is, and about which bucket or object.

Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon S3", and "Required
permissions for Amazon S3 API operations" in the S3 User Guide.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, unquote, urlsplit

from labs.services.aws.request import HttpRequest

# The sub-resource in the query: (what reading it needs, what writing it needs, what deleting it needs).
OF_A_BUCKET = {
    "accelerate": ("GetAccelerateConfiguration", "PutAccelerateConfiguration", ""),
    "acl": ("GetBucketAcl", "PutBucketAcl", ""),
    "analytics": ("GetAnalyticsConfiguration", "PutAnalyticsConfiguration", "PutAnalyticsConfiguration"),
    "cors": ("GetBucketCORS", "PutBucketCORS", "PutBucketCORS"),
    "encryption": ("GetEncryptionConfiguration", "PutEncryptionConfiguration", "PutEncryptionConfiguration"),
    "inventory": ("GetInventoryConfiguration", "PutInventoryConfiguration", "PutInventoryConfiguration"),
    "lifecycle": ("GetLifecycleConfiguration", "PutLifecycleConfiguration", "PutLifecycleConfiguration"),
    "location": ("GetBucketLocation", "", ""),
    "logging": ("GetBucketLogging", "PutBucketLogging", ""),
    "metrics": ("GetMetricsConfiguration", "PutMetricsConfiguration", "PutMetricsConfiguration"),
    "notification": ("GetBucketNotification", "PutBucketNotification", ""),
    "object-lock": ("GetBucketObjectLockConfiguration", "PutBucketObjectLockConfiguration", ""),
    "ownershipControls": (
        "GetBucketOwnershipControls", "PutBucketOwnershipControls", "PutBucketOwnershipControls",
    ),
    "policy": ("GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy"),
    "policyStatus": ("GetBucketPolicyStatus", "", ""),
    "publicAccessBlock": (
        "GetBucketPublicAccessBlock", "PutBucketPublicAccessBlock", "PutBucketPublicAccessBlock",
    ),
    "replication": (
        "GetReplicationConfiguration", "PutReplicationConfiguration", "PutReplicationConfiguration",
    ),
    "requestPayment": ("GetBucketRequestPayment", "PutBucketRequestPayment", ""),
    "tagging": ("GetBucketTagging", "PutBucketTagging", "PutBucketTagging"),
    "uploads": ("ListBucketMultipartUploads", "", ""),
    "versioning": ("GetBucketVersioning", "PutBucketVersioning", ""),
    "versions": ("ListBucketVersions", "", ""),
    "website": ("GetBucketWebsite", "PutBucketWebsite", "DeleteBucketWebsite"),
}  # fmt: skip
OF_AN_OBJECT = {
    "acl": ("GetObjectAcl", "PutObjectAcl", ""),
    "attributes": ("GetObjectAttributes", "", ""),
    "legal-hold": ("GetObjectLegalHold", "PutObjectLegalHold", ""),
    "retention": ("GetObjectRetention", "PutObjectRetention", ""),
    "tagging": ("GetObjectTagging", "PutObjectTagging", "DeleteObjectTagging"),
    "uploadId": ("ListMultipartUploadParts", "PutObject", "AbortMultipartUpload"),
}
# The same on one version of an object is an action of its own.
VERSIONED = {
    "GetObject", "DeleteObject", "GetObjectAcl", "PutObjectAcl", "GetObjectTagging", "PutObjectTagging",
    "DeleteObjectTagging", "GetObjectAttributes",
}  # fmt: skip
TLS_VERSION = "1.3"  # of every request that does not say it came without TLS
READING, WRITING, DELETING = 0, 1, 2
WAY = {"GET": READING, "HEAD": READING, "PUT": WRITING, "POST": WRITING, "DELETE": DELETING}
DELETED_KEY = re.compile(
    rb"<Object>.*?<Key>(.*?)</Key>(?:.*?<VersionId>(.*?)</VersionId>)?.*?</Object>", re.DOTALL
)


def bucket_and_key(request: HttpRequest) -> tuple[str, str]:
    """Path style: /bucket/key. An IP address as host has no buckets in front of it."""
    bucket, _, key = unquote(urlsplit(request.target).path).lstrip("/").partition("/")
    return bucket, key


def calls(request: HttpRequest) -> Iterator[tuple[str, str]]:
    """(action, ARN of the resource), for each that the caller must be allowed; nothing for an unknown request."""
    bucket, key = bucket_and_key(request)
    if not bucket:
        yield "s3:ListAllMyBuckets", "*"
    elif not key and request.method == "POST" and "delete" in request.query:
        for found in DELETED_KEY.finditer(request.body):
            one = unquote(found.group(1).decode("utf-8", "replace"))
            yield f"s3:DeleteObject{'Version' if found.group(2) else ''}", f"arn:aws:s3:::{bucket}/{one}"
    elif not key:
        if action := _bucket_action(request):
            yield f"s3:{action}", f"arn:aws:s3:::{bucket}"
    else:
        arn = f"arn:aws:s3:::{bucket}/{key}"
        for action in _object_actions(request):
            yield f"s3:{action}", arn
        if source := request.headers.get("x-amz-copy-source"):
            path, _, query = source.partition("?")
            version = "Version" if "versionId" in dict(parse_qsl(query)) else ""
            yield f"s3:GetObject{version}", f"arn:aws:s3:::{unquote(path).lstrip('/')}"


def _bucket_action(request: HttpRequest) -> str:
    way = WAY.get(request.method)
    if way is None:
        return ""
    for name, actions in OF_A_BUCKET.items():
        if name in request.query:
            return actions[way]
    return ("ListBucket", "CreateBucket", "DeleteBucket")[way] if request.method != "POST" else ""


def _object_actions(request: HttpRequest) -> Iterator[str]:
    way = WAY.get(request.method)
    if way is None:
        return
    action = ("GetObject", "PutObject", "DeleteObject")[way]
    if "restore" in request.query:
        action = "RestoreObject"
    for name, actions in OF_AN_OBJECT.items():
        if name in request.query:
            action = actions[way]
            break
    if "versionId" in request.query and action in VERSIONED:
        head, _, tail = action.partition("Object")
        action = f"{head}ObjectVersion{tail}"  # GetObjectVersionTagging
    yield action
    if action == "PutObject":
        if "x-amz-tagging" in request.headers:
            yield "PutObjectTagging"
        if request.headers.get("x-amz-acl", "private") != "private":
            yield "PutObjectAcl"


def context(request: HttpRequest) -> dict[str, list[str]]:
    """Condition keys of S3 that a request brings. Over plain HTTP there is no version of TLS."""
    found: dict[str, list[str]] = {}
    if request.headers.get("x-labs-transport") != "http":
        found["s3:tlsversion"] = [TLS_VERSION]
    for name in ("prefix", "delimiter", "max-keys"):
        if name in request.query:
            found[f"s3:{name}"] = [request.query[name]]
    if "versionId" in request.query:
        found["s3:versionid"] = [request.query["versionId"]]
    for header, value in request.headers.items():
        if header in COPIED_HEADERS:
            found[f"s3:{header}"] = [value]
    tags = dict(parse_qsl(request.headers.get("x-amz-tagging", "")))
    found |= {f"s3:requestobjecttag/{key.lower()}": [value] for key, value in tags.items()}
    if tags:
        found["s3:requestobjecttagkeys"] = list(tags)
    if constraint := re.search(rb"<LocationConstraint>([^<]+)<", request.body[:4096]):
        found["s3:locationconstraint"] = [constraint.group(1).decode()]
    return found


COPIED_HEADERS = {
    "x-amz-acl", "x-amz-copy-source", "x-amz-metadata-directive", "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id", "x-amz-storage-class", "if-none-match", "if-match",
}  # fmt: skip
