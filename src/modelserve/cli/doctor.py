"""``modelserve doctor``: what keeps InferenceServices from answering, and how to mend it."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelserve.doctor.diagnosis import Diagnosis


def add_parser(subparsers: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "doctor",
        help="tell what keeps InferenceServices from answering",
        description="Look at the cluster that KUBECONFIG names, or that the process is in, and say of each "
        "fault what is wrong and how it is mended; docs/troubleshooting.md has an entry for each code. "
        "Nothing is changed, no Secret is read. Exit status: 0 when nothing is wrong, 1 when something is, 2 "
        "for bad usage, 3 when that is not known: the cluster does not answer, something may not be read, or "
        "a service is still starting.",
    )
    parser.add_argument(
        "service", nargs="?", metavar="NAME", help="of the InferenceService (default: all of the namespace)"
    )
    parser.add_argument("--namespace", help="that it is in (default: the kubeconfig's)")
    parser.add_argument("--json", action="store_true", help="print it as a JSON object")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Diagnose; 0 healthy, 1 faults found, 3 no verdict."""
    from modelserve.doctor.diagnosis import Verdict
    from modelserve.doctor.report import json_of, text_of

    diagnosis = _diagnosis(options)
    print(json.dumps(json_of(diagnosis)) if options.json else text_of(diagnosis))
    return {Verdict.HEALTHY: 0, Verdict.FAULTY: 1, Verdict.UNKNOWN: 3}[diagnosis.verdict]


def _diagnosis(options: argparse.Namespace) -> Diagnosis:
    """What is found; that the cluster does not answer is a finding too, for programs that read them."""
    from modelserve.canary.rollout.objects import connect, own_namespace
    from modelserve.doctor.diagnosis import Diagnosis, diagnose
    from modelserve.doctor.findings import Code, Finding
    from modelserve.doctor.reading import read
    from modelserve.errors import ModelServeError

    namespace = options.namespace or ""
    try:
        connection = connect()
        namespace = options.namespace or own_namespace()
        return diagnose(read(connection, namespace, options.service))
    except ModelServeError as error:
        finding = Finding(
            Code.CLUSTER_AWAY,
            "the cluster",
            f"It could not be asked: {str(error).rstrip('.')}.",
            "Check KUBECONFIG, the address in it and its credentials (kubectl get namespaces).",
        )
        return Diagnosis(namespace, (), (finding,))
