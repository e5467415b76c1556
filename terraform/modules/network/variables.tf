variable "name" {
  description = "Beginning of all names, and the name of the cluster that Karpenter finds its subnets by, such as `modelserve-dev`."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,28}[a-z0-9]$", var.name))
    error_message = "name has 3 to 30 lower case letters, digits and hyphens, begins with a letter and ends with no hyphen."
  }
}

variable "tags" {
  description = "Tags of all resources, beside the provider's default tags."
  type        = map(string)
  default     = {}
}

variable "cidr_block" {
  description = "Private IPv4 range of the VPC. Pods take their addresses from it too."
  type        = string
  default     = "10.0.0.0/16"

  validation {
    condition = can(cidrnetmask(var.cidr_block)) && can(regex(
      "^(10\\.|172\\.(1[6-9]|2[0-9]|3[01])\\.|192\\.168\\.|100\\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\\.).*/(16|17|18|19|20)$",
      var.cidr_block,
    ))
    error_message = "cidr_block is an IPv4 range of 10/8, 172.16/12, 192.168/16 or 100.64/10 with a prefix of 16 to 20, such as 10.0.0.0/16."
  }
}

variable "availability_zones" {
  description = "Three availability zones by name. They are named, and not asked for, so that a new zone of the region moves no subnet."
  type        = list(string)

  validation {
    condition = length(distinct(var.availability_zones)) == 3 && length(var.availability_zones) == 3 && alltrue([
      for zone in var.availability_zones : can(regex("^[a-z]{2}(-[a-z]+)+-[0-9][a-z]$", zone))
    ])
    error_message = "availability_zones names three different zones, such as [\"eu-central-1a\", \"eu-central-1b\", \"eu-central-1c\"]."
  }
}

variable "nat_gateways" {
  description = "Way out of the private subnets: `per_zone` outlives the loss of a zone, `single` is cheaper, with `none` only the endpoints are reached."
  type        = string
  default     = "single"

  validation {
    condition     = contains(["per_zone", "single", "none"], var.nat_gateways)
    error_message = "nat_gateways is per_zone, single or none."
  }
}

variable "interface_endpoints" {
  description = "AWS services that are reached inside the VPC, by the last part of the endpoint's name. Each is in three zones and paid by the hour."
  type        = set(string)
  default     = ["ecr.api", "ecr.dkr", "logs", "secretsmanager", "sts"]

  validation {
    condition     = alltrue([for service in var.interface_endpoints : can(regex("^[a-z0-9-]+(\\.[a-z0-9-]+)*$", service))])
    error_message = "interface_endpoints are services such as \"sts\" or \"ecr.api\", without com.amazonaws.REGION."
  }

  validation {
    condition     = length(setintersection(var.interface_endpoints, ["s3", "dynamodb"])) == 0
    error_message = "s3 and dynamodb have gateway endpoints here, which cost nothing; leave them out of interface_endpoints."
  }
}

variable "log_kms_key_arn" {
  description = "KMS key of the flow log's group. Its policy allows the service `logs` of the region."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[a-z0-9-]+$", var.log_kms_key_arn))
    error_message = "log_kms_key_arn is the ARN of a KMS key (arn:aws:kms:REGION:ACCOUNT:key/ID), not an alias."
  }
}

variable "flow_log_retention_days" {
  description = "Days that flow logs are kept, one of those that CloudWatch knows."
  type        = number
  default     = 365

  validation {
    condition     = contains([30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.flow_log_retention_days)
    error_message = "flow_log_retention_days is one of 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }
}
