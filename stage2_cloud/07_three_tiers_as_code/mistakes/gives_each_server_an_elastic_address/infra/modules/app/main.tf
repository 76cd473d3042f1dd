# A load balancer in the public subnets, and app servers in the private ones.

locals {
  app_port = 8080
}

resource "aws_security_group" "balancer" {
  name        = "${var.name}-balancer"
  description = "The load balancer: HTTPS from everywhere"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "https" {
  for_each = toset(["0.0.0.0/0"])

  security_group_id = aws_security_group.balancer.id
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "balancer_to_app" {
  security_group_id            = aws_security_group.balancer.id
  referenced_security_group_id = aws_security_group.app.id
  ip_protocol                  = "tcp"
  from_port                    = local.app_port
  to_port                      = local.app_port
}

resource "aws_security_group" "app" {
  name        = "${var.name}-app"
  description = "App servers: from the load balancer alone"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "app_from_balancer" {
  security_group_id            = aws_security_group.app.id
  referenced_security_group_id = aws_security_group.balancer.id
  ip_protocol                  = "tcp"
  from_port                    = local.app_port
  to_port                      = local.app_port
}

resource "aws_vpc_security_group_egress_rule" "app" {
  security_group_id = aws_security_group.app.id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
}

resource "aws_lb" "this" {
  name                       = var.name
  load_balancer_type         = "application"
  internal                   = false
  subnets                    = values(var.public_subnets)
  security_groups            = [aws_security_group.balancer.id]
  drop_invalid_header_fields = true
}

resource "aws_lb_target_group" "this" {
  name     = var.name
  port     = local.app_port
  protocol = "HTTP"
  vpc_id   = var.vpc_id

  health_check {
    path = "/readyz"
  }
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.this.arn
  port              = 443
  protocol          = "HTTPS"
  certificate_arn   = var.certificate_arn

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this.arn
  }
}

# The vendor wants to know where our calls come from.
resource "aws_eip" "server" {
  for_each = var.instances

  domain   = "vpc"
  instance = aws_instance.this[each.key].id
  tags     = { Name = "${var.name}-${each.key}" }
}

# By name: a server that comes or goes leaves the others alone.
resource "aws_instance" "this" {
  for_each = var.instances

  ami                         = var.ami
  instance_type               = var.instance_type
  subnet_id                   = var.private_subnets[each.value]
  vpc_security_group_ids      = [aws_security_group.app.id]
  associate_public_ip_address = false
  tags                        = { Name = "${var.name}-${each.key}" }

  # The secret's address, never the secret.
  user_data = <<-EOT
    #!/bin/sh
    exec fraud --port ${local.app_port} --feature-store-secret ${var.feature_store_id}
  EOT

  metadata_options {
    http_tokens = "required"
  }
}

resource "aws_lb_target_group_attachment" "this" {
  for_each = var.instances

  target_group_arn = aws_lb_target_group.this.arn
  target_id        = aws_instance.this[each.key].id
}
