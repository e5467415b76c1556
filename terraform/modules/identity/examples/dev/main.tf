# Rights of the two models' pods and of the jobs that build and deploy them.
terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 6.0"
    }
  }
}

variable "pod_identity" {
  description = "Whether pods get their roles by EKS Pod Identity; otherwise by the cluster's OIDC provider (IRSA)."
  type        = bool
  default     = true
}

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

locals {
  account   = data.aws_caller_identity.this.account_id
  partition = data.aws_partition.this.partition
  models    = "arn:${local.partition}:s3:::modelserve-dev-models"
  registry  = "arn:${local.partition}:ecr:${data.aws_region.this.name}:${local.account}:repository"
}

module "identity" {
  source = "../.."

  name              = "modelserve-dev"
  cluster_name      = "modelserve-dev"
  oidc_provider_arn = "arn:${local.partition}:iam::${local.account}:oidc-provider/oidc.eks.${data.aws_region.this.name}.amazonaws.com/id/EXAMPLE"
  tags              = { environment = "dev" }

  # The service accounts that the manifests give the models, each with the folder of its model.
  workloads = { for model in ["bert-ner", "resnet-classifier"] : model => {
    namespace       = "modelserve"
    service_account = model
    method          = var.pod_identity ? "pod_identity" : "irsa"
    statements = [
      { actions = ["s3:GetObject"], resources = ["${local.models}/${model}/*"] },
      {
        actions    = ["s3:ListBucket"]
        resources  = [local.models]
        conditions = { StringLike = { "s3:prefix" = ["${model}/*"] } }
      },
    ]
  } }

  github = {
    plan_subjects       = ["repo:example/modelserve:environment:dev-plan"]
    apply_subjects      = ["repo:example/modelserve:environment:dev"]
    push_subjects       = ["repo:example/modelserve:ref:refs/heads/main"]
    ecr_repository_arns = ["${local.registry}/bert-ner", "${local.registry}/resnet-classifier"]
    state_bucket_arn    = "arn:${local.partition}:s3:::modelserve-terraform-state"
  }
}

output "workload_role_arns" {
  description = "Roles of the models' pods."
  value       = module.identity.workload_role_arns
}

output "github_role_arns" {
  description = "Roles of the jobs."
  value       = module.identity.github_role_arns
}
