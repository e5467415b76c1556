variable "region" {
  description = "Region of the environment."
  type        = string
  default     = "eu-central-1"
}

variable "administrators_role_arn" {
  description = "IAM role of the cluster's administrators."
  type        = string
}

variable "public_access_cidrs" {
  description = "Addresses that reach the API server from outside the VPC. None where a VPN leads into it."
  type        = list(string)
  default     = []
}

variable "client_cidrs" {
  description = "IPv4 ranges that may call the models."
  type        = set(string)
}

variable "domain" {
  description = "Domain whose subdomains are the models' hosts."
  type        = string
}

variable "zone_id" {
  description = "Public Route 53 zone of the domain."
  type        = string
}

variable "emails" {
  description = "Addresses that get the alarms and notices of costs."
  type        = set(string)
}

variable "git_url" {
  description = "Your fork of this repository, which the cluster follows."
  type        = string
}

variable "github" {
  description = "Who of GitHub's jobs plans, applies and pushes, as the module `identity` takes it."
  type        = any
  default     = {}
}
