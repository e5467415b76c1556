locals {
  efa_groups = { for key, group in var.node_groups : key => group if group.efa_interfaces > 0 }
}

resource "aws_placement_group" "efa" {
  for_each = local.efa_groups

  name     = "${var.name}-${each.key}"
  strategy = "cluster"

  tags = var.tags
}

# EFA passes over the IP stack: its traffic is allowed by a group that names itself, in and out.
resource "aws_security_group" "efa" {
  for_each = local.efa_groups

  name        = "${var.name}-${each.key}-efa"
  description = "EFA between the nodes ${each.key} of ${var.name}"
  vpc_id      = aws_eks_cluster.this.vpc_config[0].vpc_id

  tags = merge(var.tags, { Name = "${var.name}-${each.key}-efa" })
}

resource "aws_vpc_security_group_ingress_rule" "efa" {
  for_each = local.efa_groups

  security_group_id            = aws_security_group.efa[each.key].id
  description                  = "EFA from the group's nodes"
  ip_protocol                  = "-1"
  referenced_security_group_id = aws_security_group.efa[each.key].id

  tags = var.tags
}

resource "aws_vpc_security_group_egress_rule" "efa" {
  for_each = local.efa_groups

  security_group_id            = aws_security_group.efa[each.key].id
  description                  = "EFA to the group's nodes"
  ip_protocol                  = "-1"
  referenced_security_group_id = aws_security_group.efa[each.key].id

  tags = var.tags
}
