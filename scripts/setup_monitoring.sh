#!/usr/bin/env bash
# Metrics, alerts, logs and traces on the cluster that KUBECONFIG names: observability/README.md says what they are.
# usage: scripts/setup_monitoring.sh install|status|uninstall [--dry-run]
#   install    brings everything to what this repository says; it may be run again at any time
#   status     exit status 0 when everything is there in its version, 1 when something is not
#   uninstall  takes it away, but for what has data in it
#   --dry-run  says what would be done, and asks no cluster
# Where alerts go: PAGERDUTY_ROUTING_KEY and SLACK_API_URL in the environment are put into the Secret
# alertmanager-receivers.
set -euo pipefail
cd "$(dirname "$0")/../observability"
namespace=monitoring # addresses and network policies have it
accepted="install, status or uninstall, and --dry-run"

refuse() {
  echo "setup_monitoring.sh: $1; accepted are $accepted" >&2
  exit 2
}

verb='' dry_run=
for argument in "$@"; do
  case $argument in
    -h | --help)
      sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "../scripts/$(basename "$0")"
      exit 0
      ;;
    --dry-run) dry_run=1 ;;
    install | status | uninstall)
      [ -z "$verb" ] || refuse "'$verb' and '$argument' are two things"
      verb=$argument
      ;;
    *) refuse "'$argument' is not known" ;;
  esac
done
[ -n "$verb" ] || refuse "nothing is asked for"
programs=(kubectl)
[ -n "$dry_run" ] || programs+=(helm)
for program in "${programs[@]}"; do
  command -v "$program" >/dev/null || { echo "setup_monitoring.sh: $program is needed on PATH" >&2; exit 2; }
done

# Does it, or says it.
run() {
  if [ -n "$dry_run" ]; then echo "+ $*"; else "$@"; fi
}

# The same with a manifest, which is on standard input.
run_with() {
  if [ -n "$dry_run" ]; then
    echo "+ $* <<"
    cat
  else
    "$@"
  fi
}

charts() { grep -v '^#' charts.txt; }

# Folders of manifests that need no definitions of the operator's.
folders() {
  local file
  for file in */kustomization.yaml; do
    [ "$file" = prometheus/kustomization.yaml ] || dirname "$file"
  done
}

# The rules as they stand, each file in an object of the operator's.
wrapped_rules() {
  local file name
  for file in prometheus/rules/*.yaml; do
    name=$(basename "$file" .yaml)
    printf -- '---\napiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\n'
    printf 'metadata:\n  name: modelserve-%s\n  namespace: %s\n' "$name" "$namespace"
    printf '  labels: {app.kubernetes.io/part-of: modelserve-monitoring}\nspec:\n'
    sed 's/^\(.\)/  \1/' "$file"
  done
}

is_there() { kubectl get secret "$1" --namespace "$namespace" --output name >/dev/null 2>&1; }

# Manifests go by standard input: arguments of a process can be read by others.
secret() {
  local name=$1 pair
  shift
  printf 'apiVersion: v1\nkind: Secret\nmetadata: {name: %s, namespace: %s}\ndata:\n' "$name" "$namespace"
  for pair in "$@"; do
    printf '  %s: %s\n' "${pair%%=*}" "$(printf %s "${pair#*=}" | base64 -w 0)"
  done
}

make_secrets() {
  if [ -n "$dry_run" ]; then
    echo "+ Secret grafana-admin, if there is none: admin-user, and admin-password made at random"
    echo "+ Secret alertmanager-receivers: the keys that the environment has"
    return
  fi
  if ! is_there grafana-admin; then
    secret grafana-admin admin-user=admin "admin-password=$(head -c 24 /dev/urandom | base64 -w 0)" |
      kubectl create --filename - >/dev/null
    echo "made the Secret grafana-admin: it has the password, and nothing shows it"
  fi
  is_there alertmanager-receivers || secret alertmanager-receivers | kubectl create --filename - >/dev/null
  set_key pagerduty_routing_key "${PAGERDUTY_ROUTING_KEY:-}"
  set_key slack_api_url "${SLACK_API_URL:-}"
}

# A manager for each key: what one run does not name, an earlier one's stays.
set_key() {
  [ -n "$2" ] || return 0
  secret alertmanager-receivers "$1=$2" |
    kubectl apply --server-side --force-conflicts --field-manager "modelserve-$1" --filename - >/dev/null
  echo "the Secret alertmanager-receivers has the key $1"
}

install() {
  run_with kubectl apply --server-side --filename - <<<"{apiVersion: v1, kind: Namespace, metadata: {name: $namespace}}"
  make_secrets
  local folder release repository chart version values
  for folder in $(folders); do
    kubectl kustomize "$folder" | run_with kubectl apply --server-side --force-conflicts --filename -
  done
  while read -r release repository chart version values; do
    run helm upgrade --install "$release" "$chart" --repo "$repository" --version "$version" \
      --namespace "$namespace" --values "$values" --wait --timeout 10m </dev/null
  done < <(charts)
  { kubectl kustomize prometheus && wrapped_rules; } |
    run_with kubectl apply --server-side --force-conflicts --filename -
}

status() {
  if [ -n "$dry_run" ]; then
    run helm list --namespace "$namespace"
    run kubectl get pods,prometheusrules,servicemonitors,podmonitors --namespace "$namespace"
    return
  fi
  local found release chart version missing=0
  found=$(helm list --namespace "$namespace")
  while read -r release _ chart version _; do
    if grep -Eq "^$release[[:space:]].*[[:space:]]deployed[[:space:]]+$chart-${version//./\\.}([[:space:]]|\$)" <<<"$found"; then
      echo "$release: $chart $version is deployed"
    else
      echo "$release: $chart $version is not deployed"
      missing=1
    fi
  done < <(charts)
  kubectl get pods,prometheusrules,servicemonitors,podmonitors --namespace "$namespace" || missing=1
  return "$missing"
}

uninstall() {
  local folder release
  if [ -n "$dry_run" ] || kubectl get crd prometheusrules.monitoring.coreos.com --output name >/dev/null 2>&1; then
    { kubectl kustomize prometheus && wrapped_rules; } |
      run_with kubectl delete --ignore-not-found --filename -
  fi
  while read -r release _; do
    run helm uninstall "$release" --namespace "$namespace" --ignore-not-found --wait </dev/null
  done < <(charts | tac)
  for folder in $(folders); do
    # A claim has traces in it.
    [ "$folder" = jaeger ] || kubectl kustomize "$folder" | run_with kubectl delete --ignore-not-found --filename -
  done
  echo "left: the namespace $namespace with its claims and Secrets, and the definitions of the operator's kinds"
}

"$verb"
