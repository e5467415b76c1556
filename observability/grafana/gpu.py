"""GPUs: are they used, are they healthy, and what do the models on them do.

Metrics are those of NVIDIA's dcgm-exporter, which names the pod that has a GPU where it maps devices to pods
(``--kubernetes``). Its own labels have to be kept (``honorLabels: true``), else ``pod`` is the exporter's.
"""

from __future__ import annotations

from grafana.asking import Limits, Query
from grafana.frame import Board, choice, of_server
from grafana.panels import Panel, lines, number
from grafana.promql import CALLS, by, mean, quantile, rate, series

_HARDWARE = ('Hostname=~"$node"', 'gpu=~"$gpu"')
_NAME = "{{Hostname}} {{gpu}} {{GPU_I_ID}}"
_OF = "Hostname, gpu, GPU_I_ID"
_PODS = f"max by (namespace, pod, model, revision) ({series('modelserve_model_loaded', *CALLS)} >= bool 0)"
"""1 for each pod that has a model, whether it takes calls yet or not."""

_USED, _FREE = "DCGM_FI_DEV_FB_USED", "DCGM_FI_DEV_FB_FREE"
_ASSIGNED = 'namespace=~"$namespace",pod!=""'
_ON_GPU = f"and on (namespace, pod) {series(_USED, _ASSIGNED)}"


def board() -> Board:
    """The dashboard."""
    return Board(
        uid="modelserve-gpu",
        title="modelserve / GPUs",
        description="For who pays for GPUs and keeps their nodes: are they used, and are they healthy.",
        variables=[
            *of_server(),
            choice("node", "Node", f"label_values({_USED}, Hostname)"),
            choice("gpu", "GPU", f'label_values({_USED}{{Hostname=~"$node"}}, gpu)'),
        ],
        rows=[
            ("Now", _now()),
            ("GPUs", _use()),
            ("Models on GPUs", _models()),
            ("Health", _health()),
        ],
    )


def _now() -> list[Panel]:
    util = series("DCGM_FI_DEV_GPU_UTIL", *_HARDWARE)
    resource = 'resource=~"nvidia_com_.*"'
    return [
        number(
            "GPUs",
            "That the exporters tell of; instances of a partitioned GPU count by themselves.",
            "short",
            Query(f"count(count by ({_OF}) ({series(_USED, *_HARDWARE)}))"),
            decimals=0,
        ),
        number(
            "Mean utilisation",
            "Over all GPUs. Under 30% for days: share GPUs in time, partition them, or serve on CPUs.",
            "percent",
            Query(f"avg({util})"),
            limits=Limits(30, 10, falling=True),
            decimals=0,
        ),
        number(
            "GPUs that idle",
            "Under 5% over the shown time. Reserved by nobody: let the autoscaler take the node. By a model "
            "without calls: scale it to zero.",
            "short",
            Query(f"count(avg_over_time({util}[$__range]) < 5) or vector(0)"),
            limits=Limits(None, 1),
            decimals=0,
        ),
        number(
            "Memory in use",
            "Share of all GPUs' memory.",
            "percentunit",
            Query(f"sum({series(_USED, *_HARDWARE)}) / sum({_memory()})"),
            limits=Limits(0.85, 0.95),
            decimals=0,
        ),
        number(
            "GPUs reserved",
            "Share of what nodes offer that pods have reserved, GPUs and partitions. 100%: further pods "
            "wait.",
            "percentunit",
            Query(
                f"sum(kube_pod_container_resource_requests{{{resource}}}) / "
                f"sum(kube_node_status_allocatable{{{resource}}})"
            ),
            limits=Limits(0.9, 1),
            decimals=0,
        ),
        number(
            "Power",
            "Of all GPUs.",
            "watt",
            Query(f"sum({series('DCGM_FI_DEV_POWER_USAGE', *_HARDWARE)})"),
            decimals=0,
        ),
    ]


def _use() -> list[Panel]:
    return [
        lines(
            "Utilisation",
            "Share of the time in which anything ran. It says little of how full the GPU was; see its "
            "engines.",
            "percent",
            Query(by(_OF, series("DCGM_FI_DEV_GPU_UTIL", *_HARDWARE), how="max"), _NAME),
            most=100,
        ),
        lines(
            "Memory",
            "Share in use. At the top, larger batches fail: lower --max_batch, or take a larger partition.",
            "percentunit",
            Query(
                f"{by(_OF, series(_USED, *_HARDWARE), how='max')} / {by(_OF, _memory(), how='max')}",
                _NAME,
            ),
            limits=Limits(0.85, 0.95),
            most=1,
        ),
        lines(
            "Engines",
            "Share of the time in which the compute engine and the tensor cores were active. Tensor cores at "
            "0: the model does not run in fp16 or bf16.",
            "percentunit",
            Query(
                by(_OF, series("DCGM_FI_PROF_GR_ENGINE_ACTIVE", *_HARDWARE), how="max"), f"compute {_NAME}"
            ),
            Query(
                by(_OF, series("DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", *_HARDWARE), how="max"), f"tensor {_NAME}"
            ),
            most=1,
        ),
    ]


