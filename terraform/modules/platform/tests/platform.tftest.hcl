variables {
  name             = "modelserve-test"
  tags             = { team = "serving" }
  region           = "eu-central-1"
  vpc_id           = "vpc-0123456789abcdef0"
  chart_repository = "oci://123456789012.dkr.ecr.eu-central-1.amazonaws.com/charts"
  git              = { url = "https://git.example.com/modelserve/modelserve", path = "clusters/test", overlay = "inferenceservices/overlays/dev" }
  domain           = "models.example.com"
  target_group_arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/modelserve-test/0123456789abcdef"
  karpenter        = { queue_name = "modelserve-test-karpenter", instance_profile = "modelserve-test-karpenter-node", cores = 64, gpus = 2 }
}

run "one_source_of_charts_and_one_of_versions" {
  command = plan

  assert {
    condition = alltrue([for object in local.objects : try(
      object.spec.source.repoURL == "123456789012.dkr.ecr.eu-central-1.amazonaws.com/charts" &&
      object.spec.source.targetRevision == output.charts[object.metadata.name], false,
    ) if try(object.spec.source.chart, null) != null])
    error_message = "A chart comes from elsewhere, or in another version than the output tells."
  }
  assert {
    condition     = toset([for object in local.objects : object.metadata.name if try(object.spec.source.chart, null) != null]) == toset(keys(output.charts))
    error_message = "A chart has no Application."
  }
  assert {
    condition     = output.charts["base"] == output.versions["istio"] && output.charts["istiod"] == output.charts["gateway"] && output.charts["base"] == output.charts["istiod"]
    error_message = "Istio's charts are of one version."
  }
  assert {
    condition     = alltrue([for object in local.objects : object.spec.version == output.versions["knative"] if startswith(object.kind, "Knative")])
    error_message = "Knative is not of the version that its operator was chosen for."
  }
  assert {
    condition     = alltrue([for text in split("---\n", output.manifests) : can(yamldecode(text).metadata.name)]) && length(split("---\n", output.manifests)) == length(local.objects)
    error_message = "The manifests are not one YAML document for each object."
  }
}

run "the_clusters_facts_are_in_their_places" {
  command = plan

  assert {
    condition = alltrue(flatten([
      [for object in local.objects : object.spec.source.helm.valuesObject.settings == { clusterName = "modelserve-test", interruptionQueue = "modelserve-test-karpenter" } if object.metadata.name == "karpenter"],
      [for object in local.objects : object.spec.source.helm.valuesObject.vpcId == var.vpc_id if object.metadata.name == "aws-load-balancer-controller"],
      [for object in local.objects : object.spec.targetGroupARN == var.target_group_arn if object.kind == "TargetGroupBinding"],
      [for object in local.objects : object.spec.config.domain == { "models.example.com" = "" } if object.kind == "KnativeServing"],
      [for object in local.objects : object.spec.config.deployment == { registries-skipping-tag-resolving = "123456789012.dkr.ecr.eu-central-1.amazonaws.com" } if object.kind == "KnativeServing"],
    ]))
    error_message = "A part was told of another cluster, network, load balancer, domain or registry."
  }
  assert {
    condition = alltrue([for object in local.objects :
      object.spec.instanceProfile == "modelserve-test-karpenter-node" && object.spec.tags == { team = "serving", Name = "modelserve-test-karpenter" } &&
      object.spec.subnetSelectorTerms == [{ tags = { "karpenter.sh/discovery" = "modelserve-test" } }] &&
      object.spec.metadataOptions.httpPutResponseHopLimit == 1 && object.spec.metadataOptions.httpTokens == "required" &&
      alltrue([for disk in object.spec.blockDeviceMappings : disk.ebs.encrypted])
    if object.kind == "EC2NodeClass"])
    error_message = "Karpenter's machines are not the account's own, not encrypted, or give their credentials to pods."
  }
  assert {
    condition     = alltrue([for object in local.objects : object.spec.ignoreDifferences[0].jsonPointers == ["/spec/predictor/canaryTrafficPercent"] if object.metadata.name == "modelserve"])
    error_message = "Git would take a canary's share back."
  }
}

run "argo_cd_has_the_registrys_password_in_time" {
  command = plan

  assert {
    condition = [for object in local.objects : [object.spec.target.template.data.url, object.spec.target.template.metadata.labels, object.spec.refreshInterval] if object.kind == "ExternalSecret"] == [
      ["123456789012.dkr.ecr.eu-central-1.amazonaws.com/charts", { "argocd.argoproj.io/secret-type" = "repository" }, "6h"],
    ]
    error_message = "The password is of another repository, not known to Argo CD, or too old: it is good for twelve hours."
  }
  assert {
    condition = [for object in local.objects : object.spec.dataFrom[0].sourceRef.generatorRef if object.kind == "ExternalSecret"] == [
      for object in local.objects : { apiVersion = object.apiVersion, kind = object.kind, name = object.metadata.name } if object.kind == "ECRAuthorizationToken"
    ]
    error_message = "The password is made by nothing that is there."
  }
}

run "another_registry_has_no_password_of_ecr" {
  command = plan

  variables {
    chart_repository = "oci://charts.example.com/modelserve"
  }

  assert {
    condition     = length([for object in local.objects : object if contains(["ECRAuthorizationToken", "ExternalSecret"], object.kind)]) == 0
    error_message = "A registry that is not ECR is asked with a password of ECR."
  }
}

run "machines_with_gpus_are_limited_and_kept_for_those_who_ask" {
  command = plan

  assert {
    condition = [for object in local.objects : [object.spec.limits, object.spec.template.spec.taints[0].key] if object.kind == "NodePool" && object.metadata.name == "gpu"] == [
      [{ "nvidia.com/gpu" = "2" }, "nvidia.com/gpu"],
    ]
    error_message = "Machines with a GPU are without a limit, or open to pods that need none."
  }
}

run "no_gpus_no_machines_and_no_operator_for_them" {
  command = plan

  variables {
    karpenter = { queue_name = "q", instance_profile = "p", cores = 8, gpus = 0 }
  }

  assert {
    condition     = !contains(keys(output.charts), "gpu-operator") && [for object in local.objects : object.metadata.name if object.kind == "NodePool"] == ["models"]
    error_message = "Without GPUs there is something for them."
  }
}

run "refuses_what_is_not_its_kind" {
  command = plan

  variables {
    name             = "Modelserve"
    region           = "Frankfurt"
    chart_repository = "https://charts.example.com/"
    git              = { url = "git.example.com", path = "/clusters/", overlay = "x" }
    domain           = "models"
    target_group_arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/x"
    karpenter        = { queue_name = "q", instance_profile = "p", cores = 0, gpus = 0 }
  }

  expect_failures = [
    var.name, var.region, var.chart_repository, var.git, var.domain, var.target_group_arn, var.karpenter,
  ]
}
