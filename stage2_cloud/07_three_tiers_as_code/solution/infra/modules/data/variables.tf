variable "name" { type = string }
variable "vpc_id" { type = string }
variable "subnets" { type = map(string) }
variable "app_security_group" { type = string }
variable "database_class" { type = string }
variable "multi_az" { type = bool }
variable "backup_days" { type = number }
variable "deletion_protection" { type = bool }

variable "feature_store_url" {
  type      = string
  sensitive = true
}
