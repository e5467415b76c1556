output "vpc_id" {
  description = "ID of the VPC."
  value       = aws_vpc.this.id
}

output "vpc_cidr_block" {
  description = "IPv4 range of the VPC."
  value       = aws_vpc.this.cidr_block
}

output "public_subnet_ids" {
  description = "IDs of the public subnets, in the order of `availability_zones`."
  value       = [for zone in var.availability_zones : aws_subnet.public[zone].id]
}

output "private_subnet_ids" {
  description = "IDs of the private subnets for nodes and pods, in the order of `availability_zones`."
  value       = [for zone in var.availability_zones : aws_subnet.private[zone].id]
}

output "intra_subnet_ids" {
  description = "IDs of the subnets without a way out, for data and the control plane, in the order of `availability_zones`."
  value       = [for zone in var.availability_zones : aws_subnet.intra[zone].id]
}

output "nat_public_ips" {
  description = "Addresses that calls from the private subnets come from, for the allow lists of others."
  value       = [for address in aws_eip.nat : address.public_ip]
}

output "nat_gateway_ids" {
  description = "IDs of the NAT gateways by their availability zones, for alarms."
  value       = { for zone, gateway in aws_nat_gateway.this : zone => gateway.id }
}

output "endpoint_security_group_id" {
  description = "Security group of the interface endpoints."
  value       = aws_security_group.endpoints.id
}

output "flow_log_group_name" {
  description = "CloudWatch log group of the flow log."
  value       = aws_cloudwatch_log_group.flow_logs.name
}
