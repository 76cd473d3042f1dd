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
  settings         = base64encode("FEATURE_STORE=${var.feature_store_url}")
}

module "data" {
  source = "./modules/data"

  name                = local.name
  vpc_id              = module.network.vpc_id
  subnets             = module.network.data_subnets
  app_security_group  = module.app.security_group_id
  database_class      = var.database_class
  multi_az            = var.database_multi_az
  backup_days         = var.backup_days
  feature_store_url   = var.feature_store_url
  deletion_protection = true
}
