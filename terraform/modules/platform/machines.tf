locals {
  node_class = {
    apiVersion = "karpenter.k8s.aws/v1"
    kind       = "EC2NodeClass"
    metadata   = { name = "default" }
    spec = {
      amiSelectorTerms           = [{ alias = "al2023@latest" }]
      instanceProfile            = var.karpenter.instance_profile
      subnetSelectorTerms        = [{ tags = { "karpenter.sh/discovery" = var.name } }]
      securityGroupSelectorTerms = [{ tags = { "karpenter.sh/discovery" = var.name } }]
      # One hop: pods do not reach the node's credentials.
      metadataOptions = { httpEndpoint = "enabled", httpTokens = "required", httpPutResponseHopLimit = 1 }
      blockDeviceMappings = [{
        deviceName = "/dev/xvda"
        ebs        = { volumeSize = "150Gi", volumeType = "gp3", encrypted = true, deleteOnTermination = true }
      }]
      tags = merge(var.tags, { Name = "${var.name}-karpenter" })
    }
  }

  node_pools = {
    models = {
      categories = ["c", "m", "r"]
      limits     = { cpu = tostring(var.karpenter.cores) }
      taints     = []
    }
    gpu = {
      categories = ["g"]
      limits     = { "nvidia.com/gpu" = tostring(var.karpenter.gpus) }
      taints     = [{ key = "nvidia.com/gpu", value = "true", effect = "NoSchedule" }]
    }
  }

  machines = concat([local.node_class], [for name, pool in local.node_pools : {
    apiVersion = "karpenter.sh/v1"
    kind       = "NodePool"
    metadata   = { name = name }
    spec = {
      template = {
        spec = {
          nodeClassRef = { group = "karpenter.k8s.aws", kind = "EC2NodeClass", name = "default" }
          taints       = pool.taints
          # Machines are replaced by ones with a newer image after two weeks.
          expireAfter = "336h"
          requirements = [
            { key = "kubernetes.io/arch", operator = "In", values = ["amd64"] },
            # Spot where it is to be had: pods choose by the label, as the component `spot` does.
            { key = "karpenter.sh/capacity-type", operator = "In", values = ["spot", "on-demand"] },
            { key = "karpenter.k8s.aws/instance-category", operator = "In", values = pool.categories },
            { key = "karpenter.k8s.aws/instance-generation", operator = "Gt", values = ["5"] },
          ]
        }
      }
      limits = pool.limits
      # A pod that answers calls is moved only for a machine that is all but empty.
      disruption = { consolidationPolicy = "WhenEmptyOrUnderutilized", consolidateAfter = "5m" }
    }
  } if name != "gpu" || var.karpenter.gpus > 0])
}
