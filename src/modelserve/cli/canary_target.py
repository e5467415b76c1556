"""What the actions of ``modelserve canary`` on a cluster have in common: a service, and what measures it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelserve.canary.rollout import Rollout, RolloutState
    from modelserve.canary.running.specification import Specification

_KINDS = ("inferenceservice", "service", "virtualservice")


def add_service(parser: argparse.ArgumentParser) -> None:
    """Say which service it is about."""
    parser.add_argument(
        "service", metavar="NAME", help="of the InferenceService, Knative Service or VirtualService"
    )
    parser.add_argument("--namespace", help="that it is in (default: the kubeconfig's)")
    parser.add_argument("--kind", choices=_KINDS, default=_KINDS[0], help="what NAME is (%(default)s)")


def add_names(parser: argparse.ArgumentParser) -> None:
    """Say how what Prometheus has is called."""
    parser.add_argument(
        "--names",
        choices=("modelserve", "knative", "istio"),
        default="modelserve",
        help="whose metrics Prometheus has (%(default)s)",
    )


def add_policy(parser: argparse.ArgumentParser) -> None:
    """Say what is asked of a canary."""
    parser.add_argument("--policy", type=Path, metavar="FILE", help="steps and checks, in YAML")


def guarded(action: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """An action whose errors are a sentence, and a status of 2."""

    def run(options: argparse.Namespace) -> int:
        from modelserve.errors import ModelServeError

        try:
            return action(options)
        except ModelServeError as error:
            print(f"modelserve canary: {error}", file=sys.stderr)
            return 2

    return run


def specification_of(options: argparse.Namespace) -> Specification:
    """What is asked of the canary.

    Raises:
        SpecificationError: the file is none.
    """
    from modelserve.canary.running.specification import Specification, read_specification

    return Specification() if options.policy is None else read_specification(options.policy)


def rollout_of(options: argparse.Namespace) -> tuple[Rollout, str]:
    """What moves the traffic, and the namespace that it is in.

    Raises:
        CannotRollOut: there is no cluster to talk to.
    """
    from modelserve.canary.rollout.inference_service import InferenceServiceRollout
    from modelserve.canary.rollout.knative_service import KnativeServiceRollout
    from modelserve.canary.rollout.objects import Objects, connect
    from modelserve.canary.rollout.virtual_service import VirtualServiceRollout

    rollouts: dict[str, Callable[[Objects, str], Rollout]] = {
        "inferenceservice": InferenceServiceRollout,
        "service": KnativeServiceRollout,
        "virtualservice": VirtualServiceRollout,
    }
    objects = Objects(connect(), options.namespace)
    return rollouts[options.kind](objects, options.service), objects.namespace


def state_json(options: argparse.Namespace, namespace: str, state: RolloutState | None) -> dict[str, Any]:
    """Which service it is about, and where it stands, for programs."""
    about = {"service": options.service, "namespace": namespace, "kind": options.kind}
    return about if state is None else about | asdict(state)
