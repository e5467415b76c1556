terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 6.0"
    }
  }

  # The bucket and the lock are said by `terraform init -backend-config=../backend.hcl`.
  backend "s3" {
    key     = "modelserve/staging.tfstate"
    encrypt = true
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = {
      project     = "modelserve"
      environment = "staging"
      managed-by  = "terraform"
    }
  }
}
