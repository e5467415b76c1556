"""Cost: what a model costs by what its pods have reserved, and what is paid for nothing.

kube-state-metrics tells what is reserved; a core, a GiB and a GPU are priced out of the price file of
``modelserve cost``, as variables that anyone may change. OpenCost would know discounts and volumes, and is a
program more to run and to believe.
"""

from __future__ import annotations

from decimal import Decimal

from grafana_foundation_sdk.builders import dashboard

from grafana.asking import Limits, Query
from grafana.frame import Board, of_server
from grafana.panels import Panel, lines, number, table
from grafana.promql import CALLS, by, rate, series
from modelserve.cost.prices import HOURS_A_MONTH, packaged_prices

_REGION = "eu-central-1"
_OF = "namespace, model, component, revision"
_NAME = "{{model}} {{component}} {{revision}}"
_LOADED = series("modelserve_model_loaded", *CALLS)
_PODS = (
    f"(max by (namespace, pod, model, component, revision) ({_LOADED} >= bool 0) "
    "/ on (namespace, pod) group_left () "
    'count by (namespace, pod) (modelserve_model_loaded{namespace=~"$namespace"}))'
)
"""Each model's part of its pod: one, or a fraction where a server has several."""


def board() -> Board:
    """The dashboard."""
    core, gib, gpu = unit_prices()
    origin = (
        f"USD an hour. From on-demand machines in {_REGION} as `modelserve cost` notes them; put in your own"
    )
    return Board(
        uid="modelserve-cost",
        title="modelserve / Cost",
        description="For who pays: what each model costs by what it reserves, and what is paid for nothing. "
        "Disks, networks and the control plane are left out; `modelserve cost` has those.",
        variables=[
            *of_server(),
            _price("core", "USD per core-hour", core, origin),
            _price("gib", "USD per GiB-hour", gib, origin),
            _price("accelerator", "USD per GPU-hour", gpu, origin),
        ],
        rows=[
            ("Now", _now()),
            ("Over time", _over_time()),
            ("By revision", [_revisions()]),
            ("Nodes", _nodes()),
        ],
    )


def unit_prices() -> tuple[Decimal, Decimal, Decimal]:
    """USD an hour of a core, of a GiB and of a GPU.

    Two machines of one generation differ in cores alone, so they give the price of a core and of a GiB; a
    machine with a GPU costs as much as its cores and memory, and the rest is the GPU.
    """
    prices = packaged_prices()[_REGION]

    def an_hour(machine: str) -> Decimal:
        return prices.machine_a_month("ec2", machine) / HOURS_A_MONTH

    core = (an_hour("c7i.2xlarge") - an_hour("m7i.xlarge")) / 4  # 8 and 4 cores, 16 GiB both
    gib = (an_hour("m7i.xlarge") - 4 * core) / 16
    gpu = an_hour("g6.2xlarge") - 8 * core - 32 * gib
    return core, gib, gpu


def _now() -> list[Panel]:
    cost, calls = _cost(""), by("", rate("modelserve_requests_total", *CALLS))
    return [
        number(
            "USD an hour",
            "Of what the chosen models' pods have reserved now.",
            "currencyUSD",
            Query(cost),
            decimals=3,
        ),
        number(
            "USD a month at this rate",
            f"Of {HOURS_A_MONTH} hours. Twice the month before: see which model below, and whether it has "
            "calls.",
            "currencyUSD",
            Query(f"{HOURS_A_MONTH} * {cost}"),
            decimals=0,
        ),
        number(
            "USD of the shown time",
            "A minute at a time; nothing is paid at zero replicas.",
            "currencyUSD",
            Query(f"sum_over_time(({cost})[$__range:1m]) / 60"),
            decimals=2,
        ),
        number(
            "USD of a thousand calls",
            "At the rate of now. It is high where few call: scale to zero, or serve several models in one "
            "pod.",
            "currencyUSD",
            Query(f"1000 / 3600 * {cost} / ({calls} > 0)"),
            decimals=4,
        ),
        number(
            "Paid without calls",
            "USD an hour of revisions that nobody called in the window. Scale them to zero, or remove them.",
            "currencyUSD",
            Query(f"{by('', _uncalled())} or 0 * {cost}"),
            limits=Limits(0.05, 0.5),
            decimals=3,
        ),
        number(
            "Saved by scaling",
            "USD of the shown time against the most replicas of it running all the time.",
            "currencyUSD",
            Query(
                f"max_over_time(({cost})[$__range:1m]) * $__range_s / 3600 "
                f"- sum_over_time(({cost})[$__range:1m]) / 60"
            ),
            decimals=2,
        ),
    ]


