"""Roles, with exactly the policies that they should have. What somebody added by hand is taken away."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from policies import Document

ONLY_POLICY = "artifacts"  # the name of the one inline policy of each role


@dataclass(frozen=True)
class Boundary:
    name: str
    document: Document


@dataclass(frozen=True)
class Role:
    """`may` is what the role is given, `boundary` the most that anybody can give it."""

    name: str
    trust: Document
    may: Document
    boundary: Boundary | None = None


class Roles:
    def __init__(self, iam: Any, account: str) -> None:
        self.iam, self.account = iam, account

    def apply(self, role: Role) -> None:
        boundary = self._boundary(role.boundary) if role.boundary else None
        found = self._create(role, boundary)
        if found is not None:
            self._mend(role, boundary, found)
        self._only_policy(role)

    def _create(self, role: Role, boundary: str | None) -> dict[str, Any] | None:
        """Make the role; what is there already, if it is."""
        limits = {"PermissionsBoundary": boundary} if boundary else {}
        try:
            self.iam.create_role(
                RoleName=role.name, AssumeRolePolicyDocument=json.dumps(role.trust), **limits
            )
        except self.iam.exceptions.EntityAlreadyExistsException:
            found: dict[str, Any] = self.iam.get_role(RoleName=role.name)["Role"]
            return found
        return None

    def _mend(self, role: Role, boundary: str | None, found: dict[str, Any]) -> None:
        self.iam.update_assume_role_policy(RoleName=role.name, PolicyDocument=json.dumps(role.trust))
        has = found.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
        if boundary and has != boundary:
            self.iam.put_role_permissions_boundary(RoleName=role.name, PermissionsBoundary=boundary)
        elif has and not boundary:
            self.iam.delete_role_permissions_boundary(RoleName=role.name)

    def _only_policy(self, role: Role) -> None:
        self.iam.put_role_policy(
            RoleName=role.name, PolicyName=ONLY_POLICY, PolicyDocument=json.dumps(role.may)
        )
        for page in self.iam.get_paginator("list_role_policies").paginate(RoleName=role.name):
            for name in set(page["PolicyNames"]) - {ONLY_POLICY}:
                self.iam.delete_role_policy(RoleName=role.name, PolicyName=name)
        for page in self.iam.get_paginator("list_attached_role_policies").paginate(RoleName=role.name):
            for attached in page["AttachedPolicies"]:
                self.iam.detach_role_policy(RoleName=role.name, PolicyArn=attached["PolicyArn"])

    def _boundary(self, boundary: Boundary) -> str:
        """The ARN of the managed policy, which says what it should. A new version only where it does not."""
        arn = f"arn:aws:iam::{self.account}:policy/{boundary.name}"
        wanted = json.dumps(boundary.document)
        try:
            self.iam.create_policy(PolicyName=boundary.name, PolicyDocument=wanted)
        except self.iam.exceptions.EntityAlreadyExistsException:
            if self._document(arn) != boundary.document:
                self.iam.create_policy_version(PolicyArn=arn, PolicyDocument=wanted, SetAsDefault=True)
        return arn

    def _document(self, arn: str) -> Any:
        version = self.iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        return self.iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
