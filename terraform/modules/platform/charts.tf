# The versions of everything that the cluster gets, in one place. They are those that this repository's tests
# run with or hold objects against, where those have them.
locals {
  versions = {
    aws-load-balancer-controller = "3.5.0"
    cert-manager                 = "v1.21.2"
    external-secrets             = "1.3.2"
    gpu-operator                 = "v26.3.3"
    istio                        = "1.27.1"
    karpenter                    = "1.14.1"
    keda                         = "2.21.0"
    knative                      = "1.21.1"
    kserve                       = "v0.20.0"
  }

  gpu_charts = {
    gpu-operator = {
      version   = local.versions.gpu-operator
      namespace = "gpu-operator"
      values = {
        # The nodes' image has both.
        driver  = { enabled = false }
        toolkit = { enabled = false }
        mig     = { strategy = "mixed" }
        devicePlugin = {
          # Nodes choose by the label nvidia.com/device-plugin.config; without it a GPU is one pod's.
          config = {
            create  = true
            name    = "device-plugin"
            default = "whole"
            data = {
              whole = yamlencode({ version = "v1" })
              time-sliced = yamlencode({
                version = "v1"
                sharing = {
                  timeSlicing = {
                    # As nvidia.com/gpu.shared: who asked for a whole one gets no part.
                    renameByDefault            = true
                    failRequestsGreaterThanOne = true
                    resources                  = [{ name = "nvidia.com/gpu", replicas = 4 }]
                  }
                }
              })
            }
          }
        }
      }
    }
  }

  charts = merge({
    karpenter = {
      version   = local.versions.karpenter
      namespace = "kube-system"
      values = {
        settings = {
          clusterName       = var.name
          interruptionQueue = var.karpenter.queue_name
        }
      }
    }
    aws-load-balancer-controller = {
      version   = local.versions.aws-load-balancer-controller
      namespace = "kube-system"
      values = {
        clusterName    = var.name
        region         = var.region
        vpcId          = var.vpc_id
        serviceAccount = { name = "aws-load-balancer-controller" }
        # The balancer is Terraform's: the controller registers pods and makes nothing.
        createIngressClassResource = false
        ingressClassParams         = { create = false }
        enableShield               = false
        enableWaf                  = false
        enableWafv2                = false
      }
    }
    cert-manager = {
      version   = local.versions.cert-manager
      namespace = "cert-manager"
      values    = { crds = { enabled = true } }
    }
    external-secrets = {
      version   = local.versions.external-secrets
      namespace = "external-secrets"
      values    = { serviceAccount = { name = "external-secrets" } }
    }
    base = {
      version   = local.versions.istio
      namespace = "istio-system"
      values    = {}
    }
    istiod = {
      version   = local.versions.istio
      namespace = "istio-system"
      values    = { pilot = { autoscaleMin = 2 } }
    }
    gateway = {
      version   = local.versions.istio
      namespace = "istio-system"
      values = {
        # The names that Knative's gateways look for; the load balancer is Terraform's.
        name        = "istio-ingressgateway"
        service     = { type = "ClusterIP" }
        autoscaling = { minReplicas = 2 }
      }
    }
    keda = {
      version   = local.versions.keda
      namespace = "keda"
      values    = {}
    }
    knative-operator = {
      version   = "v${local.versions.knative}"
      namespace = "knative-operator"
      values    = {}
    }
    kserve-crd = {
      version   = local.versions.kserve
      namespace = "kserve"
      values    = {}
    }
    kserve-resources = {
      version   = local.versions.kserve
      namespace = "kserve"
      values = {
        kserve = {
          controller = {
            deploymentMode = "Knative"
            gateway        = { domain = var.domain, urlScheme = "https" }
          }
        }
      }
    }
  }, var.karpenter.gpus > 0 ? local.gpu_charts : {})
}
