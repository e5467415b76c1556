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
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:mock" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mock" }
  }
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-central-1:123456789012:key/mock" }
  }
}

variables {
  name               = "modelserve-test"
  availability_zones = ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
  log_kms_key_arn    = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  tags               = { team = "serving" }
}

run "subnets_are_apart_and_tagged_for_their_readers" {
  assert {
    condition = [for kind in [aws_subnet.private, aws_subnet.public, aws_subnet.intra] : [for zone in var.availability_zones : kind[zone].cidr_block]] == [
      ["10.0.0.0/19", "10.0.32.0/19", "10.0.64.0/19"],
      ["10.0.128.0/22", "10.0.132.0/22", "10.0.136.0/22"],
      ["10.0.144.0/22", "10.0.148.0/22", "10.0.152.0/22"],
    ]
    error_message = "The subnets are not where they were: a change here replaces them all."
  }
  assert {
    condition = alltrue([for subnet in aws_subnet.public :
      subnet.tags["kubernetes.io/role/elb"] == "1" && !contains(keys(subnet.tags), "karpenter.sh/discovery") && !subnet.map_public_ip_on_launch
    ])
    error_message = "Public subnets are for load balancers only."
  }
  assert {
    condition = alltrue([for subnet in aws_subnet.private :
      subnet.tags["kubernetes.io/role/internal-elb"] == "1" && subnet.tags["karpenter.sh/discovery"] == "modelserve-test"
    ])
    error_message = "Private subnets are for internal load balancers and Karpenter."
  }
  assert {
    condition = alltrue([for subnet in concat(values(aws_subnet.public), values(aws_subnet.private), values(aws_subnet.intra)) :
      startswith(subnet.tags["Name"], "modelserve-test-") && subnet.tags["team"] == "serving"
    ])
    error_message = "A subnet has not its name or not the tags."
  }
  assert {
    condition     = output.private_subnet_ids == [for zone in var.availability_zones : aws_subnet.private[zone].id]
    error_message = "Subnets come in the order of the zones."
  }
}

run "one_nat_gateway_serves_all_zones" {
  assert {
    condition     = keys(aws_nat_gateway.this) == ["eu-central-1a"] && length(aws_route.private_nat) == 3
    error_message = "single is one gateway with three routes."
  }
  assert {
    condition     = alltrue([for route in aws_route.private_nat : route.nat_gateway_id == aws_nat_gateway.this["eu-central-1a"].id])
    error_message = "All private routes go to the one gateway."
  }
}

run "nat_gateway_for_each_zone" {
  variables {
    nat_gateways = "per_zone"
  }
  assert {
    condition     = alltrue([for zone, route in aws_route.private_nat : route.nat_gateway_id == aws_nat_gateway.this[zone].id]) && length(aws_nat_gateway.this) == 3 && keys(output.nat_gateway_ids) == keys(aws_nat_gateway.this)
    error_message = "Each zone goes out by its own gateway."
  }
}

run "no_nat_gateway_with_the_endpoints_nodes_need" {
  variables {
    nat_gateways        = "none"
    interface_endpoints = ["ec2", "ecr.api", "ecr.dkr", "eks", "eks-auth", "logs", "sts"]
  }
  assert {
    condition     = length(aws_nat_gateway.this) == 0 && length(aws_eip.nat) == 0 && length(aws_route.private_nat) == 0
    error_message = "none leaves no way out of the private subnets."
  }
}

run "default_security_group_and_routes_are_closed" {
  assert {
    condition     = length(aws_default_security_group.this.ingress) == 0 && length(aws_default_security_group.this.egress) == 0
    error_message = "The default security group lets traffic through."
  }
  assert {
    condition     = length(aws_default_route_table.this.route) == 0
    error_message = "The default route table leads somewhere."
  }
}

run "only_public_subnets_lead_to_the_internet" {
  assert {
    condition     = aws_route.public_internet.route_table_id == aws_route_table.public.id
    error_message = "The route to the internet gateway is not the public table's."
  }
  assert {
    condition = alltrue([
      for association in concat(values(aws_route_table_association.private), values(aws_route_table_association.intra)) :
      association.route_table_id != aws_route_table.public.id
    ])
    error_message = "A private or intra subnet has the public route table."
  }
}

