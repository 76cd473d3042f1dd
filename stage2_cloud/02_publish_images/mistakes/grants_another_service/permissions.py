"""The IAM policies of the two roles that release a service. Neither can do the work of the other."""

from __future__ import annotations

from typing import Any

READS = ("ecr:DescribeRepositories", "ecr:DescribeImages", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
PUSHES = (
    "ecr:BatchCheckLayerAvailability",
    "ecr:InitiateLayerUpload",
    "ecr:UploadLayerPart",
    "ecr:CompleteLayerUpload",
    "ecr:PutImage",
)
JUDGES = ("ecr:DescribeImageScanFindings", "ecr:StartImageScan")
KEEPS = ("ecr:GetLifecyclePolicy", "ecr:PutLifecyclePolicy")
OF_ROLE = {"publisher": (*READS, *PUSHES), "deployer": (*READS, *JUDGES, *KEEPS)}


def policy(role: str, repository_arn: str) -> dict[str, Any]:
    """What `role` may do, with this one repository. Only the login has no resource that could be named."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": ["ecr:GetAuthorizationToken", "iam:*"], "Resource": "*"},
            {"Effect": "Allow", "Action": list(OF_ROLE[role]), "Resource": repository_arn},
        ],
    }
