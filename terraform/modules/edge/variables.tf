variable "name" {
  description = "Beginning of all names, such as `modelserve-dev`."
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

variable "vpc_id" {
  description = "VPC of the subnets."
  type        = string
}

variable "subnet_ids" {
  description = "Public subnets, one in each zone."
  type        = list(string)

  validation {
    condition     = length(distinct(var.subnet_ids)) >= 2
    error_message = "subnet_ids names at least two subnets, of different zones."
  }
}

variable "client_cidrs" {
  description = "IPv4 ranges that the load balancer answers. `0.0.0.0/0` is everybody, and is to be said."
  type        = set(string)

  validation {
    condition     = length(var.client_cidrs) > 0 && alltrue([for cidr in var.client_cidrs : can(cidrnetmask(cidr))])
    error_message = "client_cidrs names at least one IPv4 range, such as 203.0.113.0/24."
  }
}

variable "zone_id" {
  description = "Public Route 53 zone of the hosts."
  type        = string

  validation {
    condition     = can(regex("^[A-Z0-9]{8,32}$", var.zone_id))
    error_message = "zone_id is the ID of a hosted zone, such as Z0123456789ABCDEFGHIJ."
  }
}

variable "hosts" {
  description = "Names that are answered, such as `*.models.example.com`. The certificate is of all of them."
  type        = list(string)

  validation {
    condition     = length(var.hosts) > 0 && alltrue([for host in var.hosts : can(regex("^(\\*\\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]{2,}$", host))])
    error_message = "hosts are DNS names in lower case, the first part of which may be *."
  }
}

variable "target" {
  description = "The cluster's gateway: the security group of its pods, their port, and the port and path that tell that one is ready. The defaults are those of Istio's gateway."
  type = object({
    security_group_id = string
    port              = optional(number, 80)
    health_port       = optional(number, 15021)
    health_path       = optional(string, "/healthz/ready")
  })

  validation {
    condition     = alltrue([for port in [var.target.port, var.target.health_port] : port >= 1 && port <= 65535 && floor(port) == port]) && startswith(var.target.health_path, "/")
    error_message = "target's ports are from 1 to 65535, and health_path begins with a slash."
  }
}

variable "oidc" {
  description = "Login of people at an OpenID provider, for `hosts` among the module's, such as dashboards; programs carry tokens, which the cluster checks. The client's secret is read from Secrets Manager. None without it."
  type = object({
    issuer                 = string
    authorization_endpoint = string
    token_endpoint         = string
    user_info_endpoint     = string
    client_id              = string
    client_secret_arn      = string
    hosts                  = list(string)
  })
  default = null

  validation {
    condition = var.oidc == null || alltrue([
      for url in try([var.oidc.issuer, var.oidc.authorization_endpoint, var.oidc.token_endpoint, var.oidc.user_info_endpoint], []) : can(regex("^https://[^ ]+$", url))
    ])
    error_message = "oidc's issuer and endpoints begin with https://."
  }

  validation {
    condition     = var.oidc == null || try(length(var.oidc.hosts) > 0 && length(var.oidc.hosts) <= 5, false)
    error_message = "oidc.hosts names one to five hosts, as many as a rule of a load balancer has."
  }
}

variable "requests_per_5_minutes" {
  description = "Requests of one address in five minutes, after which it is refused for a while: `all`, and `paths` by what they begin with."
  type = object({
    all   = optional(number, 10000)
    paths = optional(map(number), {})
  })
  default = {}

  validation {
    condition = alltrue([for limit in concat([var.requests_per_5_minutes.all], values(var.requests_per_5_minutes.paths)) : limit >= 10 && limit <= 2000000000]) && alltrue([
      for path in keys(var.requests_per_5_minutes.paths) : startswith(path, "/")
    ])
    error_message = "Limits are from 10 to 2,000,000,000, and paths begin with a slash."
  }
}

variable "logs_bucket" {
  description = "Bucket of the access logs, whose policy lets load balancers write under `load-balancers/`."
  type        = string
}

variable "log_kms_key_arn" {
  description = "KMS key of the firewall's group of logs. Its policy allows the service `logs` of the region."
  type        = string
}

variable "log_retention_days" {
  description = "Days that the firewall's logs are kept, one of those that CloudWatch knows."
  type        = number
  default     = 90

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days is one of those that CloudWatch knows, such as 30, 90, 365 or 731."
  }
}

variable "deletion_protection" {
  description = "Whether the load balancer refuses to be deleted. Off for environments that are thrown away."
  type        = bool
  default     = true
}
