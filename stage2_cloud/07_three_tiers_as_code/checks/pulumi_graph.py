"""What a Pulumi program registered, as the same graph that Terraform files come to.

Source of the types and arguments: https://www.pulumi.com/registry/packages/aws/api-docs/, whose provider is made from
Terraform's: arguments have the same names, in camel case; lists of blocks are in the plural.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import yaml

from graph import Graph, Resource
from hcl_values import OPEN, CannotEvaluate, Wrong, bounded
from provider_types import converted

NAMES = {
    "ec2/vpc:Vpc": "aws_vpc",
    "ec2/subnet:Subnet": "aws_subnet",
    "ec2/eip:Eip": "aws_eip",
    "ec2/internetGateway:InternetGateway": "aws_internet_gateway",
    "ec2/egressOnlyInternetGateway:EgressOnlyInternetGateway": "aws_egress_only_internet_gateway",
    "ec2/natGateway:NatGateway": "aws_nat_gateway",
    "ec2/routeTable:RouteTable": "aws_route_table",
    "ec2/route:Route": "aws_route",
    "ec2/routeTableAssociation:RouteTableAssociation": "aws_route_table_association",
    "ec2/mainRouteTableAssociation:MainRouteTableAssociation": "aws_main_route_table_association",
    "ec2/defaultRouteTable:DefaultRouteTable": "aws_default_route_table",
    "ec2/securityGroup:SecurityGroup": "aws_security_group",
    "ec2/securityGroupRule:SecurityGroupRule": "aws_security_group_rule",
    "ec2/defaultSecurityGroup:DefaultSecurityGroup": "aws_default_security_group",
    "vpc/securityGroupIngressRule:SecurityGroupIngressRule": "aws_vpc_security_group_ingress_rule",
    "vpc/securityGroupEgressRule:SecurityGroupEgressRule": "aws_vpc_security_group_egress_rule",
    "ec2/managedPrefixList:ManagedPrefixList": "aws_ec2_managed_prefix_list",
    "ec2/vpcEndpoint:VpcEndpoint": "aws_vpc_endpoint",
    "ec2/flowLog:FlowLog": "aws_flow_log",
    "ec2/instance:Instance": "aws_instance",
    "lb/loadBalancer:LoadBalancer": "aws_lb",
    "alb/loadBalancer:LoadBalancer": "aws_lb",
    "lb/listener:Listener": "aws_lb_listener",
    "alb/listener:Listener": "aws_lb_listener",
    "lb/targetGroup:TargetGroup": "aws_lb_target_group",
    "alb/targetGroup:TargetGroup": "aws_lb_target_group",
    "lb/targetGroupAttachment:TargetGroupAttachment": "aws_lb_target_group_attachment",
    "alb/targetGroupAttachment:TargetGroupAttachment": "aws_lb_target_group_attachment",
    "iam/role:Role": "aws_iam_role",
    "iam/rolePolicy:RolePolicy": "aws_iam_role_policy",
    "iam/policy:Policy": "aws_iam_policy",
    "iam/instanceProfile:InstanceProfile": "aws_iam_instance_profile",
    "iam/rolePolicyAttachment:RolePolicyAttachment": "aws_iam_role_policy_attachment",
    "cloudwatch/logGroup:LogGroup": "aws_cloudwatch_log_group",
    "rds/instance:Instance": "aws_db_instance",
    "rds/subnetGroup:SubnetGroup": "aws_db_subnet_group",
    "rds/parameterGroup:ParameterGroup": "aws_db_parameter_group",
    "kms/key:Key": "aws_kms_key",
    "kms/alias:Alias": "aws_kms_alias",
    "s3/bucketPolicy:BucketPolicy": "aws_s3_bucket_policy",
    "s3/bucketPublicAccessBlock:BucketPublicAccessBlock": "aws_s3_bucket_public_access_block",
    "s3/bucketOwnershipControls:BucketOwnershipControls": "aws_s3_bucket_ownership_controls",
    "secretsmanager/secret:Secret": "aws_secretsmanager_secret",
    "secretsmanager/secretVersion:SecretVersion": "aws_secretsmanager_secret_version",
}
for _kind, _name in (
    ("", "aws_s3_bucket"),
    ("Versioning", "aws_s3_bucket_versioning"),
    ("ServerSideEncryptionConfiguration", "aws_s3_bucket_server_side_encryption_configuration"),
    ("LifecycleConfiguration", "aws_s3_bucket_lifecycle_configuration"),
):
    for _version in ("", "V2"):
        _type = f"Bucket{_kind}{_version}"
        NAMES[f"s3/{_type[0].lower()}{_type[1:]}:{_type}"] = _name
SINGULAR = {"rules": "rule", "default_actions": "default_action", "routes": "route"}
WORD = re.compile(r"(?<=[a-z0-9])([A-Z])")
MOST_BYTES = 100_000


def snake(name: str) -> str:
    return WORD.sub(r"_\1", name).lower()


def _inputs(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            SINGULAR.get(snake(key), snake(key)): each if key in ("tags", "defaultTags") else _inputs(each)
            for key, each in value.items()
        }
    if isinstance(value, float) and value.is_integer():  # the engine's numbers are all floating
        return int(value)
    return [_inputs(each) for each in value] if isinstance(value, list) else value


def graph(answer: Mapping[str, Any]) -> Graph:
    """The graph of one scenario, as the probe has written it.

    Raises:
        Wrong: the program failed.
        CannotEvaluate: a resource of a type that the grader does not know.
    """
    if "error" in answer:
        raise Wrong(str(answer["error"]))
    if "unknown" in answer:
        raise CannotEvaluate(str(answer["unknown"]))
    default = _providers(answer["resources"])
    found: dict[str, Resource] = {}
    renamed: dict[str, str] = {}
    for each in sorted(bounded(answer["resources"]), key=lambda one: str(one["address"])):
        token = str(each["type"])
        if not each["custom"] or token.startswith("pulumi:"):
            continue
        kind = NAMES.get(token.removeprefix("aws:")) if token.startswith("aws:") else None
        if kind is None:
            raise CannotEvaluate(f"the resource type {token}")
        address = str(each["address"]).replace(token, kind)
        if address in found:
            raise Wrong(f"two resources of the type {token} have the name {each['name']!r}")
        renamed[str(each["address"])] = address
        inputs = converted(kind, _inputs(each["inputs"]), address)
        tags = {**default.get(_provider_name(each), {}), **(inputs.get("tags") or {})}
        secrets = frozenset(snake(path) for path in each["secrets"])
        found[address] = Resource(
            address, kind, tuple(each["module"]), inputs, each["protect"] is True, tags, secrets
        )
    resources = {key: _resolved(one, renamed) for key, one in found.items()}
    outputs = {name: (value, bool(hidden)) for name, (value, hidden) in answer["outputs"].items()}
    return Graph(resources, outputs)


def _provider_name(each: Mapping[str, Any]) -> str:
    """Of `urn:pulumi:stack::project::pulumi:providers:aws::NAME::ID`."""
    parts = str(each["provider"]).split("::")
    return parts[3] if len(parts) > 3 else ""


def _providers(resources: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Name of an explicit provider → its default tags."""
    found = {}
    for each in resources:
        if each["type"] == "pulumi:providers:aws":
            told = each["inputs"].get("defaultTags") or {}
            told = json.loads(told) if isinstance(told, str) else told
            found[each["name"]] = told.get("tags") or {}
    return found


