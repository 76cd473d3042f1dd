terraform {
  required_version = ">= 1.10" # use_lockfile

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.80"
    }
  }

  # The bucket and the key of the state are the environment's: terraform init -backend-config=envs/ENV.tfbackend
  backend "s3" {
    region       = "ap-south-1"
    encrypt      = true
    use_lockfile = true
  }
}

locals {
  name = "nukkad-fraud-${var.environment}"
}

provider "aws" {
  region = "ap-south-1"

  default_tags {
    tags = {
      environment = var.environment
      service     = "fraud"
    }
  }
}
