output "load_balancer" {
  value = module.app.dns_name
}

output "database" {
  value = module.data.database_address
}