def _resolved(one: Resource, renamed: Mapping[str, str]) -> Resource:
    """With the addresses of this graph in its references, and their attributes in Terraform's words."""

    def mend(value: Any) -> Any:
        if isinstance(value, str):
            if OPEN not in value:
                return value
            for old, new in renamed.items():
                value = value.replace(f"{OPEN}{old}#", f"{OPEN}{new}#")
            return value
        if isinstance(value, dict):
            return {key: mend(each) for key, each in value.items()}
        return [mend(each) for each in value] if isinstance(value, list) else value

    return Resource(
        one.address, one.type, one.module, mend(one.inputs), one.protected, mend(one.tags), one.secrets
    )


def configuration(data: bytes, path: str) -> dict[str, Any]:
    """A file of Pulumi's, read safely: no anchors, no objects, bounded.

    Raises:
        Wrong: it cannot be read.
    """
    if len(data) > MOST_BYTES:
        raise CannotEvaluate(f"{path}: more than {MOST_BYTES:,} bytes")
    try:
        text = data.decode("utf-8")
        if any(isinstance(token, (yaml.AliasToken, yaml.AnchorToken)) for token in yaml.scan(text)):
            raise CannotEvaluate(f"{path}: anchors")
        found = yaml.load(text, Loader=yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader)
    except (UnicodeDecodeError, yaml.YAMLError, RecursionError, ValueError) as error:
        place = getattr(error, "problem_mark", None)
        where = f", line {place.line + 1}, column {place.column + 1}" if place else ""
        raise Wrong(f"{path}{where}: no YAML") from None
    if not isinstance(found, dict):
        raise Wrong(f"{path}: no mapping")
    return found


def as_settings(config: Mapping[str, Any]) -> dict[str, str]:
    """Configuration as Pulumi's engine hands it to a program: every value is a text, structures are JSON."""
    found = {}
    for key, value in config.items():
        if isinstance(value, dict) and set(value) == {"secure"}:
            continue
        if isinstance(value, bool):
            value = "true" if value else "false"
        found[str(key)] = value if isinstance(value, str) else json.dumps(value)
    return found
