mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { name = "eu-central-1" }
  }
  mock_resource "aws_ce_anomaly_monitor" {
    defaults = { arn = "arn:aws:ce::123456789012:anomalymonitor/mock" }
  }
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:eu-central-1:123456789012:modelserve-test-alarms" }
  }
}

variables {
  name               = "modelserve-test"
  tags               = { team = "serving" }
  kms_key_arn        = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  emails             = ["oncall@example.com"]
  log_groups         = { models = 30 }
  databases          = { main = { identifier = "modelserve-test", storage_gib = 20 } }
  cache_node_ids     = ["modelserve-test-001"]
  load_balancers     = { edge = { name = "app/modelserve-test/1", target_group = "targetgroup/model-1/2" } }
  autoscaling_groups = { general = "eks-general" }
  nat_gateway_ids    = { eu-central-1a = "nat-0123456789abcdef0" }
  monthly_budget_usd = 800
  budget_tags        = { environment = "test" }
}

run "all_that_is_named_is_watched" {
  assert {
    condition = { for key, alarm in aws_cloudwatch_metric_alarm.this : key => [alarm.namespace, alarm.metric_name, alarm.statistic, alarm.comparison_operator, alarm.threshold] } == {
      "database-main-cpu"         = ["AWS/RDS", "CPUUtilization", "Average", "GreaterThanThreshold", 80]
      "database-main-storage"     = ["AWS/RDS", "FreeStorageSpace", "Average", "LessThanThreshold", 3221225472]
      "database-main-connections" = ["AWS/RDS", "DatabaseConnections", "Average", "GreaterThanThreshold", 100]
      "database-main-memory"      = ["AWS/RDS", "FreeableMemory", "Average", "LessThanThreshold", 134217728]
      "cache-0-cpu"               = ["AWS/ElastiCache", "EngineCPUUtilization", "Average", "GreaterThanThreshold", 80]
      "cache-0-memory"            = ["AWS/ElastiCache", "DatabaseMemoryUsagePercentage", "Average", "GreaterThanThreshold", 80]
      "nodes-general-cpu"         = ["AWS/EC2", "CPUUtilization", "Average", "GreaterThanThreshold", 80]
      "nat-eu-central-1a-ports"   = ["AWS/NATGateway", "ErrorPortAllocation", "Sum", "GreaterThanThreshold", 0]
      "edge-edge-targets"         = ["AWS/ApplicationELB", "UnHealthyHostCount", "Maximum", "GreaterThanThreshold", 0]
      "edge-edge-refusals"        = ["AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count", "Sum", "GreaterThanThreshold", 10]
    }
    error_message = "Something is not watched, or by another measure."
  }
  assert {
    condition = alltrue([
      for alarm in concat(values(aws_cloudwatch_metric_alarm.this), values(aws_cloudwatch_metric_alarm.errors), values(aws_cloudwatch_metric_alarm.latency)) :
      startswith(alarm.alarm_name, "modelserve-test-") && alarm.alarm_actions == toset([aws_sns_topic.this.arn]) && alarm.ok_actions == alarm.alarm_actions && alarm.tags == tomap({ team = "serving" })
    ])
    error_message = "An alarm tells nobody, or has not its name and tags."
  }
  assert {
    condition = toset([for key, alarm in aws_cloudwatch_metric_alarm.this : key if alarm.treat_missing_data == "breaching"]) == toset(["database-main-cpu", "cache-0-cpu"]) && alltrue([
      for alarm in concat(values(aws_cloudwatch_metric_alarm.this), values(aws_cloudwatch_metric_alarm.errors), values(aws_cloudwatch_metric_alarm.latency)) :
      contains(["breaching", "notBreaching"], alarm.treat_missing_data)
    ])
    error_message = "A database or a cache may be away without a notice, or one comes of what is scaled to none."
  }
  assert {
    # RequestCount lacks the calls that found no pod, so that the load balancer's own errors are no part of a share.
    condition = one([for query in aws_cloudwatch_metric_alarm.errors["edge"].metric_query : query.expression if query.id == "share"]) == "IF(calls >= 100, 100 * FILL(errors, 0) / calls, 0)" && {
      for query in aws_cloudwatch_metric_alarm.errors["edge"].metric_query : query.id => one(query.metric).metric_name if length(query.metric) > 0
    } == { calls = "RequestCount", errors = "HTTPCode_Target_5XX_Count" }
    error_message = "The share of errors is of something else."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.errors["edge"].threshold == 1 && aws_cloudwatch_metric_alarm.latency["edge"].threshold == 5 && aws_cloudwatch_metric_alarm.latency["edge"].extended_statistic == "p99"
    error_message = "Errors or slow calls are told too late."
  }
}

