# One VPC. Three subnets in each zone: public (load balancer), private (app), data (no way out at all).

locals {
  # Blocks are numbered by tier and zone, and have room for four zones in each tier.
  blocks = {
    for place in setproduct(["public", "private", "data"], var.zones) : "${place[0]}-${place[1]}" => {
      tier = place[0]
      zone = place[1]
      cidr = cidrsubnet(
        var.vpc_cidr, 4, 4 * index(["public", "private", "data"], place[0]) + index(var.zones, place[1])
      )
    }
  }
}

resource "aws_vpc" "this" {
  cidr_block           = var.vpc_cidr
  enable_dns_support   = true
  enable_dns_hostnames = true
  tags                 = { Name = var.name }
}

resource "aws_subnet" "this" {
  for_each = local.blocks

  vpc_id                  = aws_vpc.this.id
  cidr_block              = each.value.cidr
  availability_zone       = each.value.zone
  map_public_ip_on_launch = each.value.tier != "data"
  tags                    = { Name = "${var.name}-${each.key}", tier = each.value.tier }
}

resource "aws_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id
  tags   = { Name = var.name }
}

resource "aws_eip" "nat" {
  domain = "vpc"
  tags   = { Name = "${var.name}-nat" }
}

resource "aws_nat_gateway" "this" {
  allocation_id = aws_eip.nat.id
  subnet_id     = aws_subnet.this["public-${var.zones[0]}"].id
  tags          = { Name = var.name }
}

resource "aws_route_table" "this" {
  for_each = toset(["public", "private", "data"])

  vpc_id = aws_vpc.this.id
  tags   = { Name = "${var.name}-${each.key}" }
}

resource "aws_route" "public" {
  route_table_id         = aws_route_table.this["public"].id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this.id
}

resource "aws_route" "private" {
  route_table_id         = aws_route_table.this["private"].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.this.id
}

resource "aws_route_table_association" "this" {
  for_each = local.blocks

  subnet_id      = aws_subnet.this[each.key].id
  route_table_id = aws_route_table.this[each.value.tier].id
}
