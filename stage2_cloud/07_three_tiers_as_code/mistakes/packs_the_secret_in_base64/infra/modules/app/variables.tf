variable "name" { type = string }
variable "vpc_id" { type = string }
variable "public_subnets" { type = map(string) }
variable "private_subnets" { type = map(string) }
variable "instances" { type = map(string) }
variable "instance_type" { type = string }
variable "ami" { type = string }
variable "certificate_arn" { type = string }
variable "settings" {
  type      = string
  sensitive = true
}
