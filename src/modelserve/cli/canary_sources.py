"""Where a canary's measurements come from, on the command line."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from modelserve.cli.arguments import address, host_and_port, positive
from modelserve.cli.canary_target import add_names
from modelserve.cli.files import expect_readable

if TYPE_CHECKING:
    from modelserve.canary.judge.policy import Policy
    from modelserve.canary.rollout import Rollout
    from modelserve.canary.sources import Source
    from modelserve.canary.sources.probing.source import ProbingSource
    from modelserve.canary.sources.prometheus import PrometheusSource


def add_sources(parser: argparse.ArgumentParser) -> None:
    """Add the sources, of which one is to be chosen."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--prometheus", type=address, metavar="URL", help="where both revisions are measured")
    source.add_argument("--measurements", type=Path, metavar="FILE", help="a file that --record wrote")
    source.add_argument(
        "--probe",
        type=Path,
        metavar="FILE",
        help="call both revisions of an InferenceService with these V2 requests, in JSON, one or one a line",
    )
    add_names(parser)
    parser.add_argument("--probe_rate", type=positive, metavar="N", help="probes a second to each (10)")
    parser.add_argument(
        "--probe_address",
        type=host_and_port,
        metavar="HOST:PORT",
        help="of the ingress, where the hosts of revisions do not resolve",
    )
    parser.add_argument("--probe_model", metavar="NAME", help="that is asked (default: as the service)")


def prometheus_of(options: argparse.Namespace, namespace: str, policy: Policy) -> PrometheusSource:
    """The Prometheus that is named, asked for what the policy judges by."""
    from modelserve.canary.sources.prometheus import PrometheusSource

    return PrometheusSource.for_policy(options.prometheus, policy, namespace=namespace, names=options.names)


def source_of(
    options: argparse.Namespace, rollout: Rollout, namespace: str, policy: Policy, stack: ExitStack
) -> Source:
    """The source that was chosen, closed with the stack.

    Raises:
        NoProbes: there is nothing to send, or nowhere.
        Unreadable: a file cannot be read.
    """
    from modelserve.canary.sources.probing.requests import NoProbes
    from modelserve.canary.sources.recorded import RecordedSource

    told = [
        name for name in ("probe_rate", "probe_address", "probe_model") if getattr(options, name) is not None
    ]
    if told and options.probe is None:
        raise NoProbes(f"--{told[0]} is of probes; it is accepted with --probe")
    if options.measurements is not None:
        expect_readable(options.measurements)
        return RecordedSource(options.measurements)
    if options.probe is not None:
        probing = _probing(options, rollout)
        stack.callback(probing.close)
        return probing
    prometheus = prometheus_of(options, namespace, policy)
    stack.callback(prometheus.close)
    return prometheus


def _probing(options: argparse.Namespace, rollout: Rollout) -> ProbingSource:
    from modelserve.canary.rollout.inference_service import InferenceServiceRollout
    from modelserve.canary.sources.probing.prober import Probes
    from modelserve.canary.sources.probing.requests import NoProbes, read_requests
    from modelserve.canary.sources.probing.source import ProbingSource

    if not isinstance(rollout, InferenceServiceRollout):
        raise NoProbes(f"--kind {options.kind} is not probed; an inferenceservice is accepted")
    probes = Probes(
        requests=read_requests(options.probe),
        path=f"/v2/models/{quote(options.probe_model or options.service, safe='')}/infer",
        gateway=options.probe_address,
    )
    if options.probe_rate is not None:
        probes = replace(probes, per_second=options.probe_rate)
    return ProbingSource(rollout.addresses, probes)
