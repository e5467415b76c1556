variable "name" {
  description = "Name of the cluster, and beginning of all names, such as `modelserve-dev`."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,28}[a-z0-9]$", var.name))
    error_message = "name has 3 to 30 lower case letters, digits and hyphens, begins with a letter and ends with no hyphen."
  }
}

variable "tags" {
  description = "Tags of all resources, beside the provider's default tags; both are put on machines and their volumes too."
  type        = map(string)
  default     = {}
}

variable "kubernetes_version" {
  description = "Kubernetes version, such as `1.35`. It has no default: one written here would grow old, and EKS upgrades a cluster whose version is."
  type        = string

  validation {
    condition     = can(regex("^1\\.(3[2-9]|[4-9][0-9])$", var.kubernetes_version))
    error_message = "kubernetes_version is a minor version from 1.32 on, such as \"1.35\", without a patch."
  }
}

variable "subnet_ids" {
  description = "Private subnets for nodes and pods, one in each zone."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "subnet_ids names subnets of two zones or more."
  }
}

variable "control_plane_subnet_ids" {
  description = "Subnets for the control plane's interfaces; they need no way out."
  type        = list(string)

  validation {
    condition     = length(var.control_plane_subnet_ids) >= 2
    error_message = "control_plane_subnet_ids names subnets of two zones or more."
  }
}

variable "public_access_cidrs" {
  description = "Addresses that reach the API server from outside the VPC. None, the default, keeps it private: only the VPC, and what is routed into it, reaches it."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.public_access_cidrs : can(cidrnetmask(cidr)) && try(tonumber(split("/", cidr)[1]) >= 16, false)])
    error_message = "public_access_cidrs are IPv4 ranges with a prefix of 16 or more, such as 203.0.113.0/24; the whole internet is not taken."
  }
}

variable "secrets_kms_key_arn" {
  description = "KMS key that Kubernetes' Secrets are encrypted with. It cannot be changed later."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[a-z0-9-]+$", var.secrets_kms_key_arn))
    error_message = "secrets_kms_key_arn is the ARN of a KMS key (arn:aws:kms:REGION:ACCOUNT:key/ID), not an alias."
  }
}

variable "log_kms_key_arn" {
  description = "KMS key of the control plane's log group. Its policy allows the service `logs` of the region."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[a-z0-9-]+$", var.log_kms_key_arn))
    error_message = "log_kms_key_arn is the ARN of a KMS key (arn:aws:kms:REGION:ACCOUNT:key/ID), not an alias."
  }
}

