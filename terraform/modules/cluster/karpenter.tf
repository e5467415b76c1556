# The account's side of Karpenter: what its controller may do, what its machines may do, and the queue
# that tells it which of them are about to go. The controller itself is deployed with the cluster's rest.
locals {
  karpenter_queue_arn     = "arn:${local.partition}:sqs:${local.region}:${local.account}:${var.name}-karpenter"
  karpenter_node_role_arn = "arn:${local.partition}:iam::${local.account}:role/${var.name}-karpenter-node"
  karpenter_own           = { "kubernetes.io/cluster/${var.name}" = "owned" }

  ec2 = "arn:${local.partition}:ec2:${local.region}"

  karpenter_events = {
    health       = { source = ["aws.health"], detail-type = ["AWS Health Event"] }
    interruption = { source = ["aws.ec2"], detail-type = ["EC2 Spot Instance Interruption Warning"] }
    rebalance    = { source = ["aws.ec2"], detail-type = ["EC2 Instance Rebalance Recommendation"] }
    state        = { source = ["aws.ec2"], detail-type = ["EC2 Instance State-change Notification"] }
  }

  # It makes machines with its cluster's tag, in the cluster's subnets and security group, and changes and
  # ends no others. Instance profiles it does not make at all: it is given one.
  karpenter_policy = {
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "LaunchFromImages"
        Effect   = "Allow"
        Action   = ["ec2:CreateFleet", "ec2:RunInstances"]
        Resource = ["${local.ec2}::image/*", "${local.ec2}::snapshot/*"]
      },
      {
        Sid       = "LaunchInTheClustersNetwork"
        Effect    = "Allow"
        Action    = ["ec2:CreateFleet", "ec2:RunInstances"]
        Resource  = ["${local.ec2}:${local.account}:security-group/*", "${local.ec2}:${local.account}:subnet/*"]
        Condition = { StringEquals = { "aws:ResourceTag/karpenter.sh/discovery" = var.name } }
      },
      {
        Sid      = "LaunchFromOwnTemplates"
        Effect   = "Allow"
        Action   = ["ec2:CreateFleet", "ec2:RunInstances"]
        Resource = ["${local.ec2}:${local.account}:launch-template/*"]
        Condition = {
          StringEquals = { for key, value in local.karpenter_own : "aws:ResourceTag/${key}" => value }
          StringLike   = { "aws:ResourceTag/karpenter.sh/nodepool" = "*" }
        }
      },
      {
        Sid    = "MakeWithOwnTags"
        Effect = "Allow"
        Action = ["ec2:CreateFleet", "ec2:CreateLaunchTemplate", "ec2:RunInstances"]
        Resource = [for kind in ["fleet", "instance", "launch-template", "network-interface", "spot-instances-request", "volume"] :
          "${local.ec2}:${local.account}:${kind}/*"
        ]
        Condition = {
          StringEquals = { for key, value in local.karpenter_own : "aws:RequestTag/${key}" => value }
          StringLike   = { "aws:RequestTag/karpenter.sh/nodepool" = "*" }
        }
      },
      {
        Sid    = "TagWhatItMakes"
        Effect = "Allow"
        Action = ["ec2:CreateTags"]
        Resource = [for kind in ["fleet", "instance", "launch-template", "network-interface", "spot-instances-request", "volume"] :
          "${local.ec2}:${local.account}:${kind}/*"
        ]
        Condition = {
          StringEquals = merge(
            { for key, value in local.karpenter_own : "aws:RequestTag/${key}" => value },
            { "ec2:CreateAction" = ["CreateFleet", "CreateLaunchTemplate", "RunInstances"] },
          )
          StringLike = { "aws:RequestTag/karpenter.sh/nodepool" = "*" }
        }
      },
      {
        Sid      = "NameOwnMachines"
        Effect   = "Allow"
        Action   = ["ec2:CreateTags"]
        Resource = ["${local.ec2}:${local.account}:instance/*"]
        Condition = {
          StringEquals                = { for key, value in local.karpenter_own : "aws:ResourceTag/${key}" => value }
          StringLike                  = { "aws:ResourceTag/karpenter.sh/nodepool" = "*" }
          "ForAllValues:StringEquals" = { "aws:TagKeys" = ["Name", "eks:eks-cluster-name", "karpenter.sh/nodeclaim"] }
        }
      },
      {
        Sid      = "EndOwnMachines"
        Effect   = "Allow"
        Action   = ["ec2:DeleteLaunchTemplate", "ec2:TerminateInstances"]
        Resource = ["${local.ec2}:${local.account}:instance/*", "${local.ec2}:${local.account}:launch-template/*"]
        Condition = {
          StringEquals = { for key, value in local.karpenter_own : "aws:ResourceTag/${key}" => value }
          StringLike   = { "aws:ResourceTag/karpenter.sh/nodepool" = "*" }
        }
      },
      {
        Sid    = "ReadMachinesOfTheRegion"
        Effect = "Allow"
        Action = [
          "ec2:DescribeCapacityReservations", "ec2:DescribeImages", "ec2:DescribeInstanceStatus",
          "ec2:DescribeInstanceTypeOfferings", "ec2:DescribeInstanceTypes", "ec2:DescribeInstances",
          "ec2:DescribeLaunchTemplates", "ec2:DescribeSecurityGroups", "ec2:DescribeSpotPriceHistory",
          "ec2:DescribeSubnets",
        ]
        Resource  = "*"
        Condition = { StringEquals = { "aws:RequestedRegion" = local.region } }
      },
      {
        Sid      = "ReadImageIds"
        Effect   = "Allow"
        Action   = ["ssm:GetParameter"]
        Resource = ["arn:${local.partition}:ssm:${local.region}::parameter/aws/service/*"]
      },
      {
        # Prices have no region and no resource.
        Sid      = "ReadPrices"
        Effect   = "Allow"
        Action   = ["pricing:GetProducts"]
        Resource = "*"
      },
      {
        Sid      = "ReadInterruptions"
        Effect   = "Allow"
        Action   = ["sqs:DeleteMessage", "sqs:GetQueueUrl", "sqs:ReceiveMessage"]
        Resource = [local.karpenter_queue_arn]
      },
      {
        Sid       = "GiveMachinesTheirRole"
        Effect    = "Allow"
        Action    = ["iam:PassRole"]
        Resource  = [local.karpenter_node_role_arn]
        Condition = { StringEquals = { "iam:PassedToService" = "ec2.amazonaws.com" } }
      },
      {
        Sid      = "ReadInstanceProfile"
        Effect   = "Allow"
        Action   = ["iam:GetInstanceProfile"]
        Resource = ["arn:${local.partition}:iam::${local.account}:instance-profile/${var.name}-karpenter-node"]
      },
      {
        # It looks for profiles of its own making that are left over, and finds none.
        Sid      = "ListInstanceProfiles"
        Effect   = "Allow"
        Action   = ["iam:ListInstanceProfiles"]
        Resource = "*"
      },
      {
        Sid      = "FindTheCluster"
        Effect   = "Allow"
        Action   = ["eks:DescribeCluster"]
        Resource = [local.cluster_arn]
      },
    ]
  }
}

