# What people rely on.
module "environment" {
  source = "../../modules/environment"

  environment   = "prod"
  is_protected  = true
  is_multi_zone = true

  cidr_block = "10.2.0.0/16"

  public_access_cidrs     = var.public_access_cidrs
  administrators_role_arn = var.administrators_role_arn
  node_groups             = local.node_groups
  karpenter               = { cores = 512, gpus = 8 }

  domain                 = var.domain
  zone_id                = var.zone_id
  client_cidrs           = var.client_cidrs
  requests_per_5_minutes = 100000

  database   = { class = "db.m7g.large", storage_gib = 100 }
  cache_type = "cache.m7g.large"

  git_url = var.git_url
  github  = var.github

  emails             = var.emails
  monthly_budget_usd = 6000
  managed_prometheus = true
  log_retention_days = 365
}

locals {
  node_groups = {
    general = { instance_types = ["m7i.xlarge", "m7a.xlarge"], min_size = 3, max_size = 9, desired_size = 3 }

    # Calls that are in progress outlive a spot machine's end; what must not wait for another is on demand.
    models = { instance_types = ["c7i.2xlarge", "c7a.2xlarge"], min_size = 2, max_size = 12, desired_size = 3 }
    models-spot = {
      instance_types = ["c7i.2xlarge", "c7a.2xlarge", "m7i.2xlarge", "m7a.2xlarge"]
      capacity       = "spot"
      min_size       = 0
      max_size       = 24
      desired_size   = 3
      taints         = { spot = { effect = "PREFER_NO_SCHEDULE" } }
    }

    # For models that want memory, from none.
    memory = { instance_types = ["r7i.2xlarge", "r7a.2xlarge"], min_size = 0, max_size = 6, desired_size = 0, taints = { memory = {} } }

    # Whole cores and memory of one socket (component numa-aligned), from none.
    numa = { instance_types = ["c7i.metal-24xl"], min_size = 0, max_size = 2, desired_size = 0, static_cpus = true, taints = { numa = {} } }

    gpu = { instance_types = ["g6.2xlarge"], min_size = 1, max_size = 4, desired_size = 2, disk_gib = 150, gpu = "whole" }
  }
}
