locals {
  # Rights of add-ons go to their service account, so that other pods of a node do not have them.
  addon_roles = {
    vpc-cni            = { service_account = "aws-node", policy = "AmazonEKS_CNI_Policy" }
    aws-ebs-csi-driver = { service_account = "ebs-csi-controller-sa", policy = "service-role/AmazonEBSCSIDriverPolicy" }
  }

  # Nodes are not ready without these, and pods on them have no rights.
  addons_before_nodes = {
    vpc-cni                = jsonencode({ enableNetworkPolicy = "true" })
    kube-proxy             = null
    eks-pod-identity-agent = null
  }
  # These have pods that wait for a node: without one their installation fails after a while.
  addons_after_nodes = ["coredns", "aws-ebs-csi-driver"]

  s3_driver = length(var.model_bucket_arns) > 0 ? { "aws-mountpoint-s3-csi-driver" = "s3-csi-driver-sa" } : {}

  oidc_issuer = trimprefix(aws_eks_cluster.this.identity[0].oidc[0].issuer, "https://")
}

resource "aws_iam_role" "addon" {
  for_each = local.addon_roles

  name        = "${var.name}-${each.key}"
  description = "Add-on ${each.key} of ${var.name}"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Principal = { Service = "pods.eks.amazonaws.com" }
        Action    = ["sts:AssumeRole", "sts:TagSession"]
        Condition = {
          StringEquals = {
            "aws:RequestTag/eks-cluster-arn"            = local.cluster_arn
            "aws:RequestTag/kubernetes-namespace"       = "kube-system"
            "aws:RequestTag/kubernetes-service-account" = each.value.service_account
          }
        }
      },
    ]
  })

  tags = var.tags
}

resource "aws_iam_role_policy_attachment" "addon" {
  for_each = local.addon_roles

  role       = aws_iam_role.addon[each.key].name
  policy_arn = "${local.aws_policy}/${each.value.policy}"
}

# No versions: EKS takes the one that fits the cluster's, and an upgrade is asked for by hand.
resource "aws_eks_addon" "before_nodes" {
  for_each = local.addons_before_nodes

  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = each.key
  configuration_values        = each.value
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"

  dynamic "pod_identity_association" {
    for_each = { for key, role in local.addon_roles : key => role if key == each.key }

    content {
      role_arn        = aws_iam_role.addon[pod_identity_association.key].arn
      service_account = pod_identity_association.value.service_account
    }
  }

  tags = var.tags

  depends_on = [aws_iam_role_policy_attachment.addon]
}

resource "aws_eks_addon" "after_nodes" {
  for_each = toset(local.addons_after_nodes)

  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = each.key
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"

  dynamic "pod_identity_association" {
    for_each = { for key, role in local.addon_roles : key => role if key == each.key }

    content {
      role_arn        = aws_iam_role.addon[pod_identity_association.key].arn
      service_account = pod_identity_association.value.service_account
    }
  }

  tags = var.tags

  depends_on = [aws_iam_role_policy_attachment.addon, aws_eks_node_group.this]
}

# The S3 driver knows IRSA only.
resource "aws_iam_role" "s3_driver" {
  for_each = local.s3_driver

  name        = "${var.name}-s3-csi-driver"
  description = "Add-on ${each.key} of ${var.name}: reads the models' buckets"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Principal = { Federated = aws_iam_openid_connect_provider.cluster.arn }
        Action    = ["sts:AssumeRoleWithWebIdentity"]
        Condition = {
          StringEquals = {
            "${local.oidc_issuer}:aud" = "sts.amazonaws.com"
            "${local.oidc_issuer}:sub" = "system:serviceaccount:kube-system:${each.value}"
          }
        }
      },
    ]
  })

  tags = var.tags
}

resource "aws_iam_role_policy" "s3_driver" {
  for_each = local.s3_driver

  name = "read-models"
  role = aws_iam_role.s3_driver[each.key].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        { Sid = "List", Effect = "Allow", Action = ["s3:ListBucket"], Resource = var.model_bucket_arns },
        { Sid = "Read", Effect = "Allow", Action = ["s3:GetObject"], Resource = [for arn in var.model_bucket_arns : "${arn}/*"] },
      ],
      length(var.model_kms_key_arns) == 0 ? [] : [
        {
          Sid       = "Decrypt"
          Effect    = "Allow"
          Action    = ["kms:Decrypt"]
          Resource  = var.model_kms_key_arns
          Condition = { StringEquals = { "kms:ViaService" = "s3.${local.region}.amazonaws.com" } }
        },
      ],
    )
  })
}

resource "aws_eks_addon" "s3_driver" {
  for_each = local.s3_driver

  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = each.key
  service_account_role_arn    = aws_iam_role.s3_driver[each.key].arn
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"
  # Machines with a GPU read models too.
  configuration_values = jsonencode({ node = { tolerateAllTaints = true } })

  tags = var.tags

  depends_on = [aws_iam_role_policy.s3_driver, aws_eks_node_group.this]
}
