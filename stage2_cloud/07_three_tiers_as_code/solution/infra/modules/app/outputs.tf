output "security_group_id" {
  value = aws_security_group.app.id
}

output "dns_name" {
  value = aws_lb.this.dns_name
}
