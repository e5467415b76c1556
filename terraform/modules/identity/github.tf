locals {
  github_issuer = "token.actions.githubusercontent.com"

  github_subjects = { for role, subjects in {
    plan  = var.github.plan_subjects
    apply = var.github.apply_subjects
    push  = var.github.push_subjects
  } : role => subjects if length(subjects) > 0 }

  github_provider_arn = var.github.provider_arn != null ? var.github.provider_arn : try(aws_iam_openid_connect_provider.github[0].arn, null)

  arn_of = { for kind in ["role", "policy", "instance-profile"] : kind => "arn:${local.partition}:iam::${local.account}:${kind}/${var.name}-*" }

  github_plan_policy = {
    Version = "2012-10-17"
    Statement = concat(
      [
        # ReadOnlyAccess reads data too, and whoever may open a branch can print what a plan reads.
        {
          Sid         = "NoObjectsButTheState"
          Effect      = "Deny"
          Action      = ["s3:GetObject", "s3:GetObjectVersion"]
          NotResource = ["${coalesce(var.github.state_bucket_arn, "arn:${local.partition}:s3:::none")}/*"]
        },
        {
          Sid    = "NoContents"
          Effect = "Deny"
          Action = [
            "dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PartiQLSelect", "dynamodb:Query", "dynamodb:Scan",
            "logs:FilterLogEvents", "logs:GetLogEvents", "logs:GetLogRecord", "logs:GetQueryResults", "logs:StartQuery",
            "sqs:ReceiveMessage",
          ]
          Resource = "*"
        },
      ],
      var.github.state_kms_key_arn == null ? [] : [
        {
          Sid       = "DecryptState"
          Effect    = "Allow"
          Action    = ["kms:Decrypt"]
          Resource  = [var.github.state_kms_key_arn]
          Condition = { StringEquals = { "kms:ViaService" = "s3.${data.aws_region.this.name}.amazonaws.com" } }
        },
      ],
    )
  }

  # PowerUserAccess has everything but IAM. Of IAM: the roles and policies of this environment's name.
  github_apply_policy = {
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "ReadIam"
        Effect   = "Allow"
        Action   = ["iam:Get*", "iam:List*"]
        Resource = "*"
      },
      {
        Sid    = "OwnRolesAndPolicies"
        Effect = "Allow"
        Action = [
          "iam:AddRoleToInstanceProfile", "iam:AttachRolePolicy", "iam:CreateInstanceProfile", "iam:CreatePolicy",
          "iam:CreatePolicyVersion", "iam:CreateRole", "iam:DeleteInstanceProfile", "iam:DeletePolicy",
          "iam:DeletePolicyVersion", "iam:DeleteRole", "iam:DeleteRolePolicy", "iam:DetachRolePolicy",
          "iam:PutRolePolicy", "iam:RemoveRoleFromInstanceProfile", "iam:TagInstanceProfile", "iam:TagPolicy",
          "iam:TagRole", "iam:UntagInstanceProfile", "iam:UntagPolicy", "iam:UntagRole",
          "iam:UpdateAssumeRolePolicy", "iam:UpdateRole", "iam:UpdateRoleDescription",
        ]
        Resource = values(local.arn_of)
      },
      {
        Sid      = "PassOwnRolesToServices"
        Effect   = "Allow"
        Action   = ["iam:PassRole"]
        Resource = [local.arn_of["role"]]
        Condition = {
          StringEquals = {
            "iam:PassedToService" = [
              "ec2.amazonaws.com", "eks.amazonaws.com", "lambda.amazonaws.com", "monitoring.rds.amazonaws.com",
              "pods.eks.amazonaws.com", "vpc-flow-logs.amazonaws.com",
            ]
          }
        }
      },
      {
        Sid    = "ProvidersOfClusters"
        Effect = "Allow"
        Action = [
          "iam:AddClientIDToOpenIDConnectProvider", "iam:CreateOpenIDConnectProvider", "iam:DeleteOpenIDConnectProvider",
          "iam:RemoveClientIDFromOpenIDConnectProvider", "iam:TagOpenIDConnectProvider",
          "iam:UntagOpenIDConnectProvider", "iam:UpdateOpenIDConnectProviderThumbprint",
        ]
        Resource = ["arn:${local.partition}:iam::${local.account}:oidc-provider/oidc.eks.*"]
      },
      # A pipeline that could change who uses it, or what it may do, would need no approval a second time.
      {
        Sid    = "NotItself"
        Effect = "Deny"
        Action = [
          "iam:AttachRolePolicy", "iam:CreateRole", "iam:DeleteRole", "iam:DeleteRolePolicy", "iam:DetachRolePolicy",
          "iam:PutRolePolicy", "iam:TagRole", "iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole",
        ]
        Resource = ["arn:${local.partition}:iam::${local.account}:role/${var.name}-github-*"]
      },
    ]
  }

  # What `docker push` calls, and no more: tags that are there stay, as the repositories are immutable.
  github_push_policy = {
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Login"
        Effect   = "Allow"
        Action   = ["ecr:GetAuthorizationToken"]
        Resource = "*"
      },
      {
        Sid    = "Push"
        Effect = "Allow"
        Action = [
          "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:DescribeImages",
          "ecr:GetDownloadUrlForLayer", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart",
        ]
        Resource = var.github.ecr_repository_arns
      },
    ]
  }

  github_policies = {
    plan  = local.github_plan_policy
    apply = local.github_apply_policy
    push  = local.github_push_policy
  }
  github_managed_policies = {
    plan  = "arn:${local.partition}:iam::aws:policy/ReadOnlyAccess"
    apply = "arn:${local.partition}:iam::aws:policy/PowerUserAccess"
  }
}

# An account has one provider for GitHub, whatever the number of environments in it.
resource "aws_iam_openid_connect_provider" "github" {
  count = var.github.provider_arn == null && length(local.github_subjects) > 0 ? 1 : 0

  url            = "https://${local.github_issuer}"
  client_id_list = ["sts.amazonaws.com"]

  tags = merge(var.tags, { Name = "${var.name}-github" })
}

resource "aws_iam_role" "github" {
  for_each = local.github_subjects

  name                 = "${var.name}-github-${each.key}"
  description          = "GitHub Actions: ${each.key} of ${var.name}"
  max_session_duration = 3600

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "NamedJobs"
        Effect    = "Allow"
        Principal = { Federated = local.github_provider_arn }
        Action    = ["sts:AssumeRoleWithWebIdentity"]
        # StringEquals: a star in a subject would be a star, and match nothing.
        Condition = {
          StringEquals = {
            "${local.github_issuer}:aud" = "sts.amazonaws.com"
            "${local.github_issuer}:sub" = each.value
          }
        }
      },
    ]
  })

  tags = var.tags
}

resource "aws_iam_role_policy" "github" {
  for_each = local.github_subjects

  name   = each.key
  role   = aws_iam_role.github[each.key].id
  policy = { for role, policy in local.github_policies : role => jsonencode(policy) }[each.key]
}

resource "aws_iam_role_policy_attachment" "github" {
  for_each = { for role, arn in local.github_managed_policies : role => arn if contains(keys(local.github_subjects), role) }

  role       = aws_iam_role.github[each.key].name
  policy_arn = each.value
}
