mock_provider "aws" {
  mock_data "aws_secretsmanager_secret_version" {
    defaults = { secret_string = "from-the-secret" }
  }
}

variables {
  name            = "modelserve-test"
  tags            = { team = "serving" }
  vpc_id          = "vpc-0123456789abcdef0"
  subnet_ids      = ["subnet-a", "subnet-b", "subnet-c"]
  client_cidrs    = ["203.0.113.0/24"]
  zone_id         = "Z0123456789"
  hosts           = ["models.example.com", "*.models.example.com"]
  target          = { security_group_id = "sg-0123456789abcdef0" }
  logs_bucket     = "modelserve-test-logs-123456789012"
  log_kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
}

run "only_tls_and_only_our_hosts" {
  command = plan

  assert {
    condition     = aws_lb_listener.https.ssl_policy == "ELBSecurityPolicy-TLS13-1-2-2021-06" && aws_lb_listener.https.default_action[0].fixed_response[0].status_code == "404"
    error_message = "Old TLS is spoken, or an unknown host is answered."
  }
  assert {
    condition     = aws_lb_listener.http.default_action[0].type == "redirect" && aws_lb_listener.http.default_action[0].redirect[0].protocol == "HTTPS" && aws_lb_listener.http.default_action[0].redirect[0].status_code == "HTTP_301"
    error_message = "HTTP is answered by something else than the address of HTTPS."
  }
  assert {
    condition     = flatten([for rule in aws_lb_listener_rule.hosts : [for condition in rule.condition : tolist(condition.host_header[0].values)]]) == ["*.models.example.com", "models.example.com"] && length(aws_lb_listener_rule.login) == 0
    error_message = "Other hosts are answered, or a login is asked for."
  }
  assert {
    condition     = aws_acm_certificate.this.validation_method == "DNS" && aws_acm_certificate.this.domain_name == "models.example.com" && one(aws_acm_certificate.this.subject_alternative_names) == "*.models.example.com"
    error_message = "The certificate is of other names."
  }
  assert {
    condition     = keys(aws_route53_record.validation) == ["models.example.com"] && toset([for record in aws_route53_record.host : record.name]) == toset(var.hosts)
    error_message = "A name and its wildcard are validated once, and both lead here."
  }
  assert {
    condition     = alltrue([for record in aws_route53_record.validation : record.allow_overwrite]) && alltrue([for record in aws_route53_record.host : !record.allow_overwrite])
    error_message = "A record of validation that is there stops an environment, or one takes another's hosts over."
  }
}

run "the_load_balancer_is_strict_logs_and_stays" {
  command = plan

  assert {
    condition     = aws_lb.this.drop_invalid_header_fields && aws_lb.this.desync_mitigation_mode == "strictest" && aws_lb.this.enable_deletion_protection && aws_lb.this.access_logs[0].enabled && aws_lb.this.access_logs[0].bucket == var.logs_bucket
    error_message = "Headers that are none pass, it is easily deleted, or does not log."
  }
  assert {
    condition     = aws_lb.this.name == "modelserve-test" && aws_lb.this.tags == tomap({ team = "serving" })
    error_message = "It has not its name or tags."
  }
  assert {
    condition     = aws_lb_target_group.this.health_check[0].path == "/healthz/ready" && aws_lb_target_group.this.health_check[0].port == "15021"
    error_message = "A gateway's pod is asked elsewhere whether it is ready."
  }
}

run "clients_come_in_and_only_the_gateway_is_called" {
  command = plan

  assert {
    condition     = toset([for rule in aws_vpc_security_group_ingress_rule.clients : "${rule.cidr_ipv4}:${rule.from_port}-${rule.to_port}"]) == toset(["203.0.113.0/24:80-80", "203.0.113.0/24:443-443"])
    error_message = "Others come in, or to other ports."
  }
  assert {
    condition = toset([for rule in aws_vpc_security_group_egress_rule.target : "${rule.referenced_security_group_id}:${rule.from_port}-${rule.to_port}"]) == toset([
      "sg-0123456789abcdef0:80-80", "sg-0123456789abcdef0:15021-15021",
    ]) && length(aws_vpc_security_group_egress_rule.login) == 0
    error_message = "The load balancer calls others than the gateway."
  }
  assert {
    condition     = alltrue([for rule in aws_vpc_security_group_ingress_rule.target : rule.security_group_id == "sg-0123456789abcdef0"]) && length(aws_vpc_security_group_ingress_rule.target) == 2
    error_message = "The gateway does not let the load balancer in."
  }
}

