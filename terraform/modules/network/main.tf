data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

locals {
  zones = { for index, zone in var.availability_zones : zone => index }

  # Eighths of the range for pods and nodes; the small subnets lie in the fifth eighth, so that three
  # eighths are left for what comes later.
  private_cidrs = { for zone, index in local.zones : zone => cidrsubnet(var.cidr_block, 3, index) }
  public_cidrs  = { for zone, index in local.zones : zone => cidrsubnet(var.cidr_block, 6, 32 + index) }
  intra_cidrs   = { for zone, index in local.zones : zone => cidrsubnet(var.cidr_block, 6, 36 + index) }

  nat_zones = {
    per_zone = local.zones
    single   = { for zone, index in local.zones : zone => index if index == 0 }
    none     = {}
  }[var.nat_gateways]

  # A node that cannot reach these never joins, or cannot pull an image, or gives its pods no rights.
  needed_without_nat = ["ec2", "ecr.api", "ecr.dkr", "eks", "eks-auth", "logs", "sts"]
}

resource "aws_vpc" "this" {
  cidr_block           = var.cidr_block
  enable_dns_support   = true
  enable_dns_hostnames = true

  tags = merge(var.tags, { Name = var.name })

  lifecycle {
    precondition {
      condition     = var.nat_gateways != "none" || length(setsubtract(local.needed_without_nat, var.interface_endpoints)) == 0
      error_message = "Without a NAT gateway nodes need the interface_endpoints ${join(", ", local.needed_without_nat)}."
    }
  }
}

# What is put into the VPC without naming a security group or a route table gets these two: no traffic,
# and no way out.
resource "aws_default_security_group" "this" {
  vpc_id = aws_vpc.this.id

  tags = merge(var.tags, { Name = "${var.name}-default-closed" })
}

resource "aws_default_route_table" "this" {
  default_route_table_id = aws_vpc.this.default_route_table_id
  route                  = []

  tags = merge(var.tags, { Name = "${var.name}-default-closed" })
}
