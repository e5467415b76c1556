mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_default_tags" {
    defaults = { tags = { project = "modelserve" } }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { name = "eu-central-1" }
  }
  mock_data "aws_secretsmanager_secret_version" {
    defaults = { secret_string = "abcdefghijklmnopqrstuvwxyz" }
  }
  mock_resource "aws_acm_certificate" {
    defaults = {
      arn = "arn:aws:acm:eu-central-1:123456789012:certificate/mock"
      domain_validation_options = [{
        domain_name           = "models.example.com"
        resource_record_name  = "_mock.models.example.com."
        resource_record_type  = "CNAME"
        resource_record_value = "_mock.acm-validations.aws."
      }]
    }
  }
  mock_resource "aws_acm_certificate_validation" {
    defaults = { certificate_arn = "arn:aws:acm:eu-central-1:123456789012:certificate/mock" }
  }
  mock_resource "aws_ce_anomaly_monitor" {
    defaults = { arn = "arn:aws:ce::123456789012:anomalymonitor/mock" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:mock" }
  }
  mock_resource "aws_db_instance" {
    defaults = { master_user_secret = [{ secret_arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds!db-mock" }] }
  }
  mock_resource "aws_eks_cluster" {
    defaults = {
      certificate_authority = [{ data = "bW9jaw==" }]
      identity              = [{ oidc = [{ issuer = "https://oidc.eks.eu-central-1.amazonaws.com/id/ABC" }] }]
    }
  }
  mock_resource "aws_eks_node_group" {
    defaults = { resources = [{ autoscaling_groups = [{ name = "eks-mock" }], remote_access_security_group_id = "" }] }
  }
  mock_resource "aws_iam_openid_connect_provider" {
    defaults = { arn = "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/ABC" }
  }
  mock_resource "aws_iam_policy" {
    defaults = { arn = "arn:aws:iam::123456789012:policy/mock" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mock" }
  }
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555" }
  }
  mock_resource "aws_launch_template" {
    defaults = { id = "lt-0123456789abcdef0", latest_version = 1 }
  }
  mock_resource "aws_lb" {
    defaults = { arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/mock/0123456789abcdef", arn_suffix = "app/mock/0123456789abcdef" }
  }
  mock_resource "aws_lb_listener" {
    defaults = { arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/mock/0123456789abcdef/0123456789abcdef" }
  }
  mock_resource "aws_lb_target_group" {
    defaults = { arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/mock/0123456789abcdef", arn_suffix = "targetgroup/mock/0123456789abcdef" }
  }
  mock_resource "aws_prometheus_workspace" {
    defaults = { arn = "arn:aws:aps:eu-central-1:123456789012:workspace/ws-mock" }
  }
  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::modelserve-test-mock-123456789012" }
  }
  mock_resource "aws_secretsmanager_secret" {
    defaults = { arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:mock", id = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:mock" }
  }
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:eu-central-1:123456789012:mock" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:eu-central-1:123456789012:mock", url = "https://sqs.eu-central-1.amazonaws.com/123456789012/mock" }
  }
  mock_resource "aws_wafv2_web_acl" {
    defaults = { arn = "arn:aws:wafv2:eu-central-1:123456789012:regional/webacl/mock/11111111-2222-3333-4444-555555555555" }
  }
}

variables {
  environment             = "test"
  cidr_block              = "10.3.0.0/16"
  administrators_role_arn = "arn:aws:iam::123456789012:role/administrators"
  node_groups = {
    general = { instance_types = ["m7i.large"], min_size = 2, max_size = 4, desired_size = 2 }
  }
  karpenter              = { cores = 64, gpus = 1 }
  domain                 = "models.example.com"
  zone_id                = "Z0123456789ABCDEFGHIJ"
  client_cidrs           = ["203.0.113.0/24"]
  requests_per_5_minutes = 10000
  database               = { class = "db.t4g.small", storage_gib = 20 }
  cache_type             = "cache.t4g.micro"
  git_url                = "https://git.example.com/modelserve/modelserve"
  emails                 = ["oncall@example.com"]
  monthly_budget_usd     = 900
}

# Made by the mocked provider: what AWS names is known afterwards only.
run "everything_has_the_environments_name" {
  assert {
    condition     = output.cluster_name == "modelserve-test" && output.chart_repository == "oci://123456789012.dkr.ecr.eu-central-1.amazonaws.com/modelserve-test/charts"
    error_message = "The cluster or the repository of charts is called otherwise."
  }
  assert {
    condition     = module.data.database_identifier == "modelserve-test" && module.data.cache_node_ids[0] == "modelserve-test-001" && module.observability.log_group_names == { cluster = "/modelserve-test/cluster" }
    error_message = "The database, the cache or the group of logs is called otherwise."
  }
  assert {
    condition     = toset(keys(output.repository_urls)) == var.images && toset(keys(module.storage.repository_urls)) == setunion(var.images, [for chart in keys(output.charts) : "charts/${chart}"])
    error_message = "An image or a chart has no repository, or something else has one."
  }
  assert {
    condition     = toset(keys(output.bucket_names)) == toset(["models", "data", "logs"]) && output.cache.secret_arn == module.secrets.secret_arns["cache"] && output.database.secret_arn == module.data.database_secret_arn
    error_message = "The outputs tell of other buckets or secrets."
  }
}

run "the_platform_is_this_environments" {
  assert {
    condition = [for object in [for text in split("---\n", output.platform) : yamldecode(text)] : object.spec.tags if object.kind == "EC2NodeClass"] == [
      { environment = "test", Name = "modelserve-test-karpenter" },
    ]
    error_message = "Karpenter's machines have not the tag that costs are told apart by."
  }
  assert {
    condition = { for object in [for text in split("---\n", output.platform) : yamldecode(text)] : object.metadata.name => "${object.spec.source.repoURL} ${object.spec.source.path}" if try(object.spec.source.path, null) != null } == {
      platform   = "https://git.example.com/modelserve/modelserve clusters/test"
      modelserve = "https://git.example.com/modelserve/modelserve inferenceservices/overlays/test"
    }
    error_message = "The cluster follows another environment's folders."
  }
  assert {
    condition     = [for object in [for text in split("---\n", output.platform) : yamldecode(text)] : object.spec.targetGroupARN if object.kind == "TargetGroupBinding"] == [module.edge.target_group_arn]
    error_message = "The gateway's pods are registered in another group than the load balancer's."
  }
}

run "a_models_role_reads_its_own_folder_only" {
  assert {
    condition = { for model in var.models : model => flatten([
      for statement in local.workloads[model].statements : [for action in statement.actions : [for resource in statement.resources : "${action} ${resource}"]]
      ]) } == { for model in var.models : model => [
      "s3:GetObject ${module.storage.bucket_arns["models"]}/${model}/*",
      "s3:ListBucket ${module.storage.bucket_arns["models"]}",
      "kms:Decrypt ${module.secrets.key_arns["data"]}",
    ] }
    error_message = "A model's pods may do more than read the objects of their own folder."
  }
  assert {
    condition = alltrue([for model in var.models :
      jsonencode(local.workloads[model].statements[1].conditions) == jsonencode({ StringLike = { "s3:prefix" = ["${model}/*"] } }) &&
      jsonencode(local.workloads[model].statements[2].conditions) == jsonencode({ StringEquals = { "kms:ViaService" = ["s3.eu-central-1.amazonaws.com"] } })
    ])
    error_message = "A model's pods list other folders, or use the key for something else than S3."
  }
  assert {
    condition     = alltrue([for model in var.models : local.workloads[model].namespace == "modelserve" && local.workloads[model].service_account == model])
    error_message = "Another service account has a model's role."
  }
  assert {
    condition     = toset(keys(module.identity.workload_role_arns)) == setunion(var.models, ["external-secrets", "load-balancer-controller"]) && length(output.github_role_arns) == 0 && output.prometheus_endpoint == null
    error_message = "Somebody has a role who was not to get one."
  }
}

run "the_password_of_charts_pulls_charts_only" {
  assert {
    condition = [for statement in local.workloads["external-secrets"].statements : [statement.actions, statement.resources] if anytrue([for action in statement.actions : startswith(action, "ecr:")])] == [
      [["ecr:GetAuthorizationToken"], ["*"]],
      [["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"], ["arn:aws:ecr:eu-central-1:123456789012:repository/modelserve-test/charts/*"]],
    ]
    error_message = "Argo CD can pull more than charts, push, or not pull at all."
  }
}

run "a_zones_loss_is_outlived" {
  assert {
    condition     = keys(module.network.nat_gateway_ids) == ["eu-central-1a", "eu-central-1b", "eu-central-1c"] && length(module.data.cache_node_ids) == 2
    error_message = "A zone has no way out of its own, or the cache no copy."
  }
}

run "one_zone_is_cheaper" {
  variables {
    is_multi_zone = false
  }

  assert {
    condition     = keys(module.network.nat_gateway_ids) == ["eu-central-1a"] && length(module.data.cache_node_ids) == 1
    error_message = "What a second zone costs is paid without one being wanted."
  }
}

run "who_writes_measures_and_pushes_gets_a_role" {
  variables {
    managed_prometheus = true
    github             = { push_subjects = ["repo:modelserve/modelserve:ref:refs/heads/main"] }
  }

  assert {
    condition     = jsonencode(local.workloads["prometheus"].statements) == jsonencode([{ actions = ["aps:RemoteWrite"], resources = [module.observability.prometheus_arn] }])
    error_message = "Prometheus may do something else than write to this environment's."
  }
  assert {
    condition     = keys(output.github_role_arns) == ["push"]
    error_message = "GitHub's jobs have other roles than were asked for."
  }
}

run "refuses_what_is_not_its_kind" {
  command = plan

  variables {
    environment        = "Test_1"
    models             = ["Bert"]
    domain             = "*.models.example.com"
    log_retention_days = 7
  }

  expect_failures = [var.environment, var.models, var.domain, var.log_retention_days]
}

run "a_model_is_called_as_no_part_of_the_platform" {
  command = plan

  variables {
    models = ["bert-ner", "external-secrets"]
  }

  expect_failures = [var.models]
}
