locals {
  database_alarms = merge([
    for key, database in var.databases : {
      for kind, alarm in {
        # A database that is there always tells how busy it is: one that tells nothing is away.
        cpu         = { metric = "CPUUtilization", above = var.thresholds.cpu_percent, what = "is busy, or tells nothing", silence = "breaching" }
        storage     = { metric = "FreeStorageSpace", below = database.storage_gib * 1073741824 * var.thresholds.free_storage_percent / 100, what = "has little room left" }
        connections = { metric = "DatabaseConnections", above = var.thresholds.database_connections, what = "has many clients" }
        # What a db.t4g.micro has at rest is above it.
        memory = { metric = "FreeableMemory", below = 134217728, what = "has little memory left" }
        } : "database-${key}-${kind}" => merge(alarm, {
          namespace  = "AWS/RDS"
          dimensions = { DBInstanceIdentifier = database.identifier }
          thing      = "The database ${key}"
      })
    }
  ]...)

  # Nothing is evicted, as the cache is told to refuse writes when it is full: memory is what to watch.
  cache_alarms = merge([
    for index, node in var.cache_node_ids : {
      for kind, alarm in {
        cpu    = { metric = "EngineCPUUtilization", above = var.thresholds.cpu_percent, what = "is busy, or tells nothing", silence = "breaching" }
        memory = { metric = "DatabaseMemoryUsagePercentage", above = var.thresholds.cache_memory_percent, what = "is filling up" }
        } : "cache-${index}-${kind}" => merge(alarm, {
          namespace  = "AWS/ElastiCache"
          dimensions = { CacheClusterId = node }
          thing      = "The cache's node ${node}"
      })
    }
  ]...)

  node_alarms = {
    for key, group in var.autoscaling_groups : "nodes-${key}-cpu" => {
      namespace  = "AWS/EC2"
      metric     = "CPUUtilization"
      dimensions = { AutoScalingGroupName = group }
      above      = var.thresholds.cpu_percent
      thing      = "The machines ${key}"
      what       = "are busy"
    }
  }

  gateway_alarms = {
    for key, gateway in var.nat_gateway_ids : "nat-${key}-ports" => {
      namespace  = "AWS/NATGateway"
      metric     = "ErrorPortAllocation"
      dimensions = { NatGatewayId = gateway }
      statistic  = "Sum"
      above      = 0
      thing      = "The NAT gateway ${key}"
      what       = "has no port left for calls to one address"
    }
  }

  edge_alarms = merge([
    for key, balancer in var.load_balancers : {
      "edge-${key}-targets" = {
        namespace  = "AWS/ApplicationELB"
        metric     = "UnHealthyHostCount"
        dimensions = { LoadBalancer = balancer.name, TargetGroup = balancer.target_group }
        statistic  = "Maximum"
        above      = 0
        thing      = "The load balancer ${key}"
        what       = "has pods that are not ready"
      }
      # Of what reaches no pod, as when none is there. No share of the calls: those are not among them.
      "edge-${key}-refusals" = {
        namespace  = "AWS/ApplicationELB"
        metric     = "HTTPCode_ELB_5XX_Count"
        dimensions = { LoadBalancer = balancer.name }
        statistic  = "Sum"
        above      = var.thresholds.refusals
        thing      = "The load balancer ${key}"
        what       = "answers calls with 5xx itself"
      }
    }
  ]...)

  alarms = {
    for key, alarm in merge(local.database_alarms, local.cache_alarms, local.node_alarms, local.gateway_alarms, local.edge_alarms) :
    key => merge({ above = null, below = null, statistic = "Average", silence = "notBreaching" }, alarm)
  }
}

# Each alarm is of five minutes, three times in a row.
resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = "${each.value.thing} ${each.value.what}."
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  comparison_operator = each.value.above != null ? "GreaterThanThreshold" : "LessThanThreshold"
  threshold           = each.value.above != null ? each.value.above : each.value.below
  period              = 300
  evaluation_periods  = 3
  # Machines and pods that are scaled to none tell nothing, and counts of errors are told when there are some.
  treat_missing_data = each.value.silence
  alarm_actions      = [aws_sns_topic.this.arn]
  ok_actions         = [aws_sns_topic.this.arn]

  tags = var.tags
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  for_each = var.load_balancers

  alarm_name          = "${var.name}-edge-${each.key}-errors"
  alarm_description   = "Of the calls through the load balancer ${each.key} pods answer too many with 5xx."
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.thresholds.error_percent
  evaluation_periods  = 3
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.this.arn]
  ok_actions          = [aws_sns_topic.this.arn]

  # Of fewer than 100 calls a share says little.
  metric_query {
    id          = "share"
    label       = "Calls answered with 5xx, per cent"
    expression  = "IF(calls >= 100, 100 * FILL(errors, 0) / calls, 0)"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { calls = "RequestCount", errors = "HTTPCode_Target_5XX_Count" }

    content {
      id = metric_query.key

      metric {
        namespace   = "AWS/ApplicationELB"
        metric_name = metric_query.value
        dimensions  = { LoadBalancer = each.value.name }
        stat        = "Sum"
        period      = 300
      }
    }
  }

  tags = var.tags
}

resource "aws_cloudwatch_metric_alarm" "latency" {
  for_each = var.load_balancers

  alarm_name          = "${var.name}-edge-${each.key}-latency"
  alarm_description   = "The slowest in a hundred calls through the load balancer ${each.key} take long."
  namespace           = "AWS/ApplicationELB"
  metric_name         = "TargetResponseTime"
  dimensions          = { LoadBalancer = each.value.name }
  extended_statistic  = "p99"
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.thresholds.latency_seconds
  period              = 300
  evaluation_periods  = 3
  # Of a few calls the slowest is a cold start.
  evaluate_low_sample_count_percentiles = "ignore"
  treat_missing_data                    = "notBreaching"
  alarm_actions                         = [aws_sns_topic.this.arn]
  ok_actions                            = [aws_sns_topic.this.arn]

  tags = var.tags
}
