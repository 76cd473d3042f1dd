variable "environment" {
  description = "staging, prod, or the name of any other environment: it is part of every name."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,15}$", var.environment))
    error_message = "2 to 16 small letters, digits and dashes: names of buckets are made of it."
  }
}

variable "vpc_cidr" {
  description = "The addresses of this environment, a /16 to a /20."
  type        = string
}

variable "zones" {
  description = "Two availability zones."
  type        = list(string)

  validation {
    condition     = length(distinct(var.zones)) == 2
    error_message = "Two different zones."
  }
}

variable "ami" {
  description = "The image of the app servers."
  type        = string
}

variable "app_instances" {
  description = "App servers: name => availability zone. The name is the server's identity."
  type        = map(string)
}

variable "certificate_arn" {
  description = "The certificate of the load balancer."
  type        = string
}

variable "feature_store_url" {
  description = "Holds a password. From the environment variable TF_VAR_feature_store_url, never from a file."
  type        = string
  sensitive   = true
}

variable "app_instance_type" {
  type    = string
  default = "t3.small"
}

variable "database_class" {
  type    = string
  default = "db.t4g.small"
}

variable "database_multi_az" {
  type    = bool
  default = false
}

variable "backup_days" {
  description = "For how many days a backup of the database is kept."
  type        = number
  default     = 7
}