variable "log_retention_days" {
  description = "Days that the control plane's logs are kept, one of those that CloudWatch knows."
  type        = number
  default     = 365

  validation {
    condition     = contains([30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days is one of 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }
}

variable "access_entries" {
  description = "Who may use the Kubernetes API: an IAM role, one of EKS's policies (`view`, `edit`, `admin`, `cluster_admin`) in `namespaces` or, without any, everywhere, and groups that RoleBindings name. Who makes the cluster is not its administrator."
  type = map(object({
    principal_arn = string
    policy        = optional(string)
    namespaces    = optional(set(string), [])
    groups        = optional(set(string), [])
  }))
  default = {}

  validation {
    condition     = alltrue([for entry in var.access_entries : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/[^*]+$", entry.principal_arn))])
    error_message = "principal_arn is the ARN of one IAM role: users have keys that last, and wildcards let in anyone."
  }

  validation {
    condition     = alltrue([for entry in var.access_entries : entry.policy == null ? length(entry.groups) > 0 : contains(["view", "edit", "admin", "cluster_admin"], coalesce(entry.policy, "none"))])
    error_message = "policy is view, edit, admin or cluster_admin; without it an entry has groups."
  }

  validation {
    condition     = alltrue([for entry in var.access_entries : entry.policy != "cluster_admin" || length(entry.namespaces) == 0])
    error_message = "cluster_admin is for the whole cluster; within namespaces take admin."
  }

  validation {
    condition     = alltrue(flatten([for entry in var.access_entries : [for group in entry.groups : !startswith(group, "system:")]]))
    error_message = "groups do not begin with system:, which are Kubernetes' own; for an administrator take the policy cluster_admin."
  }
}

variable "node_groups" {
  description = "Managed node groups by name. The README tells what each field does."
  type = map(object({
    instance_types = list(string)
    capacity       = optional(string, "on-demand")
    min_size       = number
    max_size       = number
    desired_size   = number
    disk_gib       = optional(number, 50)
    subnet_ids     = optional(list(string))
    labels         = optional(map(string), {})
    taints = optional(map(object({
      value  = optional(string, "true")
      effect = optional(string, "NO_SCHEDULE")
    })), {})
    gpu            = optional(string)
    static_cpus    = optional(bool, false)
    efa_interfaces = optional(number, 0)
    schedules = optional(map(object({
      recurrence   = string
      time_zone    = optional(string, "Etc/UTC")
      min_size     = number
      max_size     = number
      desired_size = number
    })), {})
  }))

  validation {
    condition     = alltrue([for key in keys(var.node_groups) : can(regex("^[a-z][a-z0-9-]{0,18}[a-z0-9]$", key))])
    error_message = "Names of node_groups have 2 to 20 lower case letters, digits and hyphens."
  }

  # CoreDNS, the drivers' controllers and Karpenter itself have to run somewhere before anything else does.
  validation {
    condition     = anytrue([for group in var.node_groups : length(group.taints) == 0 && group.gpu == null && group.min_size > 0])
    error_message = "One of node_groups has no taints, no GPU and a min_size above 0: the cluster's own pods run there."
  }

  validation {
    condition = alltrue(flatten([for group in var.node_groups : [
      for sizes in concat([{ for key in ["min_size", "max_size", "desired_size"] : key => group[key] }], [
        for schedule in group.schedules : { for key in ["min_size", "max_size", "desired_size"] : key => schedule[key] }
      ]) : 0 <= sizes.min_size && sizes.min_size <= sizes.desired_size && sizes.desired_size <= sizes.max_size && 0 < sizes.max_size || sizes.max_size == 0 && sizes.min_size == 0 && sizes.desired_size == 0
    ]]))
    error_message = "Sizes are 0 <= min_size <= desired_size <= max_size, in schedules too."
  }

  validation {
    condition     = alltrue([for group in var.node_groups : group.max_size >= 1])
    error_message = "max_size of a group is 1 or more; a schedule may set it to 0."
  }

  validation {
    condition     = alltrue([for group in var.node_groups : contains(["on-demand", "spot"], group.capacity)])
    error_message = "capacity is on-demand or spot."
  }

  validation {
    condition = alltrue([for group in var.node_groups : length(group.instance_types) >= (group.capacity == "spot" ? 2 : 1) && alltrue([
      for type in group.instance_types : can(regex("^[a-z][a-z0-9-]*\\.[a-z0-9-]+$", type)) && !can(regex("^([a-z]+[0-9]+g[a-z]*|a1)\\.", type))
    ])])
    error_message = "instance_types are x86 types such as m7i.xlarge (the images are built for x86), two or more for spot, where one is not always to be had."
  }

  validation {
    condition     = alltrue([for group in var.node_groups : group.disk_gib >= 20 && group.disk_gib <= 16384])
    error_message = "disk_gib is 20 to 16384."
  }

  validation {
    condition     = alltrue(flatten([for group in var.node_groups : [for taint in group.taints : contains(["NO_SCHEDULE", "NO_EXECUTE", "PREFER_NO_SCHEDULE"], taint.effect)]]))
    error_message = "effect of a taint is NO_SCHEDULE, NO_EXECUTE or PREFER_NO_SCHEDULE."
  }

  validation {
    condition = alltrue([for group in var.node_groups :
      group.gpu == null || contains(["whole", "time-sliced"], coalesce(group.gpu, "none")) || can(regex("^all-([1-7]g\\.[0-9]+gb|balanced)$", group.gpu))
    ])
    error_message = "gpu is whole, time-sliced or the name of a MIG layout such as all-1g.10gb or all-balanced."
  }

  validation {
    condition = alltrue([for group in var.node_groups :
      group.efa_interfaces >= 0 && group.efa_interfaces <= 32 && floor(group.efa_interfaces) == group.efa_interfaces &&
      (group.efa_interfaces == 0 || length(coalesce(group.subnet_ids, [])) == 1)
    ])
    error_message = "efa_interfaces is 0 to 32, and such a group has one of subnet_ids: its machines stand side by side in one zone."
  }

  validation {
    condition     = alltrue(flatten([for group in var.node_groups : [for schedule in group.schedules : can(regex("^\\S+ \\S+ \\S+ \\S+ \\S+$", schedule.recurrence))]]))
    error_message = "recurrence is a cron expression of five fields, such as \"0 19 * * 1-5\"."
  }
}

variable "model_bucket_arns" {
  description = "Buckets that the S3 driver mounts for pods, to read. Without any the driver is not installed."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.model_bucket_arns : can(regex("^arn:[a-z-]+:s3:::[a-z0-9][a-z0-9.-]+$", arn))])
    error_message = "model_bucket_arns are ARNs of S3 buckets without wildcards."
  }
}

variable "model_kms_key_arns" {
  description = "KMS keys of those buckets."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.model_kms_key_arns : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[a-z0-9-]+$", arn))])
    error_message = "model_kms_key_arns are ARNs of KMS keys (arn:aws:kms:REGION:ACCOUNT:key/ID)."
  }
}
