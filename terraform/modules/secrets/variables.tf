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

variable "keys" {
  description = "A KMS key for each purpose. `services` are those of AWS that use it by themselves: `logs` (CloudWatch), `cloudwatch` (alarms), `budgets` and `costalerts` (notices to an encrypted topic)."
  type = map(object({
    description = string
    services    = optional(set(string), [])
  }))

  validation {
    condition     = alltrue([for purpose in keys(var.keys) : can(regex("^[a-z][a-z0-9-]{0,28}[a-z0-9]$", purpose))])
    error_message = "Purposes of keys become names: 2 to 30 lower case letters, digits and hyphens."
  }

  validation {
    condition     = alltrue(flatten([for key in var.keys : [for service in key.services : contains(["logs", "cloudwatch", "budgets", "costalerts"], service)]]))
    error_message = "services are of logs, cloudwatch, budgets and costalerts; others use a key by the rights of their roles."
  }
}

variable "secrets" {
  description = "Secrets by their names. `key` is the purpose of the key that encrypts it; with `generate` its first value is made by Secrets Manager; a Lambda function at `rotation_lambda_arn`, if any, changes it every `rotation_days`."
  type = map(object({
    description         = string
    key                 = string
    generate            = optional(bool, false)
    rotation_lambda_arn = optional(string)
    rotation_days       = optional(number)
  }))
  default = {}

  validation {
    condition     = alltrue([for name in keys(var.secrets) : can(regex("^[a-z][a-z0-9-]{0,28}[a-z0-9]$", name))])
    error_message = "Names of secrets have 2 to 30 lower case letters, digits and hyphens."
  }

  validation {
    condition     = alltrue([for secret in var.secrets : secret.rotation_days == null ? true : secret.rotation_days >= 1 && secret.rotation_days <= 1000])
    error_message = "rotation_days is from 1 to 1000."
  }

  validation {
    condition     = alltrue([for secret in var.secrets : (secret.rotation_days == null) == (secret.rotation_lambda_arn == null)])
    error_message = "rotation_lambda_arn and rotation_days go together: who changes the value, and how often."
  }

  validation {
    condition     = alltrue([for secret in var.secrets : secret.rotation_lambda_arn == null ? true : can(regex("^arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:function:.+$", secret.rotation_lambda_arn))])
    error_message = "rotation_lambda_arn is the ARN of a Lambda function."
  }
}

variable "recovery_window_days" {
  description = "Days in which a deleted secret can be had back; 0 deletes it at once, so that an environment of the same name can be made anew."
  type        = number
  default     = 30

  validation {
    condition     = var.recovery_window_days == 0 || (var.recovery_window_days >= 7 && var.recovery_window_days <= 30)
    error_message = "recovery_window_days is 0 or from 7 to 30."
  }
}