run "endpoints_answer_the_vpc_only" {
  assert {
    condition     = keys(aws_vpc_endpoint.interface) == ["ecr.api", "ecr.dkr", "logs", "secretsmanager", "sts"] && aws_vpc_endpoint.interface["ecr.dkr"].service_name == "com.amazonaws.eu-central-1.ecr.dkr"
    error_message = "The default endpoints are others."
  }
  assert {
    condition     = alltrue([for endpoint in aws_vpc_endpoint.interface : endpoint.private_dns_enabled && endpoint.security_group_ids == toset([aws_security_group.endpoints.id])])
    error_message = "An interface endpoint has no private name, or other security groups."
  }
  assert {
    condition = (
      aws_vpc_security_group_ingress_rule.endpoints_https.cidr_ipv4 == "10.0.0.0/16" &&
      aws_vpc_security_group_ingress_rule.endpoints_https.from_port == 443 &&
      aws_vpc_security_group_ingress_rule.endpoints_https.to_port == 443
    )
    error_message = "Endpoints are open to more than HTTPS from the VPC."
  }
  assert {
    condition = alltrue(flatten([for endpoint in aws_vpc_endpoint.gateway : [
      for statement in jsondecode(endpoint.policy).Statement : (
        try(statement.Condition.StringEquals["aws:PrincipalAccount"], "") == "123456789012" && try(statement.Condition.StringEquals["aws:ResourceAccount"], "") == "123456789012"
        ) || alltrue([
          for action in flatten([statement.Action]) : contains(["s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket"], action)
      ])
    ]]))
    error_message = "A gateway endpoint lets others write, or write to others."
  }
}

run "flow_logs_are_encrypted_and_their_role_writes_only_them" {
  assert {
    condition     = aws_cloudwatch_log_group.flow_logs.kms_key_id == var.log_kms_key_arn && aws_cloudwatch_log_group.flow_logs.retention_in_days == 365 && aws_flow_log.this.traffic_type == "ALL"
    error_message = "Flow logs are not all kept for a year under the key."
  }
  assert {
    condition = alltrue([for statement in jsondecode(aws_iam_role_policy.flow_logs.policy).Statement :
      statement.Action == ["logs:DescribeLogGroups"] || (
        statement.Resource == ["arn:aws:logs:eu-central-1:123456789012:log-group:/aws/vpc/modelserve-test/flow-logs:*"] &&
        alltrue([for action in statement.Action : startswith(action, "logs:") && !strcontains(action, "*")])
      )
    ])
    error_message = "The flow log's role may do more than write its group."
  }
  assert {
    condition     = jsondecode(aws_iam_role.flow_logs.assume_role_policy).Statement[0].Condition.StringEquals["aws:SourceAccount"] == "123456789012"
    error_message = "Flow logs of other accounts could use the role."
  }
}

run "example" {
  module {
    source = "./examples/dev"
  }
  assert {
    condition     = length(output.private_subnet_ids) == 3 && length(output.intra_subnet_ids) == 3
    error_message = "The example makes no network of three zones."
  }
}

run "refuses_a_public_range" {
  command = plan
  variables {
    cidr_block = "8.8.0.0/16"
  }
  expect_failures = [var.cidr_block]
}

run "refuses_a_range_too_small" {
  command = plan
  variables {
    cidr_block = "10.0.0.0/24"
  }
  expect_failures = [var.cidr_block]
}

run "refuses_two_zones" {
  command = plan
  variables {
    availability_zones = ["eu-central-1a", "eu-central-1b"]
  }
  expect_failures = [var.availability_zones]
}

run "refuses_a_zone_twice" {
  command = plan
  variables {
    availability_zones = ["eu-central-1a", "eu-central-1b", "eu-central-1b"]
  }
  expect_failures = [var.availability_zones]
}

run "refuses_no_nat_without_the_endpoints_nodes_need" {
  command = plan
  variables {
    nat_gateways = "none"
  }
  expect_failures = [aws_vpc.this]
}

run "refuses_unknown_nat_gateways" {
  command = plan
  variables {
    nat_gateways = "two"
  }
  expect_failures = [var.nat_gateways]
}

run "refuses_a_paid_endpoint_for_s3" {
  command = plan
  variables {
    interface_endpoints = ["s3", "sts"]
  }
  expect_failures = [var.interface_endpoints]
}

run "refuses_full_names_of_endpoints" {
  command = plan
  variables {
    interface_endpoints = ["COM.amazonaws.eu-central-1.sts"]
  }
  expect_failures = [var.interface_endpoints]
}

run "refuses_an_alias_for_a_key" {
  command = plan
  variables {
    log_kms_key_arn = "alias/logs"
  }
  expect_failures = [var.log_kms_key_arn]
}

run "refuses_a_retention_that_cloudwatch_lacks" {
  command = plan
  variables {
    flow_log_retention_days = 42
  }
  expect_failures = [var.flow_log_retention_days]
}

run "refuses_a_name_with_capitals" {
  command = plan
  variables {
    name = "Modelserve"
  }
  expect_failures = [var.name]
}
