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

variable "cluster_name" {
  description = "EKS cluster whose pods get the roles of `workloads`; needed by Pod Identity."
  type        = string
  default     = null
}

variable "oidc_provider_arn" {
  description = "IAM OIDC provider of the cluster; needed by workloads with the method `irsa`."
  type        = string
  default     = null

  validation {
    condition     = var.oidc_provider_arn == null || can(regex("^arn:[a-z-]+:iam::[0-9]{12}:oidc-provider/.+$", var.oidc_provider_arn))
    error_message = "oidc_provider_arn is the ARN of an IAM OIDC provider (arn:aws:iam::ACCOUNT:oidc-provider/ISSUER)."
  }
}

variable "workloads" {
  description = "A role for the pods of one service account each: `method` is `pod_identity` or `irsa`, `statements` are what it may do, with `conditions` as IAM writes them."
  type = map(object({
    namespace       = string
    service_account = string
    method          = optional(string, "pod_identity")
    statements = list(object({
      actions    = set(string)
      resources  = set(string)
      conditions = optional(map(map(list(string))), {})
    }))
  }))
  default = {}

  validation {
    condition     = alltrue([for key in keys(var.workloads) : can(regex("^[a-z][a-z0-9-]{0,28}[a-z0-9]$", key))])
    error_message = "Keys of workloads become names of roles: 2 to 30 lower case letters, digits and hyphens."
  }

  validation {
    condition = alltrue(flatten([for workload in var.workloads : [
      for part in [workload.namespace, workload.service_account] : can(regex("^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", part))
    ]]))
    error_message = "namespace and service_account are exact names of Kubernetes, without wildcards."
  }

  validation {
    condition     = alltrue([for workload in var.workloads : contains(["pod_identity", "irsa"], workload.method)])
    error_message = "method is pod_identity or irsa."
  }

  validation {
    condition     = alltrue([for workload in var.workloads : length(workload.statements) > 0])
    error_message = "A workload has at least one statement; one that may do nothing needs no role."
  }

  validation {
    condition = alltrue(flatten([for workload in var.workloads : [
      for statement in workload.statements : length(statement.actions) > 0 && alltrue([
        for action in statement.actions : can(regex("^[a-z0-9-]+:[A-Z][A-Za-z0-9]+$", action))
      ])
    ]]))
    error_message = "actions are written out (\"s3:GetObject\"), without wildcards."
  }

  # Some actions know no resource; of those, only ones that read about things may go without a condition.
  validation {
    condition = alltrue(flatten([for workload in var.workloads : [
      for statement in workload.statements : length(statement.resources) > 0 && alltrue([
        for resource in statement.resources : can(regex("^arn:[a-z-]+:[a-z0-9-]+:[a-z0-9-]*:[0-9]*:[^*?].*$", resource)) || (
          resource == "*" && (length(statement.conditions) > 0 || alltrue([
            for action in statement.actions : can(regex("^[a-z0-9-]+:(Describe|List|GetAuthorizationToken)", action))
          ]))
        )
      ])
    ]]))
    error_message = "resources are ARNs that name something; \"*\" is taken with conditions, or for actions that only describe or list."
  }
}

variable "github" {
  description = "Roles for jobs of GitHub Actions. A role exists where its subjects do; `provider_arn` names the account's provider where there is one already."
  type = object({
    provider_arn        = optional(string)
    plan_subjects       = optional(set(string), [])
    apply_subjects      = optional(set(string), [])
    push_subjects       = optional(set(string), [])
    ecr_repository_arns = optional(set(string), [])
    state_bucket_arn    = optional(string)
    state_kms_key_arn   = optional(string)
  })
  default = {}

  validation {
    condition = alltrue([
      for subject in setunion(var.github.plan_subjects, var.github.apply_subjects, var.github.push_subjects) : can(regex(
        "^repo:[A-Za-z0-9-]+(@[0-9]+)?/[A-Za-z0-9._-]+(@[0-9]+)?:(environment:[A-Za-z0-9._-]+|ref:refs/(heads|tags)/[A-Za-z0-9._/-]+)$",
        subject,
      ))
    ])
    error_message = "Subjects are exact: repo:ORG/REPO:environment:ENV or repo:ORG/REPO:ref:refs/heads/BRANCH, with immutable ids repo:ORG@ID/REPO@ID:…; no wildcards, no pull_request."
  }

  # An environment of GitHub can ask for a reviewer before the job starts; a branch cannot.
  validation {
    condition     = alltrue([for subject in var.github.apply_subjects : can(regex(":environment:", subject))])
    error_message = "apply_subjects are environments (repo:ORG/REPO:environment:ENV), which can ask for approval."
  }

  validation {
    condition     = length(setintersection(var.github.plan_subjects, var.github.apply_subjects)) == 0
    error_message = "A subject plans or applies: whoever may do both needs the apply role only."
  }

  validation {
    condition = (length(var.github.push_subjects) == 0) == (length(var.github.ecr_repository_arns) == 0) && alltrue([
      for arn in var.github.ecr_repository_arns : can(regex("^arn:[a-z-]+:ecr:[a-z0-9-]+:[0-9]{12}:repository/[a-z0-9][a-z0-9._/-]*$", arn))
    ])
    error_message = "push_subjects and ecr_repository_arns come together; the latter are ARNs of ECR repositories without wildcards."
  }

  validation {
    condition     = length(var.github.plan_subjects) == 0 || can(regex("^arn:[a-z-]+:s3:::[a-z0-9][a-z0-9.-]+$", var.github.state_bucket_arn))
    error_message = "plan_subjects need state_bucket_arn, the ARN of the bucket with Terraform's state: the only objects that a plan may read."
  }
}
