# What production is, but smaller: a release is tried here.
module "environment" {
  source = "../../modules/environment"

  environment   = "staging"
  is_protected  = false
  is_multi_zone = true

  cidr_block = "10.1.0.0/16"

  public_access_cidrs     = var.public_access_cidrs
  administrators_role_arn = var.administrators_role_arn
  node_groups             = local.node_groups
  karpenter               = { cores = 64, gpus = 1 }

  domain                 = var.domain
  zone_id                = var.zone_id
  client_cidrs           = var.client_cidrs
  requests_per_5_minutes = 10000

  database   = { class = "db.t4g.small", storage_gib = 20 }
  cache_type = "cache.t4g.micro"

  git_url = var.git_url
  github  = var.github

  emails             = var.emails
  monthly_budget_usd = 1500
  managed_prometheus = false
  log_retention_days = 90
}

locals {
  node_groups = {
    general = { instance_types = ["m7i.large", "m7a.large"], min_size = 3, max_size = 6, desired_size = 3 }

    models = {
      instance_types = ["c7i.xlarge", "c7a.xlarge", "m7i.xlarge"]
      capacity       = "spot"
      min_size       = 0
      max_size       = 4
      desired_size   = 2
      taints         = { spot = { effect = "PREFER_NO_SCHEDULE" } }
    }

    # One GPU for all that are tried on one, by day.
    gpu = {
      instance_types = ["g6.2xlarge"]
      min_size       = 0
      max_size       = 1
      desired_size   = 0
      disk_gib       = 150
      gpu            = "time-sliced"
      schedules = {
        evening = { recurrence = "0 20 * * *", time_zone = "Europe/Berlin", min_size = 0, max_size = 0, desired_size = 0 }
        morning = { recurrence = "0 7 * * 1-5", time_zone = "Europe/Berlin", min_size = 1, max_size = 1, desired_size = 1 }
      }
    }
  }
}
