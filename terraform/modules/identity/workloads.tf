locals {
  cluster_arn = var.cluster_name == null ? null : join(":", [
    "arn", local.partition, "eks", data.aws_region.this.name, local.account, "cluster/${var.cluster_name}",
  ])

  oidc_issuer = var.oidc_provider_arn == null ? null : split(":oidc-provider/", var.oidc_provider_arn)[1]

  # Pod Identity's service assumes the role for one service account of one cluster: without these
  # conditions an association anywhere in the account could hand the role to any pod.
  pod_identity_trust = {
    for key, workload in var.workloads : key => {
      Sid       = "PodIdentity"
      Effect    = "Allow"
      Principal = { Service = "pods.eks.amazonaws.com" }
      Action    = ["sts:AssumeRole", "sts:TagSession"]
      Condition = {
        StringEquals = {
          "aws:RequestTag/eks-cluster-arn"            = local.cluster_arn
          "aws:RequestTag/kubernetes-namespace"       = workload.namespace
          "aws:RequestTag/kubernetes-service-account" = workload.service_account
        }
      }
    } if workload.method == "pod_identity"
  }

  irsa_trust = {
    for key, workload in var.workloads : key => {
      Sid       = "WebIdentity"
      Effect    = "Allow"
      Principal = { Federated = var.oidc_provider_arn }
      Action    = ["sts:AssumeRoleWithWebIdentity"]
      Condition = {
        StringEquals = {
          "${local.oidc_issuer}:aud" = "sts.amazonaws.com"
          "${local.oidc_issuer}:sub" = "system:serviceaccount:${workload.namespace}:${workload.service_account}"
        }
      }
    } if workload.method == "irsa" && var.oidc_provider_arn != null
  }
}

resource "aws_iam_role" "workload" {
  for_each = var.workloads

  name        = "${var.name}-pod-${each.key}"
  description = "Pods of ${each.value.namespace}/${each.value.service_account}"

  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [for trust in [local.pod_identity_trust, local.irsa_trust] : trust[each.key] if can(trust[each.key])]
  })

  tags = var.tags

  lifecycle {
    precondition {
      condition     = each.value.method != "pod_identity" || var.cluster_name != null
      error_message = "Workloads with the method pod_identity need cluster_name."
    }
    precondition {
      condition     = each.value.method != "irsa" || var.oidc_provider_arn != null
      error_message = "Workloads with the method irsa need oidc_provider_arn."
    }
  }
}

resource "aws_iam_role_policy" "workload" {
  for_each = var.workloads

  name = "workload"
  role = aws_iam_role.workload[each.key].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [for statement in each.value.statements : merge(
      {
        Effect   = "Allow"
        Action   = statement.actions
        Resource = statement.resources
      },
      length(statement.conditions) == 0 ? {} : { Condition = statement.conditions },
    )]
  })
}

resource "aws_eks_pod_identity_association" "workload" {
  for_each = { for key, workload in var.workloads : key => workload if workload.method == "pod_identity" }

  cluster_name    = var.cluster_name
  namespace       = each.value.namespace
  service_account = each.value.service_account
  role_arn        = aws_iam_role.workload[each.key].arn

  tags = var.tags

  # A pod that starts between the two would be refused.
  depends_on = [aws_iam_role_policy.workload]
}
