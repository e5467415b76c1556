"""``modelserve canary controller``: obeys the cluster's CanaryPolicy objects."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from typing import Any

from modelserve.cli.arguments import address, host, port, positive

_USUAL_STORE = "sqlite:///canary.db"


def add_parser(actions: Any) -> None:
    """Add the action."""
    parser: argparse.ArgumentParser = actions.add_parser(
        "controller",
        help="obey the cluster's CanaryPolicy objects",
        description="Try each new model of the services that CanaryPolicy objects name, and promote it or "
        "roll back, until SIGTERM. Of several replicas one leads. Exit status: 0 after a signal, 1 when it "
        "cannot begin or another leads now.",
    )
    parser.add_argument(
        "--store",
        default=os.environ.get("MODELSERVE_STORE_URL", _USUAL_STORE),
        metavar="URL",
        help="of the journal, as postgresql+psycopg://USER@HOST/NAME for several replicas "
        f"({_USUAL_STORE}; the variable MODELSERVE_STORE_URL says one)",
    )
    parser.add_argument(
        "--http_host", type=host, default="0.0.0.0", help="address to listen on (%(default)s)"
    )
    parser.add_argument("--http_port", type=port, default=8080, help="of metrics and pages (%(default)s)")
    parser.add_argument("--namespace", help="in which policies are obeyed (default: all)")
    parser.add_argument(
        "--own_namespace", help="of its Lease and Secret (default: the pod's, or the kubeconfig's)"
    )
    parser.add_argument("--webhook_port", type=port, default=8443, help="of the webhook (%(default)s)")
    parser.add_argument(
        "--webhook_name",
        type=host,
        metavar="HOST",
        help="by which the API server calls it (default: the Service modelserve-canary in that namespace)",
    )
    parser.add_argument("--kserve_namespace", default="kserve", help="that KServe is in (%(default)s)")
    parser.add_argument(
        "--event_sink", type=address, metavar="URL", help="to which decisions are sent as CloudEvents"
    )
    parser.add_argument(
        "--keep_days", type=positive, default=30.0, help="of canaries that have ended (%(default)s)"
    )
    parser.add_argument("--log_format", choices=("text", "json"), default="text", help="(%(default)s)")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from modelserve.canary.controller.admitting import WebhookSettings
    from modelserve.canary.controller.process import Settings, run_controller
    from modelserve.errors import ModelServeError
    from modelserve.logs import configure_logging

    configure_logging(log_format=options.log_format, log_level="info", revision="local")
    settings = Settings(
        store=options.store,
        host=options.http_host,
        port=options.http_port,
        namespace=options.namespace,
        own_namespace=options.own_namespace,
        event_sink=options.event_sink,
        webhook=WebhookSettings(
            host=options.http_host,
            port=options.webhook_port,
            name=options.webhook_name,
            kserve_namespace=options.kserve_namespace,
        ),
        keep_days=options.keep_days,
    )
    try:
        has_led_well = run_controller(
            settings, on_ready=lambda port: logging.getLogger("modelserve").info("listening on %d", port)
        )
    except ModelServeError as error:
        print(f"modelserve canary controller: {error}", file=sys.stderr)
        return 1
    return 0 if has_led_well else 1
