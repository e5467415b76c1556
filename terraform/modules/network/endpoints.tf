locals {
  endpoint_route_tables = concat([for table in aws_route_table.private : table.id], [aws_route_table.intra.id])

  # Public objects can be read (image layers and packages lie in buckets of AWS), but stolen data cannot be
  # carried off to another account's bucket, by whosever keys.
  s3_endpoint_policy = {
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "ReadAnywhere"
        Effect    = "Allow"
        Principal = "*"
        Action    = ["s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket"]
        Resource  = "*"
      },
      {
        Sid       = "AnythingWithinTheAccount"
        Effect    = "Allow"
        Principal = "*"
        Action    = "s3:*"
        Resource  = "*"
        Condition = {
          StringEquals = {
            "aws:PrincipalAccount" = data.aws_caller_identity.this.account_id
            "aws:ResourceAccount"  = data.aws_caller_identity.this.account_id
          }
        }
      },
    ]
  }

  dynamodb_endpoint_policy = {
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "AnythingWithinTheAccount"
        Effect    = "Allow"
        Principal = "*"
        Action    = "dynamodb:*"
        Resource  = "*"
        Condition = {
          StringEquals = {
            "aws:PrincipalAccount" = data.aws_caller_identity.this.account_id
            "aws:ResourceAccount"  = data.aws_caller_identity.this.account_id
          }
        }
      },
    ]
  }
}

resource "aws_vpc_endpoint" "gateway" {
  for_each = {
    s3       = local.s3_endpoint_policy
    dynamodb = local.dynamodb_endpoint_policy
  }

  vpc_id            = aws_vpc.this.id
  vpc_endpoint_type = "Gateway"
  service_name      = "com.amazonaws.${data.aws_region.this.name}.${each.key}"
  route_table_ids   = local.endpoint_route_tables
  policy            = jsonencode(each.value)

  tags = merge(var.tags, { Name = "${var.name}-${each.key}" })
}

resource "aws_security_group" "endpoints" {
  name        = "${var.name}-endpoints"
  description = "HTTPS from the VPC to the endpoints of AWS services"
  vpc_id      = aws_vpc.this.id

  tags = merge(var.tags, { Name = "${var.name}-endpoints" })
}

resource "aws_vpc_security_group_ingress_rule" "endpoints_https" {
  security_group_id = aws_security_group.endpoints.id
  description       = "HTTPS from the VPC"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = var.cidr_block

  tags = var.tags
}

# In the intra subnets, so that their interfaces take no addresses of pods. Their policies stay open: web
# identities come to STS without an account, and images of add-ons lie in AWS's own registries.
resource "aws_vpc_endpoint" "interface" {
  for_each = var.interface_endpoints

  vpc_id              = aws_vpc.this.id
  vpc_endpoint_type   = "Interface"
  service_name        = "com.amazonaws.${data.aws_region.this.name}.${each.value}"
  subnet_ids          = [for subnet in aws_subnet.intra : subnet.id]
  security_group_ids  = [aws_security_group.endpoints.id]
  private_dns_enabled = true

  tags = merge(var.tags, { Name = "${var.name}-${each.value}" })
}
