variable "environment" {
  description = "Which environment it is, such as `dev`: the end of the name `modelserve-ENVIRONMENT` that all names begin with, the tag that costs are told apart by, and the folders in Git."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,17}[a-z0-9]$", var.environment))
    error_message = "environment has 2 to 19 lower case letters, digits and hyphens, such as dev."
  }
}

variable "is_protected" {
  description = "Whether what holds data refuses to be deleted. Off for an environment that is thrown away, with all that is in it."
  type        = bool
  default     = true
}

variable "is_multi_zone" {
  description = "Whether the loss of a zone is outlived: a NAT gateway for each, copies of the database and the cache."
  type        = bool
  default     = true
}

variable "cidr_block" {
  description = "Private IPv4 range of the VPC, over the region's zones a, b and c."
  type        = string
}

variable "kubernetes_version" {
  description = "Kubernetes version. One here for all environments, each of which may be ahead of it."
  type        = string
  default     = "1.35"
}

variable "public_access_cidrs" {
  description = "Addresses that reach the API server from outside the VPC, if any."
  type        = list(string)
  default     = []
}

variable "administrators_role_arn" {
  description = "IAM role of the cluster's administrators."
  type        = string
}

# The module `cluster` says what a group is, and refuses what is none.
variable "node_groups" {
  description = "Managed node groups by name, as the module `cluster` takes them."
  type        = any
}

variable "karpenter" {
  description = "The most that Karpenter may start beside the groups: cores, and GPUs (0 for no machines with one)."
  type        = object({ cores = number, gpus = number })
}

variable "models" {
  description = "Models by their service accounts in the namespace `modelserve`; each reads its folder in the bucket `models`."
  type        = set(string)
  default     = ["bert-ner", "resnet-classifier"]

  validation {
    condition     = alltrue([for model in var.models : can(regex("^[a-z][a-z0-9-]{0,28}[a-z0-9]$", model))])
    error_message = "models are names of service accounts: 2 to 30 lower case letters, digits and hyphens, such as bert-ner."
  }

  # The platform's roles would take the place of theirs.
  validation {
    condition     = length(setintersection(var.models, ["external-secrets", "load-balancer-controller", "prometheus"])) == 0
    error_message = "models are called otherwise than external-secrets, load-balancer-controller and prometheus, which have roles of the platform."
  }
}

variable "images" {
  description = "Image repositories, by what comes after the environment's name: those of `scripts/build_images.sh`."
  type        = set(string)
  default = [
    "bert-ner", "resnet-classifier", "ner-text", "image-tensors", "token-attribution", "image-attribution",
    "drift-detector", "canary-controller", "pipelines",
  ]
}

variable "domain" {
  description = "Domain whose subdomains are the models' hosts, such as `models.example.com`; no other environment's."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]{2,}$", var.domain))
    error_message = "domain is a DNS name in lower case without a wildcard, such as models.example.com."
  }
}

variable "zone_id" {
  description = "Public Route 53 zone of the domain."
  type        = string
}

variable "client_cidrs" {
  description = "IPv4 ranges that the load balancer answers. `0.0.0.0/0` is everybody, and is to be said."
  type        = set(string)
}

variable "requests_per_5_minutes" {
  description = "Requests of one address in five minutes; 100 of them may load and unload models."
  type        = number
}

variable "database" {
  description = "Class and GiB of PostgreSQL."
  type        = object({ class = string, storage_gib = number })
}

variable "cache_type" {
  description = "Node type of the cache."
  type        = string
}

variable "git_url" {
  description = "Repository that the cluster follows: the platform's manifests in `clusters/ENVIRONMENT`, the models' in `inferenceservices/overlays/ENVIRONMENT`."
  type        = string
}

variable "github" {
  description = "Who of GitHub's jobs plans, applies and pushes, as the module `identity` takes it; the repositories are the module's own."
  type = object({
    provider_arn      = optional(string)
    plan_subjects     = optional(set(string), [])
    apply_subjects    = optional(set(string), [])
    push_subjects     = optional(set(string), [])
    state_bucket_arn  = optional(string)
    state_kms_key_arn = optional(string)
  })
  default = {}
}

variable "emails" {
  description = "Addresses that get the alarms and notices of costs."
  type        = set(string)
}

variable "monthly_budget_usd" {
  description = "USD a month for all of it."
  type        = number
}

variable "anomaly_usd" {
  description = "USD above what a service costs as a rule, from which a notice comes; null where the account has a watch already."
  type        = number
  default     = null
}

variable "managed_prometheus" {
  description = "Whether there is a managed Prometheus."
  type        = bool
  default     = false
}

variable "log_retention_days" {
  description = "Days that logs are kept, one of those from 30 on that CloudWatch knows."
  type        = number
  default     = 365

  validation {
    condition     = contains([30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days is one of those from 30 on that CloudWatch knows, such as 30, 90, 365 or 731."
  }
}
