mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { name = "eu-central-1" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mock" }
  }
  mock_resource "aws_iam_openid_connect_provider" {
    defaults = { arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
  }
}

variables {
  name              = "modelserve-test"
  tags              = { team = "serving" }
  cluster_name      = "modelserve-test"
  oidc_provider_arn = "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/ABC"
  workloads = {
    bert-ner = {
      namespace       = "modelserve"
      service_account = "bert-ner"
      statements      = [{ actions = ["s3:GetObject"], resources = ["arn:aws:s3:::models/bert-ner/*"] }]
    }
    old = {
      namespace       = "modelserve"
      service_account = "resnet-classifier"
      method          = "irsa"
      statements = [{
        actions    = ["s3:ListBucket"]
        resources  = ["arn:aws:s3:::models"]
        conditions = { StringLike = { "s3:prefix" = ["resnet-classifier/*"] } }
      }]
    }
  }
  github = {
    plan_subjects       = ["repo:example/modelserve:environment:dev-plan"]
    apply_subjects      = ["repo:example@12/modelserve@345:environment:dev"]
    push_subjects       = ["repo:example/modelserve:ref:refs/heads/main", "repo:example/modelserve:ref:refs/tags/v1.0.0"]
    ecr_repository_arns = ["arn:aws:ecr:eu-central-1:123456789012:repository/bert-ner"]
    state_bucket_arn    = "arn:aws:s3:::state"
    state_kms_key_arn   = "arn:aws:kms:eu-central-1:123456789012:key/state"
  }
}

run "pod_identity_trusts_one_service_account_of_one_cluster" {
  assert {
    condition = jsondecode(aws_iam_role.workload["bert-ner"].assume_role_policy).Statement == [{
      Sid       = "PodIdentity"
      Effect    = "Allow"
      Principal = { Service = "pods.eks.amazonaws.com" }
      Action    = ["sts:AssumeRole", "sts:TagSession"]
      Condition = { StringEquals = {
        "aws:RequestTag/eks-cluster-arn"            = "arn:aws:eks:eu-central-1:123456789012:cluster/modelserve-test"
        "aws:RequestTag/kubernetes-namespace"       = "modelserve"
        "aws:RequestTag/kubernetes-service-account" = "bert-ner"
      } }
    }]
    error_message = "The role of bert-ner trusts others than its service account's pods."
  }
  assert {
    condition = (
      keys(aws_eks_pod_identity_association.workload) == ["bert-ner"] &&
      aws_eks_pod_identity_association.workload["bert-ner"].service_account == "bert-ner" &&
      aws_eks_pod_identity_association.workload["bert-ner"].namespace == "modelserve"
    )
    error_message = "Workloads by Pod Identity, and only they, have an association."
  }
}

run "irsa_trusts_one_service_account" {
  assert {
    condition = jsondecode(aws_iam_role.workload["old"].assume_role_policy).Statement == [{
      Sid       = "WebIdentity"
      Effect    = "Allow"
      Principal = { Federated = var.oidc_provider_arn }
      Action    = ["sts:AssumeRoleWithWebIdentity"]
      Condition = { StringEquals = {
        "oidc.eks.eu-central-1.amazonaws.com/id/ABC:aud" = "sts.amazonaws.com"
        "oidc.eks.eu-central-1.amazonaws.com/id/ABC:sub" = "system:serviceaccount:modelserve:resnet-classifier"
      } }
    }]
    error_message = "The role by IRSA trusts others than its service account."
  }
}

run "workloads_may_do_what_is_written_and_are_named_and_tagged" {
  assert {
    condition = jsondecode(aws_iam_role_policy.workload["bert-ner"].policy).Statement == [
      { Effect = "Allow", Action = ["s3:GetObject"], Resource = ["arn:aws:s3:::models/bert-ner/*"] },
    ]
    error_message = "bert-ner may do something else than its statement says."
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.workload["old"].policy).Statement[0].Condition.StringLike["s3:prefix"] == ["resnet-classifier/*"]
    error_message = "A condition got lost."
  }
  assert {
    condition = alltrue([for role in concat(values(aws_iam_role.workload), values(aws_iam_role.github)) :
      startswith(role.name, "modelserve-test-") && length(role.name) <= 64 && role.tags["team"] == "serving"
    ])
    error_message = "A role has not its name or not the tags."
  }
}

