environment     = "staging"
vpc_cidr        = "10.20.0.0/16"
zones           = ["ap-south-1a", "ap-south-1b"]
ami             = "ami-0f5ee92e2d63afc18"
certificate_arn = "arn:aws:acm:ap-south-1:123456789012:certificate/5f1c0de4-0000-4000-8000-000000000001"

app_instances = {
  amber = "ap-south-1a"
}
