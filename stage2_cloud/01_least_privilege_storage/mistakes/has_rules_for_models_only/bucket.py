"""The artifact bucket: closed, encrypted, versioned, and cleaned up after a while."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from policies import Document

ABORT_UPLOADS_AFTER_DAYS = 7
KEEP_REPLACED_DAYS = 30  # what was overwritten or deleted can be brought back for so long


def replaced(model: str) -> dict[str, Any]:
    """The rule for one model: its replaced versions go after a month."""
    return {
        "ID": f"what-was-replaced-{model}",
        "Status": "Enabled",
        "Filter": {"Prefix": f"{model}/"},
        "NoncurrentVersionExpiration": {"NoncurrentDays": KEEP_REPLACED_DAYS},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": ABORT_UPLOADS_AFTER_DAYS},
    }


MARKERS = {
    "ID": "delete-markers-with-nothing-behind-them",
    "Status": "Enabled",
    "Filter": {},
    "Expiration": {"ExpiredObjectDeleteMarker": True},
}
ENCRYPTION = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
CLOSED = dict.fromkeys(
    ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
)


class Bucket:
    def __init__(self, s3: Any, name: str) -> None:
        self.s3, self.name = s3, name

    def apply(self, region: str, policy: Document, models: list[str]) -> None:
        """Each call states how the setting should be, so a setting that is right already stays as it is.

        Closed comes first: between two of these calls the bucket is open to no one.
        """
        # Taken by another account is BucketAlreadyExists, and stops us.
        with contextlib.suppress(self.s3.exceptions.BucketAlreadyOwnedByYou):
            self.s3.create_bucket(Bucket=self.name, CreateBucketConfiguration={"LocationConstraint": region})
        self.s3.put_public_access_block(Bucket=self.name, PublicAccessBlockConfiguration=CLOSED)
        self.s3.put_bucket_policy(Bucket=self.name, Policy=json.dumps(policy))
        self.s3.put_bucket_encryption(Bucket=self.name, ServerSideEncryptionConfiguration=ENCRYPTION)
        self.s3.put_bucket_versioning(Bucket=self.name, VersioningConfiguration={"Status": "Enabled"})
        self.s3.put_bucket_lifecycle_configuration(
            Bucket=self.name, LifecycleConfiguration={"Rules": [*map(replaced, models), MARKERS]}
        )
