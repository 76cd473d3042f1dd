output "load_balancer" {
  value = module.app.dns_name
}

# For whoever has to look into the feature store at night.
output "feature_store_url" {
  value     = var.feature_store_url
  sensitive = true
}

output "database" {
  value = module.data.database_address
}
