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
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:mock" }
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
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mock" }
  }
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-central-1:123456789012:key/mock" }
  }
  mock_resource "aws_launch_template" {
    defaults = { id = "lt-0123456789abcdef0", latest_version = 1 }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:eu-central-1:123456789012:mock", url = "https://sqs.eu-central-1.amazonaws.com/123456789012/mock" }
  }
}

variables {
  name                     = "modelserve-test"
  kubernetes_version       = "1.35"
  subnet_ids               = ["subnet-a", "subnet-b", "subnet-c"]
  control_plane_subnet_ids = ["subnet-x", "subnet-y", "subnet-z"]
  secrets_kms_key_arn      = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  log_kms_key_arn          = "arn:aws:kms:eu-central-1:123456789012:key/66666666-7777-8888-9999-000000000000"
  tags                     = { team = "serving" }
  model_bucket_arns        = ["arn:aws:s3:::models"]
  model_kms_key_arns       = ["arn:aws:kms:eu-central-1:123456789012:key/models"]

  access_entries = {
    admins = { principal_arn = "arn:aws:iam::123456789012:role/admins", policy = "cluster_admin" }
    devs   = { principal_arn = "arn:aws:iam::123456789012:role/devs", policy = "view", namespaces = ["modelserve"] }
    models = { principal_arn = "arn:aws:iam::123456789012:role/models", groups = ["modelserve-editors"] }
  }

  node_groups = {
    general = { instance_types = ["m7i.xlarge"], min_size = 2, max_size = 6, desired_size = 2 }
    memory = {
      instance_types = ["r7i.2xlarge", "r7a.2xlarge"]
      capacity       = "spot"
      min_size       = 0
      max_size       = 4
      desired_size   = 0
      labels         = { pool = "memory" }
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
      }
    }
    gpu-mig = {
      instance_types = ["p5.48xlarge"]
      min_size       = 0
      max_size       = 1
      desired_size   = 0
      subnet_ids     = ["subnet-b"]
      gpu            = "all-1g.10gb"
      efa_interfaces = 4
    }
    numa = { instance_types = ["c7i.metal-24xl"], min_size = 0, max_size = 1, desired_size = 0, static_cpus = true }
  }
}

run "refuses_the_whole_internet" {
  command = plan
  variables {
    public_access_cidrs = ["0.0.0.0/0"]
  }
  expect_failures = [var.public_access_cidrs]
}

run "refuses_half_of_the_internet" {
  command = plan
  variables {
    public_access_cidrs = ["128.0.0.0/1"]
  }
  expect_failures = [var.public_access_cidrs]
}

run "refuses_an_old_version" {
  command = plan
  variables {
    kubernetes_version = "1.27"
  }
  expect_failures = [var.kubernetes_version]
}

run "refuses_a_patch_version" {
  command = plan
  variables {
    kubernetes_version = "1.35.1"
  }
  expect_failures = [var.kubernetes_version]
}

run "refuses_one_subnet" {
  command = plan
  variables {
    subnet_ids = ["subnet-a"]
  }
  expect_failures = [var.subnet_ids]
}

run "refuses_one_subnet_for_the_control_plane" {
  command = plan
  variables {
    control_plane_subnet_ids = ["subnet-a"]
  }
  expect_failures = [var.control_plane_subnet_ids]
}

run "refuses_an_alias_for_the_secrets_key" {
  command = plan
  variables {
    secrets_kms_key_arn = "alias/secrets"
  }
  expect_failures = [var.secrets_kms_key_arn]
}

run "refuses_an_alias_for_the_logs_key" {
  command = plan
  variables {
    log_kms_key_arn = "alias/logs"
  }
  expect_failures = [var.log_kms_key_arn]
}

run "refuses_a_retention_that_cloudwatch_lacks" {
  command = plan
  variables {
    log_retention_days = 42
  }
  expect_failures = [var.log_retention_days]
}

run "refuses_a_user_with_access" {
  command = plan
  variables {
    access_entries = { x = { principal_arn = "arn:aws:iam::123456789012:user/x", policy = "view" } }
  }
  expect_failures = [var.access_entries]
}

run "refuses_any_role_with_access" {
  command = plan
  variables {
    access_entries = { x = { principal_arn = "arn:aws:iam::123456789012:role/*", policy = "view" } }
  }
  expect_failures = [var.access_entries]
}

run "refuses_an_unknown_policy" {
  command = plan
  variables {
    access_entries = { x = { principal_arn = "arn:aws:iam::123456789012:role/x", policy = "root" } }
  }
  expect_failures = [var.access_entries]
}

run "refuses_an_entry_without_rights" {
  command = plan
  variables {
    access_entries = { x = { principal_arn = "arn:aws:iam::123456789012:role/x" } }
  }
  expect_failures = [var.access_entries]
}

run "refuses_an_administrator_of_a_namespace" {
  command = plan
  variables {
    access_entries = { x = { principal_arn = "arn:aws:iam::123456789012:role/x", policy = "cluster_admin", namespaces = ["modelserve"] } }
  }
  expect_failures = [var.access_entries]
}

run "refuses_masters_by_group" {
  command = plan
  variables {
    access_entries = { x = { principal_arn = "arn:aws:iam::123456789012:role/x", groups = ["system:masters"] } }
  }
  expect_failures = [var.access_entries]
}

run "refuses_a_name_of_a_group_with_capitals" {
  command = plan
  variables {
    node_groups = {
      general = { instance_types = ["m7i.xlarge"], min_size = 1, max_size = 2, desired_size = 1 }
      Other   = { instance_types = ["m7i.xlarge"], min_size = 0, max_size = 2, desired_size = 0 }
    }
  }
  expect_failures = [var.node_groups]
}

