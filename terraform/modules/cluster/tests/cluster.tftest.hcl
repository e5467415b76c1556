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

run "the_api_server_is_private_and_its_log_kept" {
  assert {
    condition     = aws_eks_cluster.this.vpc_config[0].endpoint_private_access && !aws_eks_cluster.this.vpc_config[0].endpoint_public_access
    error_message = "The API server is public by default."
  }
  assert {
    condition     = aws_eks_cluster.this.enabled_cluster_log_types == toset(["api", "audit", "authenticator", "controllerManager", "scheduler"])
    error_message = "Some logs of the control plane are not written."
  }
  assert {
    condition = (
      aws_cloudwatch_log_group.cluster.name == "/aws/eks/modelserve-test/cluster" &&
      aws_cloudwatch_log_group.cluster.kms_key_id == var.log_kms_key_arn &&
      aws_cloudwatch_log_group.cluster.retention_in_days == 365
    )
    error_message = "EKS's log group is not the encrypted one."
  }
  assert {
    condition     = aws_eks_cluster.this.encryption_config[0].provider[0].key_arn == var.secrets_kms_key_arn && aws_eks_cluster.this.encryption_config[0].resources == toset(["secrets"])
    error_message = "Secrets are not encrypted with the key."
  }
}

run "an_old_version_is_upgraded_and_not_paid_for" {
  assert {
    condition     = aws_eks_cluster.this.upgrade_policy[0].support_type == "STANDARD"
    error_message = "A cluster of an old version comes to cost six times as much."
  }
}

run "named_ranges_reach_the_api_server" {
  variables {
    public_access_cidrs = ["203.0.113.0/24"]
  }
  assert {
    condition     = aws_eks_cluster.this.vpc_config[0].endpoint_public_access && aws_eks_cluster.this.vpc_config[0].public_access_cidrs == toset(["203.0.113.0/24"])
    error_message = "The API server is not open to the named range alone."
  }
}

run "access_is_by_entries_only" {
  assert {
    condition     = aws_eks_cluster.this.access_config[0].authentication_mode == "API" && !aws_eks_cluster.this.access_config[0].bootstrap_cluster_creator_admin_permissions
    error_message = "Others than those with an entry get in."
  }
  assert {
    condition = jsonencode({ for key, association in aws_eks_access_policy_association.this : key => [
      association.policy_arn, association.access_scope[0].type, coalesce(association.access_scope[0].namespaces, [])
      ] }) == jsonencode({
      admins = ["arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy", "cluster", []]
      devs   = ["arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy", "namespace", ["modelserve"]]
    })
    error_message = "The entries' policies or their scopes are others."
  }
  assert {
    condition     = aws_eks_access_entry.this["models"].kubernetes_groups == toset(["modelserve-editors"]) && aws_eks_access_entry.karpenter_node.type == "EC2_LINUX"
    error_message = "Groups of an entry got lost, or Karpenter's nodes cannot join."
  }
}

run "nodes_have_short_metadata_and_encrypted_disks" {
  assert {
    condition = alltrue([for template in aws_launch_template.node :
      template.metadata_options[0].http_tokens == "required" && template.metadata_options[0].http_put_response_hop_limit == 1
    ])
    error_message = "Pods reach the metadata of a node."
  }
  assert {
    condition = alltrue([for template in aws_launch_template.node :
      tobool(template.block_device_mappings[0].ebs[0].encrypted) && template.block_device_mappings[0].ebs[0].volume_type == "gp3"
    ])
    error_message = "A node's disk is not encrypted gp3."
  }
  assert {
    condition = alltrue(flatten([for key, template in aws_launch_template.node : [for specification in template.tag_specifications :
      specification.tags == tomap({ Name = "modelserve-test-${key}", team = "serving", project = "modelserve" })
    ]]))
    error_message = "Machines, disks or interfaces have not the name, the tags and the provider's tags."
  }
  assert {
    condition     = alltrue([for template in aws_launch_template.node : template.key_name == null || template.key_name == ""])
    error_message = "A node takes SSH keys."
  }
}

