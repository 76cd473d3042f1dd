output "vpc_id" {
  value = aws_vpc.this.id
}

# Subnets of a tier: zone => id.
output "public_subnets" {
  value = { for key, block in local.blocks : block.zone => aws_subnet.this[key].id if block.tier == "public" }
}

output "private_subnets" {
  value = { for key, block in local.blocks : block.zone => aws_subnet.this[key].id if block.tier == "private" }
}

output "data_subnets" {
  value = { for key, block in local.blocks : block.zone => aws_subnet.this[key].id if block.tier == "data" }
}