def _models() -> list[Panel]:
    of = "namespace, model, revision"
    used = f"max by (namespace, pod) ({series('DCGM_FI_PROF_GR_ENGINE_ACTIVE', _ASSIGNED)})"
    energy = by("namespace, pod", rate("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", _ASSIGNED))
    joules = f"{by(of, f'{_PODS} * on (namespace, pod) group_left () {energy}')} / 1000"
    calls = by(of, f"{rate('modelserve_requests_total', *CALLS)} {_ON_GPU}")
    return [
        lines(
            "Compute engine by model",
            "Mean over a revision's pods that have a GPU. Low while calls wait: preprocessing is the "
            "limit, give the pod more CPU.",
            "percentunit",
            Query(
                f"avg by ({of}) ({_PODS} * on (namespace, pod) group_left () {used})",
                "{{model}} {{revision}}",
            ),
            most=1,
        ),
        lines(
            "Calls on GPUs",
            "In a second, of pods that have a GPU.",
            "reqps",
            Query(calls, "{{model}} {{revision}}"),
        ),
        lines(
            "Time in the engine",
            "95th percentile for a batch, on whatever it runs. Compare revisions on CPUs with those on GPUs.",
            "s",
            Query(quantile(0.95, "modelserve_engine_seconds", of, *CALLS), "{{model}} {{revision}}"),
        ),
        lines(
            "Mean batch",
            "Texts or images at once. A GPU that gets 1 is wasted: let calls wait a little "
            "(--batch_window_ms).",
            "short",
            Query(mean("modelserve_batch_size", of, *CALLS), "{{model}} {{revision}}"),
        ),
        lines(
            "Energy of a thousand calls",
            "Of the GPUs alone, the time in which they idle included. GPUs that pods share are counted for "
            "each.",
            "joule",
            Query(f"1000 * ({joules}) / ({calls} > 0)", "{{model}} {{revision}}"),
        ),
        lines(
            "Reserved and offered",
            "GPUs and partitions. Reserved at offered: further pods wait for a node.",
            "short",
            Query(
                'sum by (resource) (kube_pod_container_resource_requests{resource=~"nvidia_com_.*"})',
                "reserved {{resource}}",
            ),
            Query(
                'sum by (resource) (kube_node_status_allocatable{resource=~"nvidia_com_.*"})',
                "offered {{resource}}",
            ),
        ),
    ]


def _health() -> list[Panel]:
    return [
        lines(
            "Last XID error",
            "0 is none. 48, 63, 64, 74, 79, 94 and 95 are of the hardware: drain the node. 13, 31 and 43 are "
            "mostly of the program.",
            "short",
            Query(by(_OF, series("DCGM_FI_DEV_XID_ERRORS", *_HARDWARE), how="max"), _NAME),
            limits=Limits(None, 1),
        ),
        lines(
            "Temperature",
            "Of the GPU. Above 85 °C clocks are lowered: see the clock beside it.",
            "celsius",
            Query(by(_OF, series("DCGM_FI_DEV_GPU_TEMP", *_HARDWARE), how="max"), _NAME),
            limits=Limits(80, 85),
        ),
        lines(
            "Clock",
            "Of the multiprocessors. Falling under load: heat or the power limit.",
            "rothz",
            Query(f"1e6 * {by(_OF, series('DCGM_FI_DEV_SM_CLOCK', *_HARDWARE), how='max')}", _NAME),
        ),
        lines(
            "Power by GPU",
            "Near its limit the clock is lowered.",
            "watt",
            Query(by(_OF, series("DCGM_FI_DEV_POWER_USAGE", *_HARDWARE), how="max"), _NAME),
        ),
        lines(
            "Repeats on PCIe",
            "In the window. Many: a bad slot or riser.",
            "short",
            Query(
                by(_OF, f"increase({series('DCGM_FI_DEV_PCIE_REPLAY_COUNTER', *_HARDWARE)}[$interval])"),
                _NAME,
            ),
            limits=Limits(None, 100),
        ),
        lines(
            "Rows of memory that were replaced",
            "After errors that could not be corrected. Any failure to replace one: send the GPU back.",
            "short",
            Query(
                by(_OF, series("DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS", *_HARDWARE), how="max"),
                f"replaced {_NAME}",
            ),
            Query(by(_OF, series("DCGM_FI_DEV_ROW_REMAP_FAILURE", *_HARDWARE), how="max"), f"failed {_NAME}"),
            limits=Limits(None, 1),
        ),
    ]


def _memory() -> str:
    return f"({series(_USED, *_HARDWARE)} + {series(_FREE, *_HARDWARE)})"
