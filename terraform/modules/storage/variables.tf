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
  description = "KMS key of the buckets for models and data, and of the repositories."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn is the ARN of a key, not of an alias (arn:aws:kms:REGION:ACCOUNT:key/ID)."
  }
}

variable "repositories" {
  description = "Image repositories, by what comes after `NAME/`, such as `bert-ner`."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for repository in var.repositories : can(regex("^[a-z0-9]+([._-][a-z0-9]+)*(/[a-z0-9]+([._-][a-z0-9]+)*)*$", repository))])
    error_message = "Names of repositories have lower case letters and digits, with single hyphens, dots, underscores and slashes between them."
  }
}

variable "kept_images" {
  description = "Tagged images that a repository keeps; the oldest go first."
  type        = number
  default     = 50

  validation {
    condition     = var.kept_images >= 2
    error_message = "kept_images is at least 2: the one that runs and the one that a rollback wants."
  }
}

variable "days" {
  description = "How long things are kept: `old_models` that were overwritten or deleted, mirrored `requests`, `reports` of drift and shadow, `logs` of access."
  type = object({
    old_models = optional(number, 90)
    requests   = optional(number, 30)
    reports    = optional(number, 365)
    logs       = optional(number, 365)
  })
  default = {}

  validation {
    condition     = min(var.days.old_models, var.days.requests, var.days.logs) >= 1 && var.days.reports > 30
    error_message = "old_models, requests and logs are kept for at least a day, reports for more than the 30 after which they move to a cheaper class."
  }
}

variable "force_destroy" {
  description = "Whether buckets and repositories are deleted with all that is in them. For environments that are thrown away."
  type        = bool
  default     = false
}
