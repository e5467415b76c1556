locals {
  knative = [
    {
      apiVersion = "v1"
      kind       = "Namespace"
      metadata   = { name = "knative-serving" }
    },
    {
      apiVersion = "operator.knative.dev/v1beta1"
      kind       = "KnativeServing"
      metadata   = { name = "knative-serving", namespace = "knative-serving" }
      spec = {
        version           = local.versions.knative
        high-availability = { replicas = 2 }
        ingress           = { istio = { enabled = true } }
        config = {
          domain = { (var.domain) = "" }
          # The controller has no rights in the account to ask its registry which image a tag is; there a tag stays
          # with its image.
          deployment = { registries-skipping-tag-resolving = local.registry }
          # What the components `gpu`, `numa-aligned` and `spot` say of where a pod runs.
          features = {
            "kubernetes.podspec-affinity"     = "enabled"
            "kubernetes.podspec-nodeselector" = "enabled"
            "kubernetes.podspec-tolerations"  = "enabled"
          }
          # The load balancer ends TLS.
          network = { default-external-scheme = "https" }
        }
      }
    },
    {
      apiVersion = "v1"
      kind       = "Namespace"
      metadata   = { name = "knative-eventing" }
    },
    {
      apiVersion = "operator.knative.dev/v1beta1"
      kind       = "KnativeEventing"
      metadata   = { name = "knative-eventing", namespace = "knative-eventing" }
      spec       = { version = local.versions.knative }
    },
  ]

  access = [
    {
      apiVersion = "elbv2.k8s.aws/v1beta1"
      kind       = "TargetGroupBinding"
      metadata   = { name = "istio-ingressgateway", namespace = "istio-system" }
      spec = {
        targetGroupARN = var.target_group_arn
        targetType     = "ip"
        serviceRef     = { name = "istio-ingressgateway", port = 80 }
      }
    },
    {
      # By the operator's own role: it reads the secrets whose names begin with the environment's.
      apiVersion = "external-secrets.io/v1"
      kind       = "ClusterSecretStore"
      metadata   = { name = var.name }
      spec       = { provider = { aws = { service = "SecretsManager", region = var.region } } }
    },
  ]

  # ECR's passwords are good for twelve hours: external-secrets gets Argo CD a new one in time. The first one is put
  # in by hand, as Argo CD brings external-secrets.
  chart_password = [
    {
      apiVersion = "generators.external-secrets.io/v1alpha1"
      kind       = "ECRAuthorizationToken"
      metadata   = { name = "charts", namespace = "argocd" }
      spec       = { region = var.region }
    },
    {
      apiVersion = "external-secrets.io/v1"
      kind       = "ExternalSecret"
      metadata   = { name = "charts", namespace = "argocd" }
      spec = {
        refreshInterval = "6h"
        dataFrom = [{ sourceRef = { generatorRef = {
          apiVersion = "generators.external-secrets.io/v1alpha1"
          kind       = "ECRAuthorizationToken"
          name       = "charts"
        } } }]
        target = {
          name = "charts"
          template = {
            metadata = { labels = { "argocd.argoproj.io/secret-type" = "repository" } }
            data = {
              type      = "helm"
              enableOCI = "true"
              url       = local.chart_repository
              username  = "{{ .username }}"
              password  = "{{ .password }}"
            }
          }
        }
      }
    },
  ]

  project = {
    apiVersion = "argoproj.io/v1alpha1"
    kind       = "AppProject"
    metadata   = { name = var.name, namespace = "argocd" }
    spec = {
      description                = "What the cluster ${var.name} runs"
      sourceRepos                = [var.git.url, local.chart_repository, "${local.chart_repository}/*"]
      destinations               = [{ server = local.here, namespace = "*" }]
      clusterResourceWhitelist   = [{ group = "*", kind = "*" }]
      namespaceResourceWhitelist = [{ group = "*", kind = "*" }]
    }
  }

  here = "https://kubernetes.default.svc"
  # Argo CD writes no oci:// before a repository of charts.
  chart_repository = trimprefix(var.chart_repository, "oci://")
  registry         = split("/", local.chart_repository)[0]
  is_ecr           = can(regex("^[0-9]{12}\\.dkr\\.ecr\\.", local.chart_repository))

  # Charts need each other's definitions: what comes too early is tried again, for half an hour at least.
  sync = {
    automated   = { prune = true, selfHeal = true }
    syncOptions = ["CreateNamespace=true", "ServerSideApply=true", "SkipDryRunOnMissingResource=true"]
    retry       = { limit = 30, backoff = { duration = "10s", factor = 2, maxDuration = "2m" } }
  }

  applications = concat(
    [for name, chart in local.charts : {
      apiVersion = "argoproj.io/v1alpha1"
      kind       = "Application"
      metadata   = { name = name, namespace = "argocd" }
      spec = {
        project = var.name
        source = {
          repoURL        = local.chart_repository
          chart          = name
          targetRevision = chart.version
          helm           = { releaseName = name, valuesObject = chart.values }
        }
        destination = { server = local.here, namespace = chart.namespace }
        syncPolicy  = local.sync
      }
    }],
    [{
      # This very file: with it in Git, a change of it is a commit.
      apiVersion = "argoproj.io/v1alpha1"
      kind       = "Application"
      metadata   = { name = "platform", namespace = "argocd" }
      spec = {
        project     = var.name
        source      = { repoURL = var.git.url, targetRevision = var.git.revision, path = var.git.path }
        destination = { server = local.here, namespace = "argocd" }
        syncPolicy  = local.sync
      }
    }],
    [{
      apiVersion = "argoproj.io/v1alpha1"
      kind       = "Application"
      metadata   = { name = "modelserve", namespace = "argocd" }
      spec = {
        project     = var.name
        source      = { repoURL = var.git.url, targetRevision = var.git.revision, path = var.git.overlay }
        destination = { server = local.here, namespace = "modelserve" }
        # The share of a canary is its judge's, as inferenceservices/gitops tells.
        ignoreDifferences = [{
          group        = "serving.kserve.io"
          kind         = "InferenceService"
          jsonPointers = ["/spec/predictor/canaryTrafficPercent"]
        }]
        syncPolicy = merge(local.sync, { syncOptions = concat(local.sync.syncOptions, ["RespectIgnoreDifferences=true"]) })
      }
    }],
  )

  objects = concat(
    [local.project], local.applications, local.knative, local.machines, local.access,
    # A condition would want both lists to be of one type.
    [for object in local.chart_password : object if local.is_ecr],
  )
}
