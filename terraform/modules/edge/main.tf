resource "aws_security_group" "this" {
  name        = "${var.name}-edge"
  description = "Load balancer of ${var.name}"
  vpc_id      = var.vpc_id

  tags = merge(var.tags, { Name = "${var.name}-edge" })
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  for_each = merge([for port in [80, 443] : { for cidr in var.client_cidrs : "${port}-${cidr}" => { port = port, cidr = cidr } }]...)

  security_group_id = aws_security_group.this.id
  description       = "Clients"
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
  cidr_ipv4         = each.value.cidr

  tags = var.tags
}

resource "aws_vpc_security_group_egress_rule" "target" {
  for_each = toset([for port in [var.target.port, var.target.health_port] : tostring(port)])

  security_group_id            = aws_security_group.this.id
  description                  = "The cluster's gateway"
  ip_protocol                  = "tcp"
  from_port                    = tonumber(each.value)
  to_port                      = tonumber(each.value)
  referenced_security_group_id = var.target.security_group_id

  tags = var.tags
}

resource "aws_vpc_security_group_ingress_rule" "target" {
  for_each = toset([for port in [var.target.port, var.target.health_port] : tostring(port)])

  security_group_id            = var.target.security_group_id
  description                  = "Load balancer of ${var.name}"
  ip_protocol                  = "tcp"
  from_port                    = tonumber(each.value)
  to_port                      = tonumber(each.value)
  referenced_security_group_id = aws_security_group.this.id

  tags = var.tags
}

resource "aws_lb" "this" {
  #checkov:skip=CKV2_AWS_76:Log4j's lookups are among the firewall's known bad inputs, in a list that the check does not follow
  #checkov:skip=CKV_AWS_150:Deletion is refused unless an environment is to be thrown away
  name               = var.name
  load_balancer_type = "application"
  internal           = false
  security_groups    = [aws_security_group.this.id]
  subnets            = var.subnet_ids

  # A request that two parsers may read in two ways does not pass.
  drop_invalid_header_fields = true
  desync_mitigation_mode     = "strictest"
  # Knative gives a call five minutes at most.
  idle_timeout               = 300
  enable_deletion_protection = var.deletion_protection

  access_logs {
    bucket  = var.logs_bucket
    prefix  = "load-balancers"
    enabled = true
  }

  tags = var.tags
}

# The load balancer controller puts the gateway's pods into it.
resource "aws_lb_target_group" "this" {
  #checkov:skip=CKV_AWS_378:Within the VPC, to the gateway; encryption from pod to pod is the mesh's
  name_prefix = "model-"
  target_type = "ip"
  vpc_id      = var.vpc_id
  port        = var.target.port
  protocol    = "HTTP"
  # Replicas differ in what they have to do: to the one with the fewest calls.
  load_balancing_algorithm_type = "least_outstanding_requests"
  deregistration_delay          = 60

  health_check {
    port                = var.target.health_port
    path                = var.target.health_path
    matcher             = "200"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 2
  }

  tags = merge(var.tags, { Name = var.name })

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.this.arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type = "redirect"

    redirect {
      protocol    = "HTTPS"
      port        = "443"
      status_code = "HTTP_301"
    }
  }

  tags = var.tags
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.this.arn
  port              = 443
  protocol          = "HTTPS"
  # TLS 1.3, and of 1.2 what keeps no session's key.
  ssl_policy      = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn = aws_acm_certificate_validation.this.certificate_arn

  # What names no host of ours is for nobody.
  default_action {
    type = "fixed-response"

    fixed_response {
      content_type = "text/plain"
      message_body = "unknown host"
      status_code  = "404"
    }
  }

  tags = var.tags
}

resource "aws_lb_listener_rule" "hosts" {
  # A rule has five values at most.
  for_each = { for index, hosts in chunklist(var.hosts, 5) : index => hosts }

  listener_arn = aws_lb_listener.https.arn
  priority     = 100 + each.key

  condition {
    host_header {
      values = each.value
    }
  }

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this.arn
  }

  tags = var.tags
}
