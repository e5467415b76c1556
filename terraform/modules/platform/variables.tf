variable "name" {
  description = "Name of the cluster, by which Karpenter finds its subnets and security group."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,28}[a-z0-9]$", var.name))
    error_message = "name has 3 to 30 lower case letters, digits and hyphens, begins with a letter and ends with no hyphen."
  }
}

variable "tags" {
  description = "Tags of the machines that Karpenter starts, and of their volumes: the provider's default tags do not reach them."
  type        = map(string)
  default     = {}
}

variable "region" {
  description = "Region of the cluster, which its pods do not find out by themselves."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region is a region's name, such as eu-central-1."
  }
}

variable "vpc_id" {
  description = "ID of the cluster's VPC, for the load balancer controller."
  type        = string
}

variable "chart_repository" {
  description = "OCI repository that holds the charts of the output `charts` under their names: `oci://HOST/PATH`, such as the account's own ECR. The cluster takes nothing from anywhere else."
  type        = string

  validation {
    condition     = can(regex("^oci://[^/ ]+(/[^ ]*[^/ ])?$", var.chart_repository))
    error_message = "chart_repository is oci://HOST or oci://HOST/PATH, without a slash at the end."
  }
}

variable "git" {
  description = "Repository that the cluster follows: `path` has this module's manifests, `overlay` the models'."
  type = object({
    url      = string
    revision = optional(string, "main")
    path     = string
    overlay  = string
  })

  validation {
    condition     = can(regex("^(https|ssh)://[^ ]+$", var.git.url))
    error_message = "git.url is https://HOST/PATH or ssh://USER@HOST/PATH."
  }

  validation {
    condition     = alltrue([for path in [var.git.path, var.git.overlay] : can(regex("^[^/ ][^ ]*[^/ ]$", path))])
    error_message = "git.path and git.overlay are folders in the repository, without a slash at the begin or end."
  }
}

variable "domain" {
  description = "Domain whose subdomains are the models' hosts: NAME-NAMESPACE.DOMAIN."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]{2,}$", var.domain))
    error_message = "domain is a DNS name in lower case, such as models.example.com."
  }
}

variable "target_group_arn" {
  description = "Target group of the load balancer, which the gateway's pods are registered in."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:targetgroup/.+$", var.target_group_arn))
    error_message = "target_group_arn is the ARN of a target group."
  }
}

variable "karpenter" {
  description = "What the module `cluster` made for Karpenter, and the most that it may start: cores, and GPUs (0 for no machines with one)."
  type = object({
    queue_name       = string
    instance_profile = string
    cores            = number
    gpus             = number
  })

  validation {
    condition     = var.karpenter.cores >= 4 && var.karpenter.gpus >= 0
    error_message = "karpenter.cores is at least 4, the least machine; karpenter.gpus is 0 or more."
  }
}
