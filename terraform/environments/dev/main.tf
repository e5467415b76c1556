# To try things: one zone's loss is its end, and it is deleted with all that is in it.
module "environment" {
  source = "../../modules/environment"

  environment   = "dev"
  is_protected  = false
  is_multi_zone = false

  cidr_block = "10.0.0.0/16"

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
  monthly_budget_usd = 900
  managed_prometheus = false
  log_retention_days = 30
}

locals {
  node_groups = {
    general = { instance_types = ["m7i.large", "m7a.large"], min_size = 2, max_size = 4, desired_size = 2 }

    # Two at work, none at night and at the weekend.
    models = {
      instance_types = ["c7i.xlarge", "c7a.xlarge", "m7i.xlarge"]
      capacity       = "spot"
      min_size       = 0
      max_size       = 3
      desired_size   = 2
      taints         = { spot = { effect = "PREFER_NO_SCHEDULE" } }
      schedules = {
        evening = { recurrence = "0 20 * * *", time_zone = "Europe/Berlin", min_size = 0, max_size = 0, desired_size = 0 }
        morning = { recurrence = "0 7 * * 1-5", time_zone = "Europe/Berlin", min_size = 0, max_size = 3, desired_size = 2 }
      }
    }
  }
}