run "notices_are_encrypted_and_of_this_account" {
  assert {
    condition     = aws_sns_topic.this.kms_master_key_id == var.kms_key_arn && aws_cloudwatch_log_group.this["models"].kms_key_id == var.kms_key_arn && aws_cloudwatch_log_group.this["models"].name == "/modelserve-test/models" && aws_cloudwatch_log_group.this["models"].retention_in_days == 30
    error_message = "Notices or logs are not encrypted, or kept for ever."
  }
  assert {
    condition = { for statement in jsondecode(aws_sns_topic_policy.this.policy).Statement : statement.Principal.Service => [
      statement.Action, statement.Resource, statement.Condition.StringEquals["aws:SourceAccount"],
      ] if statement.Effect == "Allow" } == { for service in ["budgets", "cloudwatch", "costalerts"] : "${service}.amazonaws.com" => [
      "sns:Publish", "arn:aws:sns:eu-central-1:123456789012:modelserve-test-alarms", "123456789012",
    ] }
    error_message = "Others may publish, or more than that is allowed."
  }
  assert {
    condition     = one([for statement in jsondecode(aws_sns_topic_policy.this.policy).Statement : statement if statement.Effect == "Deny"]).Condition == { Bool = { "aws:SecureTransport" = "false" } }
    error_message = "A notice may come without TLS."
  }
  assert {
    condition     = [for one in aws_sns_topic_subscription.email : one.endpoint] == ["oncall@example.com"] && length(aws_prometheus_workspace.this) == 0 && length(aws_ce_anomaly_monitor.this) == 0
    error_message = "Others are told, or there is what was not asked for."
  }
}

run "the_budget_counts_what_has_its_tags" {
  assert {
    condition     = aws_budgets_budget.this.limit_amount == "800" && one([for filter in aws_budgets_budget.this.cost_filter : filter.values]) == tolist(["user:environment$test"])
    error_message = "The budget is another, or counts something else."
  }
  assert {
    condition     = toset([for notice in aws_budgets_budget.this.notification : "${notice.notification_type} ${notice.threshold}"]) == toset(["ACTUAL 80", "ACTUAL 100", "FORECASTED 100"])
    error_message = "A notice of the budget does not come."
  }
}

run "options" {
  variables {
    managed_prometheus = true
    anomaly_usd        = 50
  }

  assert {
    condition     = aws_prometheus_workspace.this[0].kms_key_arn == var.kms_key_arn && aws_prometheus_workspace.this[0].alias == "modelserve-test" && output.prometheus_endpoint == aws_prometheus_workspace.this[0].prometheus_endpoint
    error_message = "The managed Prometheus is not encrypted, or not told of."
  }
  assert {
    condition     = one(one(aws_ce_anomaly_subscription.this[0].threshold_expression[0].dimension).values) == "50"
    error_message = "An anomaly is told from another amount on."
  }
}

run "refuses_what_is_not_its_kind" {
  command = plan

  variables {
    name               = "m"
    kms_key_arn        = "alias/x"
    emails             = ["oncall"]
    log_groups         = { models = 2 }
    thresholds         = { error_percent = 0 }
    monthly_budget_usd = 0
    budget_tags        = {}
    anomaly_usd        = 0
  }

  expect_failures = [
    var.name, var.kms_key_arn, var.emails, var.log_groups, var.thresholds, var.monthly_budget_usd, var.budget_tags, var.anomaly_usd,
  ]
}
