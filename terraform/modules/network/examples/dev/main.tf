# A network for development: one NAT gateway, the endpoints of the default, and a key for its logs.
terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 6.0"
    }
  }
}

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

resource "aws_kms_key" "logs" {
  description             = "Logs of modelserve-dev"
  enable_key_rotation     = true
  deletion_window_in_days = 7

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "AccountDecidesByIam"
        Effect    = "Allow"
        Principal = { AWS = "arn:${data.aws_partition.this.partition}:iam::${data.aws_caller_identity.this.account_id}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        Sid       = "LogsEncrypt"
        Effect    = "Allow"
        Principal = { Service = "logs.${data.aws_region.this.name}.amazonaws.com" }
        Action    = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
        Resource  = "*"
        Condition = {
          ArnLike = {
            "kms:EncryptionContext:aws:logs:arn" = join(":", [
              "arn", data.aws_partition.this.partition, "logs", data.aws_region.this.name,
              data.aws_caller_identity.this.account_id, "*",
            ])
          }
        }
      },
    ]
  })
}

module "network" {
  source = "../.."

  name               = "modelserve-dev"
  availability_zones = [for letter in ["a", "b", "c"] : "${data.aws_region.this.name}${letter}"]
  log_kms_key_arn    = aws_kms_key.logs.arn
  tags               = { environment = "dev" }
}

output "vpc_id" {
  description = "ID of the VPC."
  value       = module.network.vpc_id
}

output "private_subnet_ids" {
  description = "Subnets for nodes."
  value       = module.network.private_subnet_ids
}

output "intra_subnet_ids" {
  description = "Subnets for data and the control plane."
  value       = module.network.intra_subnet_ids
}