run "node_groups_are_for_their_pods" {
  assert {
    condition = { for key, group in aws_eks_node_group.this : key => [group.ami_type, group.capacity_type] } == {
      general = ["AL2023_x86_64_STANDARD", "ON_DEMAND"]
      memory  = ["AL2023_x86_64_STANDARD", "SPOT"]
      gpu     = ["AL2023_x86_64_NVIDIA", "ON_DEMAND"]
      gpu-mig = ["AL2023_x86_64_NVIDIA", "ON_DEMAND"]
      numa    = ["AL2023_x86_64_STANDARD", "ON_DEMAND"]
    }
    error_message = "A group has another image or capacity."
  }
  assert {
    condition = { for key, group in aws_eks_node_group.this : key => group.labels } == {
      general = tomap({ "karpenter.sh/capacity-type" = "on-demand" })
      memory  = tomap({ "karpenter.sh/capacity-type" = "spot", pool = "memory" })
      gpu     = tomap({ "karpenter.sh/capacity-type" = "on-demand", "nvidia.com/device-plugin.config" = "time-sliced" })
      gpu-mig = tomap({ "karpenter.sh/capacity-type" = "on-demand", "nvidia.com/mig.config" = "all-1g.10gb" })
      numa    = tomap({ "karpenter.sh/capacity-type" = "on-demand", "cpu-manager" = "static" })
    }
    error_message = "A group has other labels."
  }
  assert {
    condition = jsonencode({ for key, group in aws_eks_node_group.this : key => [for taint in group.taint : "${taint.key}=${taint.value}:${taint.effect}"] }) == jsonencode({
      general = []
      memory  = ["spot=true:NO_SCHEDULE"]
      gpu     = ["nvidia.com/gpu=true:NO_SCHEDULE"]
      gpu-mig = ["nvidia.com/gpu=true:NO_SCHEDULE"]
      numa    = []
    })
    error_message = "A group has other taints."
  }
  assert {
    condition     = aws_eks_node_group.this["gpu-mig"].subnet_ids == toset(["subnet-b"]) && aws_eks_node_group.this["general"].subnet_ids == toset(var.subnet_ids)
    error_message = "A group is in other subnets."
  }
}

run "static_cpus_are_set_by_nodeadm" {
  assert {
    condition     = [for key, template in aws_launch_template.node : key if try(length(template.user_data) > 0, false)] == ["numa"]
    error_message = "Only groups with static_cpus have user data."
  }
  assert {
    condition = yamldecode(split("--BOUNDARY", split("application/node.eks.aws", base64decode(aws_launch_template.node["numa"].user_data))[1])[0]).spec.kubelet.config == {
      cpuManagerPolicy      = "static"
      memoryManagerPolicy   = "Static"
      topologyManagerPolicy = "single-numa-node"
      kubeReserved          = { cpu = "1", memory = "1948Mi", "ephemeral-storage" = "1Gi" }
      evictionHard          = { "memory.available" = "100Mi", "nodefs.available" = "10%", "nodefs.inodesFree" = "5%" }
      reservedMemory        = [{ numaNode = 0, limits = { memory = "2Gi" } }]
    }
    error_message = "The kubelet's configuration is another, or does not read as YAML."
  }
  assert {
    condition     = startswith(base64decode(aws_launch_template.node["numa"].user_data), "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"BOUNDARY\"\n\n--BOUNDARY\n")
    error_message = "The user data is no MIME message."
  }
}

run "efa_has_its_interfaces_group_and_place" {
  assert {
    condition = [for interface in aws_launch_template.node["gpu-mig"].network_interfaces : [interface.network_card_index, interface.device_index, interface.interface_type]] == [
      [0, 0, "efa"], [1, 1, "efa"], [2, 1, "efa"], [3, 1, "efa"],
    ]
    error_message = "The interfaces are on other cards."
  }
  assert {
    condition = alltrue([for interface in aws_launch_template.node["gpu-mig"].network_interfaces : interface.security_groups == toset([
      aws_eks_cluster.this.vpc_config[0].cluster_security_group_id, aws_security_group.efa["gpu-mig"].id,
    ])])
    error_message = "EFA's interfaces are not in the cluster's security group and their own."
  }
  assert {
    condition = (
      keys(aws_security_group.efa) == ["gpu-mig"] &&
      aws_vpc_security_group_ingress_rule.efa["gpu-mig"].referenced_security_group_id == aws_security_group.efa["gpu-mig"].id &&
      aws_vpc_security_group_egress_rule.efa["gpu-mig"].referenced_security_group_id == aws_security_group.efa["gpu-mig"].id
    )
    error_message = "EFA is open to others than the group's nodes."
  }
  assert {
    condition     = aws_placement_group.efa["gpu-mig"].strategy == "cluster" && aws_launch_template.node["gpu-mig"].placement[0].group_name == "modelserve-test-gpu-mig"
    error_message = "The machines do not stand side by side."
  }
}

