"""The entry of a server process: settings in, exit status out."""

from __future__ import annotations

import gc
import importlib
import logging
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from modelserve.errors import ModelServeError
from modelserve.logs import configure_logging
from modelserve.memory import collect_rarely
from modelserve.settings import PredictorSettings, RemoteSettings, ServerSettings, parse_settings

if TYPE_CHECKING:
    from modelserve.server.mirror import Mirror
    from modelserve.serving import ServedModel

logger = logging.getLogger(__name__)


def run_predictor(model_class: str, *, default_name: str, argv: Sequence[str]) -> int:
    """Serve one model, as a predictor's container does.

    Args:
        model_class: ``module:Class`` of the unit's ``FolderModel``, imported after the settings are
            read, so that ``--help`` and a mistyped flag answer at once.
        default_name: the model's name where the settings give none.
        argv: the flags.

    Returns:
        The exit status: 0 after a signal, 1 when the server could not start.
    """
    program = f"python -m {model_class.partition('.')[0]}"
    settings = parse_settings(PredictorSettings, argv, program=program)
    if settings.model_dir is None and settings.model_id is None:
        print(f"{program}: --model_dir or --model_id is needed; --help tells more", file=sys.stderr)
        return 2
    module, _, name = model_class.partition(":")

    def build() -> list[ServedModel]:
        from modelserve.engines.fetch import LINK_SECONDS, resolve_model

        # KServe says so of a model image: the folder may come after the server's start.
        wait_seconds = LINK_SECONDS if os.environ.get("MODEL_INIT_MODE") == "async" else 0.0
        model_dir = resolve_model(settings.model_dir, settings.model_id, wait_seconds=wait_seconds)
        unit = getattr(importlib.import_module(module), name)
        model_name = settings.model_name or default_name
        version, digest = settings.model_version, settings.model_digest
        return [unit(model_name, model_dir, settings, version=version, digest=digest)]

    return run_server(build, settings)


def run_remote(
    model_class: str,
    settings_class: type[RemoteSettings],
    *,
    default_name: str,
    argv: Sequence[str],
) -> int:
    """Serve one model in front of a predictor, as a transformer's or an explainer's container does.

    Args:
        model_class: ``module:Class`` of the unit's model, made from a name and the settings.
        settings_class: of the unit.
        default_name: the model's name where the settings give none.
        argv: the flags.

    Returns:
        The exit status: 0 after a signal, 1 when the server could not start.
    """
    program = f"python -m {model_class.partition('.')[0]}"
    settings = parse_settings(settings_class, argv, program=program)
    if not settings.predictor_host or "/" in settings.predictor_host:
        print(
            f"{program}: --predictor_host is needed, as HOST or HOST:PORT; --help tells more", file=sys.stderr
        )
        return 2
    module, _, name = model_class.partition(":")

    def build() -> list[ServedModel]:
        unit = getattr(importlib.import_module(module), name)
        return [unit(settings.model_name or default_name, settings, version=settings.model_version)]

    return run_server(build, settings)


def run_server(
    build: Callable[[], Sequence[ServedModel]],
    settings: ServerSettings,
    announce: Callable[[int, int], None] | None = None,
    open_mirror: Callable[[], Mirror | None] = lambda: None,
) -> int:
    """Serve models until a signal.

    Args:
        build: makes the models, not loaded yet.
        settings: of the server.
        announce: called with the HTTP and the gRPC port when every model takes calls.
        open_mirror: makes the mirror of the calls, or None.

    Returns:
        The exit status: 0 after a signal, 1 when the server could not start.
    """
    collect_rarely()
    configure_logging(
        log_format=settings.log_format, log_level=settings.log_level, revision=settings.revision
    )
    from modelserve.server.workers import inherited, supervise

    worker = inherited()
    if settings.workers > 1 and worker is None:
        try:
            return supervise(settings)
        except ModelServeError as error:
            logger.error("%s", error)
            return 1
    # KServe parses sys.argv when it is imported, and these flags are not for it.
    sys.argv = sys.argv[:1]
    from modelserve.light_kserve import import_model

    import_model()
    import uvloop

    from modelserve.server.runner import Ports, serve

    def on_ready(ports: Ports) -> None:
        logger.info("ready: REST on port %d, gRPC on port %d", ports.http, ports.grpc)
        if announce is not None and (worker is None or worker.number == 0):
            announce(ports.http, ports.grpc)

    try:
        models = build()
        gc.freeze()  # the modules stay, and need not be looked at again; the models are not loaded yet
        uvloop.run(serve(models, settings, on_ready, worker, open_mirror()))
    except ModelServeError as error:
        logger.error("%s", error)
        return 1
    return 0
