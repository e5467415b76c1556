data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

locals {
  account   = data.aws_caller_identity.this.account_id
  partition = data.aws_partition.this.partition
  region    = data.aws_region.this.name

  name = "modelserve-${var.environment}"

  # Charts are in the account's own registry too, so that a cluster starts without anybody else's.
  registry = "${local.account}.dkr.ecr.${local.region}.amazonaws.com/${local.name}"
}

module "secrets" {
  source = "../secrets"

  name                 = local.name
  recovery_window_days = var.is_protected ? 30 : 0

  keys = {
    cluster       = { description = "Secrets of Kubernetes" }
    data          = { description = "Buckets, images, database and cache" }
    logs          = { description = "Groups of logs", services = ["logs"] }
    observability = { description = "Notices and the cluster's logs", services = ["logs", "cloudwatch", "budgets", "costalerts"] }
  }

  secrets = {
    cache = { description = "Token of the cache", key = "data", generate = true }
  }
}

module "network" {
  source = "../network"

  name                    = local.name
  availability_zones      = [for zone in ["a", "b", "c"] : "${local.region}${zone}"]
  cidr_block              = var.cidr_block
  nat_gateways            = var.is_multi_zone ? "per_zone" : "single"
  log_kms_key_arn         = module.secrets.key_arns["logs"]
  flow_log_retention_days = var.log_retention_days
}

module "cluster" {
  source = "../cluster"

  name                     = local.name
  kubernetes_version       = var.kubernetes_version
  subnet_ids               = module.network.private_subnet_ids
  control_plane_subnet_ids = module.network.intra_subnet_ids
  public_access_cidrs      = var.public_access_cidrs
  secrets_kms_key_arn      = module.secrets.key_arns["cluster"]
  log_kms_key_arn          = module.secrets.key_arns["logs"]
  log_retention_days       = var.log_retention_days
  node_groups              = var.node_groups
  model_bucket_arns        = [module.storage.bucket_arns["models"]]
  model_kms_key_arns       = [module.secrets.key_arns["data"]]

  access_entries = {
    administrators = { principal_arn = var.administrators_role_arn, policy = "cluster_admin" }
  }
}

module "storage" {
  source = "../storage"

  name          = local.name
  kms_key_arn   = module.secrets.key_arns["data"]
  repositories  = setunion(var.images, [for chart in keys(module.platform.charts) : "charts/${chart}"])
  days          = { logs = var.log_retention_days }
  force_destroy = !var.is_protected
}

module "data" {
  source = "../data"

  name                      = local.name
  vpc_id                    = module.network.vpc_id
  subnet_ids                = module.network.intra_subnet_ids
  client_security_group_ids = { cluster = module.cluster.cluster_security_group_id }
  kms_key_arn               = module.secrets.key_arns["data"]
  log_kms_key_arn           = module.secrets.key_arns["logs"]
  log_retention_days        = var.log_retention_days
  deletion_protection       = var.is_protected
  multi_zone                = var.is_multi_zone
  database                  = { class = var.database.class, storage_gib = var.database.storage_gib, most_storage_gib = var.database.storage_gib * 5 }
  cache                     = { type = var.cache_type, auth_token_secret_arn = module.secrets.secret_arns["cache"] }
}

module "edge" {
  source = "../edge"

  name                   = local.name
  vpc_id                 = module.network.vpc_id
  subnet_ids             = module.network.public_subnet_ids
  client_cidrs           = var.client_cidrs
  zone_id                = var.zone_id
  hosts                  = [var.domain, "*.${var.domain}"]
  target                 = { security_group_id = module.cluster.cluster_security_group_id }
  requests_per_5_minutes = { all = var.requests_per_5_minutes, paths = { "/v2/repository/" = 100 } }
  logs_bucket            = module.storage.bucket_names["logs"]
  log_kms_key_arn        = module.secrets.key_arns["logs"]
  deletion_protection    = var.is_protected
}

module "observability" {
  source = "../observability"

  name               = local.name
  kms_key_arn        = module.secrets.key_arns["observability"]
  emails             = var.emails
  log_groups         = { cluster = var.log_retention_days }
  databases          = { main = { identifier = module.data.database_identifier, storage_gib = var.database.storage_gib } }
  cache_node_ids     = module.data.cache_node_ids
  load_balancers     = { edge = { name = module.edge.load_balancer_name, target_group = module.edge.target_group_name } }
  autoscaling_groups = module.cluster.node_group_autoscaling_groups
  nat_gateway_ids    = module.network.nat_gateway_ids
  monthly_budget_usd = var.monthly_budget_usd
  budget_tags        = { environment = var.environment }
  anomaly_usd        = var.anomaly_usd
  managed_prometheus = var.managed_prometheus
}

module "platform" {
  source = "../platform"

  name             = local.name
  tags             = { environment = var.environment }
  region           = local.region
  vpc_id           = module.network.vpc_id
  chart_repository = "oci://${local.registry}/charts"
  git              = { url = var.git_url, path = "clusters/${var.environment}", overlay = "inferenceservices/overlays/${var.environment}" }
  domain           = var.domain
  target_group_arn = module.edge.target_group_arn

  karpenter = {
    queue_name       = module.cluster.karpenter_queue_name
    instance_profile = module.cluster.karpenter_instance_profile
    cores            = var.karpenter.cores
    gpus             = var.karpenter.gpus
  }
}