run "schedules_scale_the_groups" {
  assert {
    condition = { for key, schedule in aws_autoscaling_schedule.this : key => [schedule.autoscaling_group_name, schedule.recurrence, schedule.time_zone, schedule.max_size] } == {
      "gpu/evening" = ["eks-mock", "0 20 * * *", "Europe/Berlin", 0]
    }
    error_message = "The schedule is another."
  }
}

run "addons_have_roles_of_their_own" {
  assert {
    condition     = setunion(keys(aws_eks_addon.before_nodes), keys(aws_eks_addon.after_nodes), keys(aws_eks_addon.s3_driver)) == toset(["vpc-cni", "kube-proxy", "eks-pod-identity-agent", "coredns", "aws-ebs-csi-driver", "aws-mountpoint-s3-csi-driver"])
    error_message = "An add-on is missing."
  }
  assert {
    condition     = jsondecode(aws_eks_addon.before_nodes["vpc-cni"].configuration_values).enableNetworkPolicy == "true"
    error_message = "Network policies are not enforced."
  }
  assert {
    condition = (
      [for association in aws_eks_addon.before_nodes["vpc-cni"].pod_identity_association : association.service_account] == ["aws-node"] &&
      [for association in aws_eks_addon.after_nodes["aws-ebs-csi-driver"].pod_identity_association : association.service_account] == ["ebs-csi-controller-sa"] &&
      length(aws_eks_addon.after_nodes["coredns"].pod_identity_association) == 0
    )
    error_message = "The roles of the add-ons are not given to their service accounts."
  }
  assert {
    condition = alltrue([for key, role in aws_iam_role.addon :
      jsondecode(role.assume_role_policy).Statement[0].Condition.StringEquals["aws:RequestTag/eks-cluster-arn"] == "arn:aws:eks:eu-central-1:123456789012:cluster/modelserve-test" &&
      jsondecode(role.assume_role_policy).Statement[0].Condition.StringEquals["aws:RequestTag/kubernetes-namespace"] == "kube-system"
    ])
    error_message = "An add-on's role trusts other pods."
  }
  assert {
    condition = jsondecode(aws_iam_role_policy.s3_driver["aws-mountpoint-s3-csi-driver"].policy).Statement == [
      { Sid = "List", Effect = "Allow", Action = ["s3:ListBucket"], Resource = ["arn:aws:s3:::models"] },
      { Sid = "Read", Effect = "Allow", Action = ["s3:GetObject"], Resource = ["arn:aws:s3:::models/*"] },
      { Sid = "Decrypt", Effect = "Allow", Action = ["kms:Decrypt"], Resource = ["arn:aws:kms:eu-central-1:123456789012:key/models"], Condition = { StringEquals = { "kms:ViaService" = "s3.eu-central-1.amazonaws.com" } } },
    ]
    error_message = "The S3 driver does more than read the models."
  }
  assert {
    condition = jsondecode(aws_iam_role.s3_driver["aws-mountpoint-s3-csi-driver"].assume_role_policy).Statement[0].Condition == {
      StringEquals = {
        "oidc.eks.eu-central-1.amazonaws.com/id/ABC:aud" = "sts.amazonaws.com"
        "oidc.eks.eu-central-1.amazonaws.com/id/ABC:sub" = "system:serviceaccount:kube-system:s3-csi-driver-sa"
      }
    }
    error_message = "The S3 driver's role trusts other pods."
  }
}

run "no_s3_driver_without_buckets" {
  variables {
    model_bucket_arns = []
  }
  assert {
    condition     = length(aws_eks_addon.s3_driver) + length(aws_iam_role.s3_driver) == 0
    error_message = "The S3 driver is there without a bucket."
  }
}

run "nodes_join_and_pull_and_nothing_else" {
  assert {
    condition = alltrue([for attachments in [aws_iam_role_policy_attachment.node, aws_iam_role_policy_attachment.karpenter_node] :
      toset([for attachment in attachments : attachment.policy_arn]) == toset([
        "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy", "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly",
      ])
    ])
    error_message = "Nodes may do something else."
  }
}

