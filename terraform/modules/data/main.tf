locals {
  ports = { database = 5432, cache = 6379 }
}

resource "aws_security_group" "this" {
  for_each = local.ports

  name        = "${var.name}-${each.key}"
  description = "Clients of the ${each.key} of ${var.name}"
  vpc_id      = var.vpc_id

  tags = merge(var.tags, { Name = "${var.name}-${each.key}" })
}

# No rules of the way out: neither calls anybody.
resource "aws_vpc_security_group_ingress_rule" "this" {
  for_each = merge([for kind, port in local.ports : {
    for client, group in var.client_security_group_ids : "${kind}-${client}" => { kind = kind, port = port, group = group, client = client }
  }]...)

  security_group_id            = aws_security_group.this[each.value.kind].id
  description                  = "From ${each.value.client}"
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
  referenced_security_group_id = each.value.group

  tags = var.tags
}
