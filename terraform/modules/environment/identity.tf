locals {
  models_bucket = module.storage.bucket_arns["models"]

  # What each service account may do in the account; the charts and manifests name them.
  workloads = merge(
    { for model in var.models : model => {
      namespace       = "modelserve"
      service_account = model
      statements = [
        { actions = ["s3:GetObject"], resources = ["${local.models_bucket}/${model}/*"] },
        {
          actions    = ["s3:ListBucket"]
          resources  = [local.models_bucket]
          conditions = { StringLike = { "s3:prefix" = ["${model}/*"] } }
        },
        {
          actions    = ["kms:Decrypt"]
          resources  = [module.secrets.key_arns["data"]]
          conditions = { StringEquals = { "kms:ViaService" = ["s3.${local.region}.amazonaws.com"] } }
        },
      ]
    } },
    {
      external-secrets = {
        namespace       = "external-secrets"
        service_account = "external-secrets"
        statements = [
          {
            actions = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]
            resources = [
              "arn:${local.partition}:secretsmanager:${local.region}:${local.account}:secret:${local.name}/*",
              module.data.database_secret_arn,
            ]
          },
          {
            actions    = ["kms:Decrypt"]
            resources  = [module.secrets.key_arns["data"]]
            conditions = { StringEquals = { "kms:ViaService" = ["secretsmanager.${local.region}.amazonaws.com"] } }
          },
          # The password that Argo CD pulls charts with may do what who asked for it may.
          { actions = ["ecr:GetAuthorizationToken"], resources = ["*"] },
          {
            actions   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
            resources = ["arn:${local.partition}:ecr:${local.region}:${local.account}:repository/${local.name}/charts/*"]
          },
        ]
      }
      # It registers pods in the one group, and makes no balancers.
      load-balancer-controller = {
        namespace       = "kube-system"
        service_account = "aws-load-balancer-controller"
        statements = [
          {
            actions   = ["elasticloadbalancing:DeregisterTargets", "elasticloadbalancing:RegisterTargets"]
            resources = [module.edge.target_group_arn]
          },
          {
            actions = [
              "ec2:DescribeAvailabilityZones", "ec2:DescribeInstances", "ec2:DescribeNetworkInterfaces",
              "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs",
              "elasticloadbalancing:DescribeTargetGroups", "elasticloadbalancing:DescribeTargetHealth",
            ]
            resources = ["*"]
          },
        ]
      }
    },
    { for key, arn in { prometheus = module.observability.prometheus_arn } : key => {
      namespace                    = "monitoring"
      service_account              = "prometheus"
      statements                   = [{ actions = ["aps:RemoteWrite"], resources = [arn] }]
    } if var.managed_prometheus },
  )
}

module "identity" {
  source = "../identity"

  name         = local.name
  cluster_name = module.cluster.cluster_name
  workloads    = local.workloads

  github = merge(var.github, {
    ecr_repository_arns = length(var.github.push_subjects) == 0 ? [] : [
      for image in var.images : "arn:${local.partition}:ecr:${local.region}:${local.account}:repository/${local.name}/${image}"
    ]
  })
}
