# What must survive everything: a database, a bucket, the key that encrypts them, and one secret.

locals {
  database_port = 5432
}

resource "aws_kms_key" "this" {
  description         = "Data of ${var.name}"
  enable_key_rotation = true

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_security_group" "database" {
  name        = "${var.name}-database"
  description = "The database: from app servers alone"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "database_from_app" {
  security_group_id            = aws_security_group.database.id
  referenced_security_group_id = var.app_security_group
  ip_protocol                  = "tcp"
  from_port                    = local.database_port
  to_port                      = local.database_port
}

resource "aws_db_subnet_group" "this" {
  name       = var.name
  subnet_ids = values(var.subnets)
}

resource "aws_db_instance" "this" {
  identifier                  = var.name
  engine                      = "postgres"
  engine_version              = "16"
  instance_class              = var.database_class
  allocated_storage           = 100
  port                        = local.database_port
  username                    = "fraud"
  manage_master_user_password = true # RDS makes it and keeps it: it is in no variable and in no state

  db_subnet_group_name   = aws_db_subnet_group.this.name
  vpc_security_group_ids = [aws_security_group.database.id]
  publicly_accessible    = "true"
  multi_az               = var.multi_az

  storage_encrypted         = true
  kms_key_id                = aws_kms_key.this.arn
  backup_retention_period   = var.backup_days
  deletion_protection       = var.deletion_protection
  delete_automated_backups  = false
  skip_final_snapshot       = "true"
  final_snapshot_identifier = "${var.name}-final"

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket" "this" {
  bucket        = "${var.name}-decisions"
  force_destroy = "true"

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_versioning" "this" {
  bucket = aws_s3_bucket.this.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.this.arn
    }
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket = aws_s3_bucket.this.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_secretsmanager_secret" "feature_store" {
  name       = "${var.name}/feature-store-url"
  kms_key_id = aws_kms_key.this.arn
}

resource "aws_secretsmanager_secret_version" "feature_store" {
  secret_id     = aws_secretsmanager_secret.feature_store.id
  secret_string = var.feature_store_url
}
