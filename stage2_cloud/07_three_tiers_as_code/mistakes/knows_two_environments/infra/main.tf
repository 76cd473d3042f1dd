# Three tiers, each a module. What differs between environments is in envs/*.tfvars and nowhere else.

module "network" {
  source = "./modules/network"

  name     = local.name
  vpc_cidr = var.vpc_cidr
  zones    = var.zones
}

module "app" {
  source = "./modules/app"

  name             = local.name
  vpc_id           = module.network.vpc_id
  public_subnets   = module.network.public_subnets
  private_subnets  = module.network.private_subnets
  instances        = var.app_instances
  instance_type    = var.app_instance_type
  ami              = var.ami
  certificate_arn  = var.certificate_arn
  feature_store_id = module.data.feature_store_secret_arn
}

module "data" {
  source = "./modules/data"

  name                = local.name
  vpc_id              = module.network.vpc_id
  subnets             = module.network.data_subnets
  app_security_group  = module.app.security_group_id
  database_class      = { staging = "db.t4g.small", prod = "db.r6g.large" }[var.environment]
  multi_az            = var.database_multi_az
  backup_days         = var.backup_days
  feature_store_url   = var.feature_store_url
  deletion_protection = true
}
