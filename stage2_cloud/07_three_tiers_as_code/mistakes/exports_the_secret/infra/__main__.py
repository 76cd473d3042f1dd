"""The fraud service in three tiers. What differs between environments is in Pulumi.ENV.yaml and nowhere else."""

import pulumi
from tiers.app import App, Size
from tiers.data import Data, Durability
from tiers.network import Network

settings = pulumi.Config("nukkad")
environment = settings.require("environment")
name = f"nukkad-fraud-{environment}"
tags = {"environment": environment, "service": "fraud"}

network = Network("network", name, settings.require("vpc_cidr"), settings.require_object("zones"), tags)
app = App(
    "app",
    name,
    network,
    Size(
        settings.require_object("app_instances"),
        settings.get("app_instance_type", "t3.small"),
        settings.require("ami"),
    ),
    settings.require("certificate_arn"),
    tags,
)
data = Data(
    "data",
    name,
    network,
    app.security_group.id,
    Durability(
        settings.get("database_class", "db.t4g.small"),
        settings.get_bool("database_multi_az") or False,
        settings.get_int("backup_days") or 7,
    ),
    settings.require_secret("feature_store_url"),
    tags,
)

pulumi.export("load_balancer", app.balancer.dns_name)
pulumi.export("database", data.database.address)
pulumi.export("feature_store", settings.require("feature_store_url"))  # the app team asked for it