run "github_roles_trust_exact_subjects_for_sts" {
  assert {
    condition = alltrue([for kind, role in aws_iam_role.github : alltrue([
      for statement in jsondecode(role.assume_role_policy).Statement :
      keys(statement.Condition) == ["StringEquals"] &&
      statement.Condition.StringEquals["token.actions.githubusercontent.com:aud"] == "sts.amazonaws.com" &&
      toset(statement.Condition.StringEquals["token.actions.githubusercontent.com:sub"]) == var.github["${kind}_subjects"]
    ])])
    error_message = "A role for GitHub is open to other jobs."
  }
  assert {
    condition     = aws_iam_openid_connect_provider.github[0].client_id_list == toset(["sts.amazonaws.com"])
    error_message = "GitHub's provider takes tokens for others than STS."
  }
}

run "plan_reads_and_no_contents_but_the_state" {
  assert {
    condition     = aws_iam_role_policy_attachment.github["plan"].policy_arn == "arn:aws:iam::aws:policy/ReadOnlyAccess"
    error_message = "The role for plans is not read only."
  }
  assert {
    condition = alltrue([for statement in jsondecode(aws_iam_role_policy.github["plan"].policy).Statement :
      statement.Effect == "Deny" || (statement.Action == ["kms:Decrypt"] && try(statement.Resource, []) == ["arn:aws:kms:eu-central-1:123456789012:key/state"])
    ])
    error_message = "The role for plans is allowed more than ReadOnlyAccess and the state's key."
  }
  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.github["plan"].policy).Statement : statement.NotResource if statement.Sid == "NoObjectsButTheState"] == [["arn:aws:s3:::state/*"]]
    error_message = "The role for plans reads objects beside the state."
  }
}

run "apply_makes_roles_of_its_name_and_never_changes_itself" {
  assert {
    condition = alltrue([for statement in jsondecode(aws_iam_role_policy.github["apply"].policy).Statement :
      statement.Effect == "Deny" ||
      alltrue([for action in statement.Action : can(regex("^iam:(Get|List)", action))]) ||
      alltrue([for resource in flatten([statement.Resource]) : strcontains(resource, "/modelserve-test-") || endswith(resource, ":oidc-provider/oidc.eks.*")])
    ])
    error_message = "The role for applies changes IAM of others."
  }
  assert {
    condition = anytrue([for statement in jsondecode(aws_iam_role_policy.github["apply"].policy).Statement :
      statement.Effect == "Deny" && statement.Resource == ["arn:aws:iam::123456789012:role/modelserve-test-github-*"] &&
      length(setsubtract(["iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:UpdateAssumeRolePolicy", "iam:DeleteRolePolicy", "iam:DetachRolePolicy"], statement.Action)) == 0
    ])
    error_message = "The role for applies could widen itself."
  }
  assert {
    condition = alltrue([for statement in jsondecode(aws_iam_role_policy.github["apply"].policy).Statement :
      !contains(flatten([statement.Action]), "iam:PassRole") || length(try(statement.Condition.StringEquals["iam:PassedToService"], [])) > 0
    ])
    error_message = "The role for applies passes roles to any service."
  }
}

run "push_writes_to_named_repositories" {
  assert {
    condition = alltrue([for statement in jsondecode(aws_iam_role_policy.github["push"].policy).Statement :
      statement.Action == ["ecr:GetAuthorizationToken"] || (
        try(statement.Resource == ["arn:aws:ecr:eu-central-1:123456789012:repository/bert-ner"], false) &&
        alltrue([for action in statement.Action : !strcontains(action, "*") && !strcontains(action, "Delete") && !strcontains(action, "Policy")])
      )
    ])
    error_message = "The role for pushes does more than push to its repositories."
  }
  assert {
    condition     = !contains(keys(aws_iam_role_policy_attachment.github), "push")
    error_message = "The role for pushes has a managed policy."
  }
}

run "takes_a_provider_that_is_there" {
  variables {
    workloads = {}
    github = {
      provider_arn   = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
      apply_subjects = ["repo:example/modelserve:environment:dev"]
    }
  }
  assert {
    condition     = length(aws_iam_openid_connect_provider.github) == 0 && keys(aws_iam_role.github) == ["apply"]
    error_message = "A second provider for GitHub, or a role without subjects."
  }
}

run "makes_nothing_by_default" {
  variables {
    workloads = {}
    github    = {}
  }
  assert {
    condition     = length(aws_iam_role.workload) + length(aws_iam_role.github) + length(aws_iam_openid_connect_provider.github) == 0
    error_message = "Something is made that nobody asked for."
  }
}

run "example" {
  module {
    source = "./examples/dev"
  }
  assert {
    condition     = keys(output.workload_role_arns) == ["bert-ner", "resnet-classifier"] && keys(output.github_role_arns) == ["apply", "plan", "push"]
    error_message = "The example makes other roles."
  }
}

run "refuses_a_wildcard_subject" {
  command = plan
  variables {
    github = { apply_subjects = ["repo:example/modelserve:environment:*"] }
  }
  expect_failures = [var.github]
}