run "refuses_no_place_for_the_clusters_own_pods" {
  command = plan
  variables {
    node_groups = { gpu = { instance_types = ["g6.2xlarge"], min_size = 1, max_size = 2, desired_size = 1, gpu = "whole" } }
  }
  expect_failures = [var.node_groups]
}

run "refuses_sizes_out_of_order" {
  command = plan
  variables {
    node_groups = {
      general = { instance_types = ["m7i.xlarge"], min_size = 1, max_size = 2, desired_size = 1 }
      other   = { instance_types = ["m7i.xlarge"], min_size = 3, max_size = 2, desired_size = 3 }
    }
  }
  expect_failures = [var.node_groups]
}

run "refuses_a_group_that_can_have_no_node" {
  command = plan
  variables {
    node_groups = {
      general = { instance_types = ["m7i.xlarge"], min_size = 1, max_size = 2, desired_size = 1 }
      other   = { instance_types = ["m7i.xlarge"], min_size = 0, max_size = 0, desired_size = 0 }
    }
  }
  expect_failures = [var.node_groups]
}

run "refuses_sizes_of_a_schedule_out_of_order" {
  command = plan
  variables {
    node_groups = {
      general = { instance_types = ["m7i.xlarge"], min_size = 1, max_size = 2, desired_size = 1 }
      other   = { instance_types = ["m7i.xlarge"], min_size = 0, max_size = 2, desired_size = 0, schedules = { x = { recurrence = "0 7 * * *", min_size = 2, max_size = 1, desired_size = 1 } } }
    }
  }
  expect_failures = [var.node_groups]
}

run "refuses_a_schedule_that_is_no_cron" {
  command = plan
  variables {
    node_groups = {
      general = { instance_types = ["m7i.xlarge"], min_size = 1, max_size = 2, desired_size = 1 }
      other   = { instance_types = ["m7i.xlarge"], min_size = 0, max_size = 2, desired_size = 0, schedules = { x = { recurrence = "daily", min_size = 0, max_size = 1, desired_size = 1 } } }
    }
  }
  expect_failures = [var.node_groups]
}

run "refuses_an_unknown_capacity" {
  command = plan
  variables {
    node_groups = {
      general = { instance_types = ["m7i.xlarge"], min_size = 1, max_size = 2, desired_size = 1 }
      other   = { instance_types = ["m7i.xlarge"], min_size = 0, max_size = 2, desired_size = 0, capacity = "reserved" }
    }
  }
  expect_failures = [var.node_groups]
}

run "refuses_one_type_for_spot" {
  command = plan
  variables {
    node_groups = {
      general = { instance_types = ["m7i.xlarge"], min_size = 1, max_size = 2, desired_size = 1 }
      other   = { instance_types = ["m7i.xlarge"], min_size = 0, max_size = 2, desired_size = 0, capacity = "spot" }
    }
  }
  expect_failures = [var.node_groups]
}

run "refuses_arm_machines" {
  command = plan
  variables {
    node_groups = {
      general = { instance_types = ["m7i.xlarge"], min_size = 1, max_size = 2, desired_size = 1 }
      other   = { instance_types = ["m7g.xlarge"], min_size = 0, max_size = 2, desired_size = 0 }
    }
  }
  expect_failures = [var.node_groups]
}

run "refuses_a_type_without_size" {
  command = plan
  variables {
    node_groups = {
      general = { instance_types = ["m7i.xlarge"], min_size = 1, max_size = 2, desired_size = 1 }
      other   = { instance_types = ["m7i"], min_size = 0, max_size = 2, desired_size = 0 }
    }
  }
  expect_failures = [var.node_groups]
}

run "refuses_a_disk_too_small" {
  command = plan
  variables {
    node_groups = {
      general = { instance_types = ["m7i.xlarge"], min_size = 1, max_size = 2, desired_size = 1 }
      other   = { instance_types = ["m7i.xlarge"], min_size = 0, max_size = 2, desired_size = 0, disk_gib = 8 }
    }
  }
  expect_failures = [var.node_groups]
}

run "refuses_an_unknown_effect" {
  command = plan
  variables {
    node_groups = {
      general = { instance_types = ["m7i.xlarge"], min_size = 1, max_size = 2, desired_size = 1 }
      other   = { instance_types = ["m7i.xlarge"], min_size = 0, max_size = 2, desired_size = 0, taints = { x = { effect = "NoSchedule" } } }
    }
  }
  expect_failures = [var.node_groups]
}

run "refuses_an_unknown_way_to_share_a_gpu" {
  command = plan
  variables {
    node_groups = {
      general = { instance_types = ["m7i.xlarge"], min_size = 1, max_size = 2, desired_size = 1 }
      other   = { instance_types = ["g6.2xlarge"], min_size = 0, max_size = 2, desired_size = 0, gpu = "mps" }
    }
  }
  expect_failures = [var.node_groups]
}

run "refuses_efa_over_zones" {
  command = plan
  variables {
    node_groups = {
      general = { instance_types = ["m7i.xlarge"], min_size = 1, max_size = 2, desired_size = 1 }
      other   = { instance_types = ["p5.48xlarge"], min_size = 0, max_size = 2, desired_size = 0, efa_interfaces = 1 }
    }
  }
  expect_failures = [var.node_groups]
}

run "refuses_all_buckets" {
  command = plan
  variables {
    model_bucket_arns = ["arn:aws:s3:::*"]
  }
  expect_failures = [var.model_bucket_arns]
}

run "refuses_an_alias_for_a_models_key" {
  command = plan
  variables {
    model_kms_key_arns = ["alias/models"]
  }
  expect_failures = [var.model_kms_key_arns]
}

run "refuses_a_name_with_capitals" {
  command = plan
  variables {
    name = "Modelserve"
  }
  expect_failures = [var.name]
}
