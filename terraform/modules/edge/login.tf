data "aws_secretsmanager_secret_version" "client" {
  count = var.oidc == null ? 0 : 1

  secret_id = var.oidc.client_secret_arn
}

# Before the rules without a login.
resource "aws_lb_listener_rule" "login" {
  count = var.oidc == null ? 0 : 1

  listener_arn = aws_lb_listener.https.arn
  priority     = 1

  condition {
    host_header {
      values = var.oidc.hosts
    }
  }

  action {
    type = "authenticate-oidc"

    authenticate_oidc {
      issuer                     = var.oidc.issuer
      authorization_endpoint     = var.oidc.authorization_endpoint
      token_endpoint             = var.oidc.token_endpoint
      user_info_endpoint         = var.oidc.user_info_endpoint
      client_id                  = var.oidc.client_id
      client_secret              = data.aws_secretsmanager_secret_version.client[0].secret_string
      on_unauthenticated_request = "authenticate"
      # A working day.
      session_timeout = 43200
    }
  }

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this.arn
  }

  tags = var.tags

  lifecycle {
    precondition {
      condition = alltrue([
        for host in var.oidc.hosts : contains(var.hosts, host) || contains(var.hosts, "*.${join(".", slice(split(".", host), 1, length(split(".", host))))}")
      ])
      error_message = "oidc.hosts are among hosts, or fall under a wildcard of them: others have no certificate here."
    }
  }
}

# The load balancer asks the provider itself.
resource "aws_vpc_security_group_egress_rule" "login" {
  count = var.oidc == null ? 0 : 1

  security_group_id = aws_security_group.this.id
  description       = "OpenID provider"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = "0.0.0.0/0"

  tags = var.tags
}
