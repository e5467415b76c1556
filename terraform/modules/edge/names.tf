resource "aws_acm_certificate" "this" {
  domain_name               = var.hosts[0]
  subject_alternative_names = slice(var.hosts, 1, length(var.hosts))
  validation_method         = "DNS"

  tags = merge(var.tags, { Name = var.name })

  lifecycle {
    create_before_destroy = true
  }
}

locals {
  # A name and its wildcard are validated by the same record.
  validated = toset([for host in var.hosts : trimprefix(host, "*.")])
  options   = { for option in aws_acm_certificate.this.domain_validation_options : trimprefix(option.domain_name, "*.") => option... }
}

resource "aws_route53_record" "validation" {
  for_each = local.validated

  zone_id = var.zone_id
  name    = local.options[each.value][0].resource_record_name
  type    = local.options[each.value][0].resource_record_type
  records = [local.options[each.value][0].resource_record_value]
  ttl     = 300
  # An account has one such record for a name, whatever the certificates: one that was left behind, or is
  # another region's, says the same.
  allow_overwrite = true
}

resource "aws_acm_certificate_validation" "this" {
  certificate_arn         = aws_acm_certificate.this.arn
  validation_record_fqdns = [for record in aws_route53_record.validation : record.fqdn]
}

resource "aws_route53_record" "host" {
  for_each = toset(var.hosts)

  zone_id = var.zone_id
  name    = each.value
  type    = "A"
  # A host that leads to another environment is not taken over.
  allow_overwrite = false

  alias {
    name                   = aws_lb.this.dns_name
    zone_id                = aws_lb.this.zone_id
    evaluate_target_health = true
  }
}
