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

variable "kms_key_arn" {
  description = "KMS key of the notices and of the groups of logs. Its policy allows `logs`, `cloudwatch`, `budgets` and `costalerts`."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn is the ARN of a key, not of an alias (arn:aws:kms:REGION:ACCOUNT:key/ID)."
  }
}

variable "emails" {
  description = "Addresses that get the notices; each is asked once whether it wants them."
  type        = set(string)

  validation {
    condition     = alltrue([for email in var.emails : can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", email))])
    error_message = "emails are addresses, such as oncall@example.com."
  }
}

variable "log_groups" {
  description = "Groups of logs that the cluster's collectors write to, with the days that they are kept; the names are `/NAME/GROUP`."
  type        = map(number)
  default     = {}

  validation {
    condition = alltrue([for days in values(var.log_groups) : contains(
      [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], days,
    )])
    error_message = "Logs are kept for a number of days that CloudWatch knows, such as 30, 90, 365 or 731."
  }
}

variable "databases" {
  description = "Databases to watch: `identifier` at RDS, and `storage_gib` of its disk."
  type        = map(object({ identifier = string, storage_gib = number }))
  default     = {}
}

variable "cache_node_ids" {
  description = "Nodes of the cache to watch."
  type        = list(string)
  default     = []
}

variable "load_balancers" {
  description = "Load balancers to watch, as their metrics name them: `name` (`app/NAME/ID`) and `target_group` (`targetgroup/NAME/ID`)."
  type        = map(object({ name = string, target_group = string }))
  default     = {}
}

variable "autoscaling_groups" {
  description = "Auto Scaling groups whose machines are watched, by their names."
  type        = map(string)
  default     = {}
}

variable "nat_gateway_ids" {
  description = "NAT gateways to watch, by names such as their zones."
  type        = map(string)
  default     = {}
}

variable "thresholds" {
  description = "What is too much or too little: per cent, except for `database_connections`, `refusals` (calls in five minutes that the load balancer itself answers with 5xx) and `latency_seconds` of the slowest in a hundred calls."
  type = object({
    cpu_percent          = optional(number, 80)
    free_storage_percent = optional(number, 15)
    database_connections = optional(number, 100)
    cache_memory_percent = optional(number, 80)
    error_percent        = optional(number, 1)
    refusals             = optional(number, 10)
    latency_seconds      = optional(number, 5)
  })
  default = {}

  validation {
    condition     = alltrue([for percent in [var.thresholds.cpu_percent, var.thresholds.free_storage_percent, var.thresholds.cache_memory_percent, var.thresholds.error_percent] : percent > 0 && percent < 100]) && alltrue([for number in [var.thresholds.database_connections, var.thresholds.refusals, var.thresholds.latency_seconds] : number > 0])
    error_message = "Thresholds in per cent are between 0 and 100, the others are more than 0."
  }
}

variable "monthly_budget_usd" {
  description = "USD a month for what has `budget_tags`; a notice comes at 80 % and 100 %, and when the month is on its way beyond."
  type        = number

  validation {
    condition     = var.monthly_budget_usd > 0
    error_message = "monthly_budget_usd is more than 0."
  }
}

variable "budget_tags" {
  description = "Tags of what the budget counts. They count once they are activated as cost allocation tags."
  type        = map(string)

  validation {
    condition     = length(var.budget_tags) > 0
    error_message = "budget_tags has at least one tag, such as { environment = \"dev\" }: without one the budget is the account's."
  }
}

variable "anomaly_usd" {
  description = "USD above what a service costs as a rule, from which a notice comes. Null for none: an account has one monitor of all services."
  type        = number
  default     = null

  validation {
    condition     = var.anomaly_usd == null || try(var.anomaly_usd > 0, false)
    error_message = "anomaly_usd is more than 0, or null."
  }
}

variable "managed_prometheus" {
  description = "Whether there is a managed Prometheus, for `remote_write` of the cluster's."
  type        = bool
  default     = false
}