run "refuses_all_repositories_of_an_organisation" {
  command = plan
  variables {
    github = { push_subjects = ["repo:example/*:ref:refs/heads/main"], ecr_repository_arns = ["arn:aws:ecr:eu-central-1:123456789012:repository/bert-ner"] }
  }
  expect_failures = [var.github]
}

run "refuses_pull_requests" {
  command = plan
  variables {
    github = { plan_subjects = ["repo:example/modelserve:pull_request"], state_bucket_arn = "arn:aws:s3:::state" }
  }
  expect_failures = [var.github]
}

run "refuses_a_subject_without_repository" {
  command = plan
  variables {
    github = { apply_subjects = ["environment:dev"] }
  }
  expect_failures = [var.github]
}

run "refuses_to_apply_from_a_branch" {
  command = plan
  variables {
    github = { apply_subjects = ["repo:example/modelserve:ref:refs/heads/main"] }
  }
  expect_failures = [var.github]
}

run "refuses_one_subject_for_plan_and_apply" {
  command = plan
  variables {
    github = {
      plan_subjects    = ["repo:example/modelserve:environment:dev"]
      apply_subjects   = ["repo:example/modelserve:environment:dev"]
      state_bucket_arn = "arn:aws:s3:::state"
    }
  }
  expect_failures = [var.github]
}

run "refuses_a_plan_without_its_state" {
  command = plan
  variables {
    github = { plan_subjects = ["repo:example/modelserve:environment:dev-plan"] }
  }
  expect_failures = [var.github]
}

run "refuses_a_push_to_all_repositories" {
  command = plan
  variables {
    github = {
      push_subjects       = ["repo:example/modelserve:ref:refs/heads/main"]
      ecr_repository_arns = ["arn:aws:ecr:eu-central-1:123456789012:repository/*"]
    }
  }
  expect_failures = [var.github]
}

run "refuses_a_push_to_nowhere" {
  command = plan
  variables {
    github = { push_subjects = ["repo:example/modelserve:ref:refs/heads/main"] }
  }
  expect_failures = [var.github]
}

run "refuses_a_wildcard_action" {
  command = plan
  variables {
    workloads = { some = { namespace = "n", service_account = "s", statements = [{ actions = ["s3:*"], resources = ["arn:aws:s3:::models/*"] }] } }
  }
  expect_failures = [var.workloads]
}

run "refuses_all_resources" {
  command = plan
  variables {
    workloads = { some = { namespace = "n", service_account = "s", statements = [{ actions = ["s3:GetObject"], resources = ["*"] }] } }
  }
  expect_failures = [var.workloads]
}

run "refuses_all_buckets" {
  command = plan
  variables {
    workloads = { some = { namespace = "n", service_account = "s", statements = [{ actions = ["s3:GetObject"], resources = ["arn:aws:s3:::*"] }] } }
  }
  expect_failures = [var.workloads]
}

run "refuses_any_service_account" {
  command = plan
  variables {
    workloads = { some = { namespace = "n", service_account = "*", statements = [{ actions = ["s3:GetObject"], resources = ["arn:aws:s3:::models/*"] }] } }
  }
  expect_failures = [var.workloads]
}

run "refuses_a_workload_that_may_do_nothing" {
  command = plan
  variables {
    workloads = { some = { namespace = "n", service_account = "s", statements = [] } }
  }
  expect_failures = [var.workloads]
}

run "refuses_an_unknown_method" {
  command = plan
  variables {
    workloads = { some = { namespace = "n", service_account = "s", method = "kube2iam", statements = [{ actions = ["s3:GetObject"], resources = ["arn:aws:s3:::models/*"] }] } }
  }
  expect_failures = [var.workloads]
}

run "refuses_a_key_that_makes_no_name" {
  command = plan
  variables {
    workloads = { "Some Thing" = { namespace = "n", service_account = "s", statements = [{ actions = ["s3:GetObject"], resources = ["arn:aws:s3:::models/*"] }] } }
  }
  expect_failures = [var.workloads]
}

run "refuses_pod_identity_without_a_cluster" {
  command = plan
  variables {
    cluster_name = null
  }
  expect_failures = [aws_iam_role.workload]
}

run "refuses_irsa_without_a_provider" {
  command = plan
  variables {
    oidc_provider_arn = null
  }
  expect_failures = [aws_iam_role.workload]
}

run "refuses_an_issuer_for_a_provider" {
  command = plan
  variables {
    oidc_provider_arn = "https://oidc.eks.eu-central-1.amazonaws.com/id/ABC"
  }
  expect_failures = [var.oidc_provider_arn]
}

run "refuses_a_long_name" {
  command = plan
  variables {
    name = "modelserve-development-of-the-second-team"
  }
  expect_failures = [var.name]
}
