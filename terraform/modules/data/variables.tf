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
  description = "Subnets of at least two zones, which need no way out."
  type        = list(string)

  validation {
    condition     = length(distinct(var.subnet_ids)) >= 2
    error_message = "subnet_ids names at least two subnets, of different zones."
  }
}

variable "client_security_group_ids" {
  description = "Security groups whose members reach the database and the cache, by names for their rules. Nobody else does."
  type        = map(string)

  validation {
    condition     = length(var.client_security_group_ids) > 0 && alltrue([for name in keys(var.client_security_group_ids) : can(regex("^[a-z][a-z0-9-]*$", name))])
    error_message = "client_security_group_ids names at least one group; names have lower case letters, digits and hyphens."
  }
}

variable "kms_key_arn" {
  description = "KMS key of what is stored, of the database's password and of Performance Insights."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn is the ARN of a key, not of an alias (arn:aws:kms:REGION:ACCOUNT:key/ID)."
  }
}

variable "log_kms_key_arn" {
  description = "KMS key of the groups of logs. Its policy allows the service `logs` of the region."
  type        = string
}

variable "log_retention_days" {
  description = "Days that logs are kept, one of those that CloudWatch knows."
  type        = number
  default     = 365

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days is one of those that CloudWatch knows, such as 30, 90, 365 or 731."
  }
}

variable "deletion_protection" {
  description = "Whether the database refuses to be deleted, and leaves a last snapshot when it is. Off for environments that are thrown away."
  type        = bool
  default     = true
}

variable "multi_zone" {
  description = "Whether the database and the cache have a copy in another zone that takes over."
  type        = bool
  default     = true
}

variable "database" {
  description = "PostgreSQL: `version` is the major one, `class` the machine, `storage_gib` grow up to `most_storage_gib`, and backups are kept for `backup_days`."
  type = object({
    version          = optional(string, "17")
    class            = optional(string, "db.t4g.medium")
    storage_gib      = optional(number, 20)
    most_storage_gib = optional(number, 100)
    backup_days      = optional(number, 14)
  })
  default = {}

  validation {
    condition     = can(regex("^1[4-9]$", var.database.version))
    error_message = "database.version is a major one from 14 on, such as 17: minor versions come in the maintenance window."
  }

  validation {
    condition     = can(regex("^db\\.[a-z0-9]+\\.[0-9a-z]+$", var.database.class))
    error_message = "database.class is a class of RDS, such as db.t4g.medium."
  }

  validation {
    condition     = var.database.storage_gib >= 20 && var.database.most_storage_gib >= ceil(var.database.storage_gib * 1.1)
    error_message = "database.storage_gib is at least 20; most_storage_gib is at least a tenth more, as RDS wants it."
  }

  validation {
    condition     = var.database.backup_days >= 1 && var.database.backup_days <= 35
    error_message = "database.backup_days is from 1 to 35: without backups nothing is had back."
  }
}

variable "cache" {
  description = "Valkey, which speaks Redis' protocol: `type` is the machine, `auth_token_secret_arn` the secret with the token that clients name themselves by."
  type = object({
    version               = optional(string, "8.0")
    type                  = optional(string, "cache.t4g.small")
    snapshot_days         = optional(number, 3)
    auth_token_secret_arn = string
  })

  validation {
    condition     = can(regex("^[78]\\.[0-9]$", var.cache.version))
    error_message = "cache.version is a version of Valkey with its minor one, such as 8.0."
  }

  validation {
    condition     = can(regex("^cache\\.[a-z0-9]+\\.[0-9a-z]+$", var.cache.type))
    error_message = "cache.type is a node type of ElastiCache, such as cache.t4g.small."
  }

  validation {
    condition     = can(regex("^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:.+$", var.cache.auth_token_secret_arn))
    error_message = "cache.auth_token_secret_arn is the ARN of a secret."
  }
}
