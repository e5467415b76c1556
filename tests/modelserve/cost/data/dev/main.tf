# A network and a cluster with each way to save: schedules, spot, and groups that may be empty.
terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 6.0"
    }
  }
}

variable "region" {
  type    = string
  default = "eu-central-1"
}

provider "aws" {
  region = var.region
}

locals {
  key_arn = "arn:aws:kms:${var.region}:000000000000:key/11111111-2222-3333-4444-555555555555"
}

module "network" {
  source = "../../../../../terraform/modules/network"

  name               = "modelserve-dev"
  availability_zones = [for letter in ["a", "b", "c"] : "${var.region}${letter}"]
  log_kms_key_arn    = local.key_arn
}

module "cluster" {
  source = "../../../../../terraform/modules/cluster"

  name                     = "modelserve-dev"
  kubernetes_version       = "1.35"
  subnet_ids               = module.network.private_subnet_ids
  control_plane_subnet_ids = module.network.intra_subnet_ids
  secrets_kms_key_arn      = local.key_arn
  log_kms_key_arn          = local.key_arn

  node_groups = {
    general = {
      instance_types = ["m7i.xlarge", "m7a.xlarge"]
      min_size       = 2
      max_size       = 6
      desired_size   = 2
    }
    models = {
      instance_types = ["c7i.2xlarge", "c7a.2xlarge"]
      capacity       = "spot"
      min_size       = 0
      max_size       = 6
      desired_size   = 2
      taints         = { spot = {} }
    }
    gpu = {
      instance_types = ["g6.2xlarge"]
      min_size       = 0
      max_size       = 2
      desired_size   = 1
      disk_gib       = 150
      gpu            = "time-sliced"
      schedules = {
        evening = { recurrence = "0 20 * * *", time_zone = "Europe/Berlin", min_size = 0, max_size = 0, desired_size = 0 }
        morning = { recurrence = "0 7 * * 1-5", time_zone = "Europe/Berlin", min_size = 0, max_size = 2, desired_size = 1 }
      }
    }
    gpu-mig = {
      instance_types = ["p5.48xlarge"]
      min_size       = 0
      max_size       = 1
      desired_size   = 0
      disk_gib       = 300
      gpu            = "all-1g.10gb"
    }
  }
}