def _over_time() -> list[Panel]:
    calls = by("namespace, model, component", rate("modelserve_requests_total", *CALLS))
    return [
        lines(
            "USD an hour by revision",
            "Two revisions of a model for long: a canary that nobody ends pays twice.",
            "currencyUSD",
            Query(_cost(_OF), _NAME),
            stacked=True,
        ),
        lines(
            "USD of a thousand calls by model",
            "Predictors and transformers by themselves. It jumps with a new replica and falls with calls.",
            "currencyUSD",
            Query(
                f"1000 / 3600 * {_cost('namespace, model, component')} / ({calls} > 0)",
                "{{model}} {{component}}",
            ),
        ),
        lines(
            "USD an hour by what is reserved",
            "Memory above cores: take machines with more of it, or ask for less.",
            "currencyUSD",
            Query(f"$core * {_reserved('', 'cpu')}", "cores"),
            Query(f"$gib / 2^30 * {_reserved('', 'memory')}", "memory"),
            Query(f"$accelerator * {_reserved('', 'nvidia_com_gpu')} or 0 * {_reserved('', 'cpu')}", "GPUs"),
            stacked=True,
        ),
    ]


def _revisions() -> Panel:
    return table(
        "Revisions",
        "As they are now. Old revisions with replicas and without calls are the first to remove.",
        ("replicas", "short", Query(by(_OF, _LOADED))),
        ("USD an hour", "currencyUSD", Query(_cost(_OF))),
        ("calls in a second", "reqps", Query(by(_OF, rate("modelserve_requests_total", *CALLS)))),
        keys=_OF.split(", "),
    )


def _nodes() -> list[Panel]:
    free = [f"({_offered(one)} - {_taken(one)})" for one in ("cpu", "memory")]
    return [
        lines(
            "Reserved share of the nodes",
            "Of cores and memory, by all pods of the cluster. Low for days: smaller or fewer nodes.",
            "percentunit",
            Query(f"{_taken('cpu')} / {_offered('cpu')}", "cores"),
            Query(f"{_taken('memory')} / {_offered('memory')}", "memory"),
            most=1,
            width=12,
        ),
        lines(
            "Paid and reserved by nobody",
            "USD an hour of cores and memory on all nodes. The autoscaler takes nodes away after ten "
            "minutes; what stays is the least size of node groups.",
            "currencyUSD",
            Query(f"$core * {free[0]} + $gib / 2^30 * {free[1]}", "unreserved"),
            width=12,
        ),
    ]


def _cost(labels: str) -> str:
    """USD an hour, by these labels."""
    gpu = f"$accelerator * {_reserved(labels, 'nvidia_com_gpu')} or 0 * {_reserved(labels, 'cpu')}"
    return f"($core * {_reserved(labels, 'cpu')} + $gib / 2^30 * {_reserved(labels, 'memory')} + ({gpu}))"


def _reserved(labels: str, resource: str) -> str:
    """What pods with a model have reserved of a resource, all their containers together."""
    requests = f'kube_pod_container_resource_requests{{namespace=~"$namespace",resource="{resource}"}}'
    pods = f"sum by (namespace, pod) ({requests})"
    return by(labels, f"{_PODS} * on (namespace, pod) group_left () {pods}")


def _uncalled() -> str:
    """What revisions cost that nobody calls; a server has no counter before the first call."""
    called = f"{by(_OF, rate('modelserve_requests_total', *CALLS))} > 0"
    return f"{_cost(_OF)} unless on ({_OF}) ({called})"


def _offered(resource: str) -> str:
    return f'sum(kube_node_status_allocatable{{resource="{resource}"}})'


def _taken(resource: str) -> str:
    return f'sum(kube_pod_container_resource_requests{{resource="{resource}"}})'


def _price(name: str, label: str, usd: Decimal, origin: str) -> dashboard.TextBoxVariable:
    return (
        dashboard.TextBoxVariable(name).label(label).description(origin).default_value(f"{usd.normalize():f}")
    )
