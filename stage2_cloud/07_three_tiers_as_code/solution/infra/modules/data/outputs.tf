output "database_address" {
  value = aws_db_instance.this.address
}

output "feature_store_secret_arn" {
  value = aws_secretsmanager_secret.feature_store.arn
}
