# What the account has beside machines: a database, a cache, a balancer and what guards and watches them.
terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 6.0"
    }
  }
}

provider "aws" {
  region            = "us-east-1"
  s3_use_path_style = true
}

resource "aws_vpc" "this" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_subnet" "this" {
  for_each = { us-east-1a = "10.0.0.0/24", us-east-1b = "10.0.1.0/24" }

  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = each.value
}

resource "aws_kms_key" "this" {
  for_each = toset(["data", "logs"])

  description = each.key
}

resource "aws_secretsmanager_secret" "cache" {
  name = "cache"
}

resource "aws_db_subnet_group" "this" {
  name       = "main"
  subnet_ids = [for subnet in aws_subnet.this : subnet.id]
}

resource "aws_db_instance" "main" {
  identifier                  = "main"
  engine                      = "postgres"
  instance_class              = "db.t4g.medium"
  allocated_storage           = 100
  storage_type                = "gp3"
  multi_az                    = true
  db_subnet_group_name        = aws_db_subnet_group.this.name
  username                    = "main"
  manage_master_user_password = true
  skip_final_snapshot         = true
}

resource "aws_elasticache_replication_group" "cache" {
  replication_group_id = "cache"
  description          = "Answers"
  engine               = "valkey"
  node_type            = "cache.t4g.small"
  num_cache_clusters   = 2
}

resource "aws_lb" "edge" {
  name    = "edge"
  subnets = [for subnet in aws_subnet.this : subnet.id]
}

resource "aws_wafv2_web_acl" "edge" {
  name  = "edge"
  scope = "REGIONAL"

  default_action {
    allow {}
  }

  rule {
    name     = "common"
    priority = 1

    override_action {
      none {}
    }

    statement {
      managed_rule_group_statement {
        vendor_name = "AWS"
        name        = "AWSManagedRulesCommonRuleSet"
      }
    }

    visibility_config {
      cloudwatch_metrics_enabled = true
      metric_name                = "common"
      sampled_requests_enabled   = false
    }
  }

  rule {
    name     = "rate"
    priority = 2

    action {
      block {}
    }

    statement {
      rate_based_statement {
        limit = 2000
      }
    }

    visibility_config {
      cloudwatch_metrics_enabled = true
      metric_name                = "rate"
      sampled_requests_enabled   = false
    }
  }

  visibility_config {
    cloudwatch_metrics_enabled = true
    metric_name                = "edge"
    sampled_requests_enabled   = false
  }
}

resource "aws_route53_zone" "this" {
  name = "example.com"
}

resource "aws_route53_record" "models" {
  zone_id = aws_route53_zone.this.zone_id
  name    = "models.example.com"
  type    = "A"

  alias {
    name                   = aws_lb.edge.dns_name
    zone_id                = aws_lb.edge.zone_id
    evaluate_target_health = true
  }
}

resource "aws_cloudwatch_metric_alarm" "database" {
  alarm_name          = "database"
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 3
  threshold           = 80
  namespace           = "AWS/RDS"
  metric_name         = "CPUUtilization"
  period              = 300
  statistic           = "Average"
  dimensions          = { DBInstanceIdentifier = aws_db_instance.main.identifier }
}

# A share of two metrics: each of them is paid.
resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name          = "errors"
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 3
  threshold           = 0.01

  metric_query {
    id          = "share"
    expression  = "errors / requests"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { errors = "HTTPCode_Target_5XX_Count", requests = "RequestCount" }

    content {
      id = metric_query.key

      metric {
        namespace   = "AWS/ApplicationELB"
        metric_name = metric_query.value
        period      = 60
        stat        = "Sum"
        dimensions  = { LoadBalancer = aws_lb.edge.arn_suffix }
      }
    }
  }
}

resource "aws_prometheus_workspace" "this" {
  alias = "main"
}

resource "aws_s3_bucket" "models" {
  bucket = "models"
}

resource "aws_ecr_repository" "models" {
  name = "models"
}

resource "aws_cloudwatch_log_group" "models" {
  name = "models"
}

resource "aws_msk_configuration" "events" {
  name              = "events"
  server_properties = "auto.create.topics.enable = false"
}