run "karpenter_touches_its_own_machines" {
  assert {
    condition = alltrue([for statement in jsondecode(aws_iam_role_policy.karpenter.policy).Statement :
      flatten([statement.Resource]) != ["*"] || alltrue([for action in statement.Action : can(regex("^(ec2:Describe|pricing:GetProducts$|iam:ListInstanceProfiles$)", action))])
    ])
    error_message = "Karpenter may write to anything."
  }
  assert {
    condition = alltrue([for statement in jsondecode(aws_iam_role_policy.karpenter.policy).Statement :
      length(setintersection(statement.Action, ["ec2:TerminateInstances", "ec2:DeleteLaunchTemplate", "ec2:CreateTags", "ec2:CreateLaunchTemplate"])) == 0 || anytrue([
        for side in ["RequestTag", "ResourceTag"] : try(statement.Condition.StringEquals["aws:${side}/kubernetes.io/cluster/modelserve-test"], "") == "owned"
      ])
    ])
    error_message = "Karpenter may change machines of others."
  }
  assert {
    condition = anytrue([for statement in jsondecode(aws_iam_role_policy.karpenter.policy).Statement :
      statement.Sid == "LaunchInTheClustersNetwork" && try(statement.Condition.StringEquals["aws:ResourceTag/karpenter.sh/discovery"], "") == "modelserve-test"
    ]) && aws_ec2_tag.cluster_security_group.key == "karpenter.sh/discovery" && aws_ec2_tag.cluster_security_group.value == "modelserve-test"
    error_message = "Karpenter starts machines in other networks, or cannot find the security group."
  }
  assert {
    condition = alltrue([for statement in jsondecode(aws_iam_role_policy.karpenter.policy).Statement :
      alltrue([for action in statement.Action : !startswith(action, "iam:") || contains(["iam:PassRole", "iam:GetInstanceProfile", "iam:ListInstanceProfiles"], action)]) &&
      (!contains(statement.Action, "iam:PassRole") || try(statement.Resource == ["arn:aws:iam::123456789012:role/modelserve-test-karpenter-node"], false))
    ])
    error_message = "Karpenter makes instance profiles or passes other roles."
  }
  assert {
    condition     = aws_iam_role.karpenter_node.name == "modelserve-test-karpenter-node" && aws_iam_instance_profile.karpenter_node.name == "modelserve-test-karpenter-node" && aws_sqs_queue.karpenter.name == "modelserve-test-karpenter"
    error_message = "The policy names a role, a profile or a queue that is not there."
  }
}

run "only_the_rules_write_to_the_encrypted_queue" {
  assert {
    condition     = aws_sqs_queue.karpenter.sqs_managed_sse_enabled && aws_sqs_queue.karpenter.message_retention_seconds == 300
    error_message = "The queue is not encrypted."
  }
  assert {
    condition = [for statement in jsondecode(aws_sqs_queue_policy.karpenter.policy).Statement : statement.Condition.ArnEquals["aws:SourceArn"] if statement.Effect == "Allow"] == [
      [for key in ["health", "interruption", "rebalance", "state"] : "arn:aws:events:eu-central-1:123456789012:rule/modelserve-test-karpenter-${key}"],
    ]
    error_message = "Others than the rules write to the queue."
  }
  assert {
    condition     = toset([for rule in aws_cloudwatch_event_rule.karpenter : rule.name]) == toset([for key in ["health", "interruption", "rebalance", "state"] : "modelserve-test-karpenter-${key}"])
    error_message = "The rules have other names than the queue's policy knows."
  }
}

run "roles_are_named_and_tagged" {
  assert {
    condition = alltrue([for role in concat([aws_iam_role.cluster, aws_iam_role.node, aws_iam_role.karpenter, aws_iam_role.karpenter_node], values(aws_iam_role.addon), values(aws_iam_role.s3_driver)) :
      startswith(role.name, "modelserve-test-") && role.tags["team"] == "serving"
    ])
    error_message = "A role has not its name or not the tags."
  }
}

run "example" {
  module {
    source = "./examples/dev"
  }
  assert {
    condition     = output.cluster_name == "modelserve-dev" && output.karpenter_queue_name == "modelserve-dev-karpenter"
    error_message = "The example makes another cluster."
  }
}