run "the_firewall_knows_what_is_bad_and_counts" {
  command = plan

  variables {
    requests_per_5_minutes = { all = 5000, paths = { "/v1/models/" = 1000, "/v2/models/" = 2000 } }
  }

  assert {
    condition = { for rule in aws_wafv2_web_acl.this.rule : rule.name => rule.statement[0].rate_based_statement[0].limit if startswith(rule.name, "rate") } == {
      rate = 5000, "rate-path-0" = 1000, "rate-path-1" = 2000
    }
    error_message = "An address may ask more often than was said."
  }
  assert {
    condition = toset([for rule in aws_wafv2_web_acl.this.rule : rule.name if length(rule.statement[0].managed_rule_group_statement) > 0]) == toset([
      "AWSManagedRulesCommonRuleSet", "AWSManagedRulesKnownBadInputsRuleSet", "AWSManagedRulesAmazonIpReputationList",
    ])
    error_message = "A group of rules is not there."
  }
  assert {
    # In `none` a group's own actions hold: a group that only counted would stop nothing.
    condition = alltrue([for rule in aws_wafv2_web_acl.this.rule : length(rule.override_action[0].none) == 1 if length(rule.statement[0].managed_rule_group_statement) > 0]) && flatten([
      for rule in aws_wafv2_web_acl.this.rule : [for group in rule.statement[0].managed_rule_group_statement : [
        for override in group.rule_action_override : override.name if length(override.action_to_use[0].count) == 1
      ]]
    ]) == ["CrossSiteScripting_BODY", "GenericRFI_BODY", "SizeRestrictions_BODY"]
    error_message = "A text with HTML or an address is refused, or others than the rules of bodies only count."
  }
  assert {
    condition     = toset(flatten([for fields in aws_wafv2_web_acl_logging_configuration.this.redacted_fields : [for header in fields.single_header : header.name]])) == toset(["authorization", "cookie"])
    error_message = "Tokens get into the logs."
  }
  assert {
    condition     = aws_cloudwatch_log_group.firewall.name == "aws-waf-logs-modelserve-test" && aws_cloudwatch_log_group.firewall.kms_key_id == var.log_kms_key_arn && aws_cloudwatch_log_group.firewall.retention_in_days == 90
    error_message = "The firewall's logs are nowhere, not encrypted or kept for ever."
  }
}

run "people_log_in_where_that_is_said" {
  command = plan

  variables {
    oidc = {
      issuer                 = "https://login.example.com"
      authorization_endpoint = "https://login.example.com/authorize"
      token_endpoint         = "https://login.example.com/token"
      user_info_endpoint     = "https://login.example.com/userinfo"
      client_id              = "modelserve"
      client_secret_arn      = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:login"
      hosts                  = ["dashboards.models.example.com"]
    }
  }

  assert {
    condition     = [for action in aws_lb_listener_rule.login[0].action : action.type] == ["authenticate-oidc", "forward"] && aws_lb_listener_rule.login[0].action[0].authenticate_oidc[0].client_secret == "from-the-secret"
    error_message = "Who has not logged in gets in, or the secret is not that of the client."
  }
  assert {
    condition     = aws_lb_listener_rule.login[0].priority < min([for rule in aws_lb_listener_rule.hosts : rule.priority]...)
    error_message = "A rule without a login comes first."
  }
}

run "a_login_is_of_hosts_that_are_answered" {
  command = plan

  variables {
    oidc = {
      issuer                 = "https://login.example.com"
      authorization_endpoint = "https://login.example.com/authorize"
      token_endpoint         = "https://login.example.com/token"
      user_info_endpoint     = "https://login.example.com/userinfo"
      client_id              = "modelserve"
      client_secret_arn      = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:login"
      hosts                  = ["dashboards.example.com"]
    }
  }

  expect_failures = [aws_lb_listener_rule.login]
}

run "refuses_what_is_not_its_kind" {
  command = plan

  variables {
    name                   = "Modelserve"
    subnet_ids             = ["subnet-a"]
    client_cidrs           = []
    zone_id                = "example.com"
    hosts                  = ["Models.example.com"]
    target                 = { security_group_id = "sg-0123456789abcdef0", health_path = "ready" }
    requests_per_5_minutes = { all = 1 }
    log_retention_days     = 2
    oidc = {
      issuer                 = "http://login.example.com"
      authorization_endpoint = "https://login.example.com/authorize"
      token_endpoint         = "https://login.example.com/token"
      user_info_endpoint     = "https://login.example.com/userinfo"
      client_id              = "modelserve"
      client_secret_arn      = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:login"
      hosts                  = []
    }
  }

  expect_failures = [
    var.name, var.subnet_ids, var.client_cidrs, var.zone_id, var.hosts, var.target, var.requests_per_5_minutes, var.log_retention_days, var.oidc,
  ]
}
