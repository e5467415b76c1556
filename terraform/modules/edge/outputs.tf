output "load_balancer_name" {
  description = "The load balancer as its metrics name it, for alarms (`app/NAME/ID`)."
  value       = aws_lb.this.arn_suffix
}

output "load_balancer_dns_name" {
  description = "The load balancer's own address."
  value       = aws_lb.this.dns_name
}

output "target_group_arn" {
  description = "Target group that the cluster registers its gateway's pods in."
  value       = aws_lb_target_group.this.arn
}

output "target_group_name" {
  description = "The target group as its metrics name it (`targetgroup/NAME/ID`)."
  value       = aws_lb_target_group.this.arn_suffix
}

output "web_acl_arn" {
  description = "ARN of the firewall."
  value       = aws_wafv2_web_acl.this.arn
}
