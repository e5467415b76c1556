locals {
  # What Kubernetes and the NVIDIA operator, device plugin and MIG manager look for on a node.
  node_labels = { for key, group in var.node_groups : key => merge(
    # As on Karpenter's machines, so that pods ask for spot in one way.
    { "karpenter.sh/capacity-type" = group.capacity },
    group.static_cpus ? { "cpu-manager" = "static" } : {},
    group.gpu == "time-sliced" ? { "nvidia.com/device-plugin.config" = "time-sliced" } : {},
    try(startswith(group.gpu, "all-"), false) ? { "nvidia.com/mig.config" = group.gpu } : {},
    group.labels,
  ) }

  # Only pods that ask for a GPU stand on a machine that is paid for one.
  node_taints = { for key, group in var.node_groups : key => merge(
    group.gpu == null ? {} : { "nvidia.com/gpu" = { value = "true", effect = "NO_SCHEDULE" } },
    group.taints,
  ) }

  # Cores, memory and GPU of one socket for each pod that is Guaranteed. The kubelet starts only if what it
  # reserves by socket is the sum of the reservations: 1948Mi and the 100Mi of eviction are 2Gi.
  static_cpus_config = {
    apiVersion = "node.eks.aws/v1alpha1"
    kind       = "NodeConfig"
    spec = {
      kubelet = {
        config = {
          cpuManagerPolicy      = "static"
          memoryManagerPolicy   = "Static"
          topologyManagerPolicy = "single-numa-node"
          kubeReserved          = { cpu = "1", memory = "1948Mi", "ephemeral-storage" = "1Gi" }
          evictionHard          = { "memory.available" = "100Mi", "nodefs.available" = "10%", "nodefs.inodesFree" = "5%" }
          reservedMemory        = [{ numaNode = 0, limits = { memory = "2Gi" } }]
        }
      }
    }
  }

  # EKS adds the cluster's name and endpoint to it as a further part.
  static_cpus_user_data = <<-MIME
    MIME-Version: 1.0
    Content-Type: multipart/mixed; boundary="BOUNDARY"

    --BOUNDARY
    Content-Type: application/node.eks.aws

    ${yamlencode(local.static_cpus_config)}
    --BOUNDARY--
  MIME

  node_tags = merge(data.aws_default_tags.this.tags, var.tags)
}

resource "aws_iam_role" "node" {
  name        = "${var.name}-node"
  description = "Nodes of ${var.name}"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Principal = { Service = "ec2.amazonaws.com" }
        Action    = "sts:AssumeRole"
      },
    ]
  })

  tags = var.tags
}

# To join and to pull images. Addresses of pods are the add-on's, and nobody logs in to a node.
resource "aws_iam_role_policy_attachment" "node" {
  for_each = toset(["AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly"])

  role       = aws_iam_role.node.name
  policy_arn = "${local.aws_policy}/${each.value}"
}

resource "aws_launch_template" "node" {
  for_each = var.node_groups

  name_prefix            = "${var.name}-${each.key}-"
  description            = "Nodes ${each.key} of ${var.name}"
  update_default_version = true
  user_data              = each.value.static_cpus ? base64encode(local.static_cpus_user_data) : null

  # One hop: pods, which are a second one, do not reach the node's credentials.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      volume_type           = "gp3"
      volume_size           = each.value.disk_gib
      encrypted             = true
      delete_on_termination = true
    }
  }

  dynamic "network_interfaces" {
    for_each = range(each.value.efa_interfaces)

    content {
      device_index          = network_interfaces.value == 0 ? 0 : 1
      network_card_index    = network_interfaces.value
      interface_type        = "efa"
      delete_on_termination = true
      security_groups       = [aws_eks_cluster.this.vpc_config[0].cluster_security_group_id, aws_security_group.efa[each.key].id]
    }
  }

  dynamic "placement" {
    for_each = each.value.efa_interfaces > 0 ? [aws_placement_group.efa[each.key].name] : []

    content {
      group_name = placement.value
    }
  }

  dynamic "tag_specifications" {
    for_each = ["instance", "network-interface", "volume"]

    content {
      resource_type = tag_specifications.value
      tags          = merge(local.node_tags, { Name = "${var.name}-${each.key}" })
    }
  }

  tags = var.tags

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_eks_node_group" "this" {
  for_each = var.node_groups

  cluster_name = aws_eks_cluster.this.name
  # A prefix, so that a group whose machines change is there before the old one goes.
  node_group_name_prefix = "${each.key}-"
  node_role_arn          = aws_iam_role.node.arn
  subnet_ids             = coalesce(each.value.subnet_ids, var.subnet_ids)
  version                = var.kubernetes_version
  ami_type               = each.value.gpu == null ? "AL2023_x86_64_STANDARD" : "AL2023_x86_64_NVIDIA"
  capacity_type          = each.value.capacity == "spot" ? "SPOT" : "ON_DEMAND"
  instance_types         = each.value.instance_types
  labels                 = local.node_labels[each.key]

  launch_template {
    id      = aws_launch_template.node[each.key].id
    version = aws_launch_template.node[each.key].latest_version
  }

  scaling_config {
    min_size     = each.value.min_size
    max_size     = each.value.max_size
    desired_size = each.value.desired_size
  }

  update_config {
    max_unavailable_percentage = 33
  }

  dynamic "taint" {
    for_each = local.node_taints[each.key]

    content {
      key    = taint.key
      value  = taint.value.value
      effect = taint.value.effect
    }
  }

  tags = var.tags

  lifecycle {
    create_before_destroy = true
    # Schedules and autoscalers move it.
    ignore_changes = [scaling_config[0].desired_size]
  }

  depends_on = [aws_iam_role_policy_attachment.node, aws_eks_addon.before_nodes]
}

resource "aws_autoscaling_schedule" "this" {
  for_each = merge([for key, group in var.node_groups : {
    for name, schedule in group.schedules : "${key}/${name}" => merge(schedule, { group = key, name = name })
  }]...)

  scheduled_action_name  = "${var.name}-${each.value.group}-${each.value.name}"
  autoscaling_group_name = aws_eks_node_group.this[each.value.group].resources[0].autoscaling_groups[0].name
  recurrence             = each.value.recurrence
  time_zone              = each.value.time_zone
  min_size               = each.value.min_size
  max_size               = each.value.max_size
  desired_capacity       = each.value.desired_size
}
