environment     = "prod"
vpc_cidr        = "10.30.0.0/16"
zones           = ["ap-south-1a", "ap-south-1b"]
ami             = "ami-0f5ee92e2d63afc18"
certificate_arn = "arn:aws:acm:ap-south-1:123456789012:certificate/5f1c0de4-0000-4000-8000-000000000002"

app_instances = {
  amber = "ap-south-1a"
  basil = "ap-south-1b"
  cedar = "ap-south-1a"
  daisy = "ap-south-1b"
}

app_instance_type = "c6i.large"
database_class    = "db.r6g.large"
backup_days       = 30