resource "aws_iam_role" "karpenter_node" {
  name        = "${var.name}-karpenter-node"
  description = "Nodes of ${var.name} that Karpenter starts"

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

resource "aws_iam_role_policy_attachment" "karpenter_node" {
  for_each = toset(["AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly"])

  role       = aws_iam_role.karpenter_node.name
  policy_arn = "${local.aws_policy}/${each.value}"
}

resource "aws_iam_instance_profile" "karpenter_node" {
  name = "${var.name}-karpenter-node"
  role = aws_iam_role.karpenter_node.name

  tags = var.tags
}

# For managed node groups EKS makes the entry itself.
resource "aws_eks_access_entry" "karpenter_node" {
  cluster_name  = aws_eks_cluster.this.name
  principal_arn = aws_iam_role.karpenter_node.arn
  type          = "EC2_LINUX"

  tags = var.tags
}

resource "aws_iam_role" "karpenter" {
  name        = "${var.name}-karpenter"
  description = "Karpenter of ${var.name}"

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
            "aws:RequestTag/kubernetes-service-account" = "karpenter"
          }
        }
      },
    ]
  })

  tags = var.tags
}

resource "aws_iam_role_policy" "karpenter" {
  name   = "karpenter"
  role   = aws_iam_role.karpenter.id
  policy = jsonencode(local.karpenter_policy)
}

resource "aws_eks_pod_identity_association" "karpenter" {
  cluster_name    = aws_eks_cluster.this.name
  namespace       = "kube-system"
  service_account = "karpenter"
  role_arn        = aws_iam_role.karpenter.arn

  tags = var.tags

  depends_on = [aws_iam_role_policy.karpenter]
}

resource "aws_sqs_queue" "karpenter" {
  name = "${var.name}-karpenter"
  # A notice of two minutes is worth nothing after five.
  message_retention_seconds = 300
  sqs_managed_sse_enabled   = true

  tags = var.tags
}

resource "aws_sqs_queue_policy" "karpenter" {
  queue_url = aws_sqs_queue.karpenter.url

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "OwnRulesSend"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = local.karpenter_queue_arn
        Condition = {
          ArnEquals = {
            "aws:SourceArn" = [for key in keys(local.karpenter_events) :
              "arn:${local.partition}:events:${local.region}:${local.account}:rule/${var.name}-karpenter-${key}"
            ]
          }
        }
      },
      {
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = local.karpenter_queue_arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}

resource "aws_cloudwatch_event_rule" "karpenter" {
  for_each = local.karpenter_events

  name          = "${var.name}-karpenter-${each.key}"
  description   = "Machines that are about to go, for Karpenter of ${var.name}"
  event_pattern = jsonencode(each.value)

  tags = var.tags
}

resource "aws_cloudwatch_event_target" "karpenter" {
  for_each = local.karpenter_events

  rule      = aws_cloudwatch_event_rule.karpenter[each.key].name
  target_id = "karpenter"
  arn       = aws_sqs_queue.karpenter.arn
}
