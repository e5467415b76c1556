"""Finds the models of a pipeline, in the ways that whoever runs it prefers, and keeps the connections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path

import httpx

from modelserve.errors import InvalidInput
from modelserve.pipelines.definition.models import InferenceService, Model
from modelserve.pipelines.running.asking import Asker, HttpAsker, infer_url
from modelserve.pipelines.running.local import LocalAsker

_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class Way(str, Enum):
    """How a model may be asked."""

    IN_PROCESS = "inProcess"
    URL = "url"
    INFERENCE_SERVICE = "inferenceService"


ON_ONE_MACHINE = (Way.IN_PROCESS, Way.URL, Way.INFERENCE_SERVICE)
ON_A_CLUSTER = (Way.INFERENCE_SERVICE, Way.URL, Way.IN_PROCESS)


class Models:
    """All models that pipelines in this process ask; made within the event loop that they are asked in.

    Args:
        ways: those that are taken, the preferred one first.
        folder: from which the folders of predictors in this process are named.
        urls: servers of models by their names in pipelines, before all that a definition says.
    """

    def __init__(
        self, *, ways: Sequence[Way], folder: Path = Path(), urls: Mapping[str, str] | None = None
    ) -> None:
        self._ways, self._folder, self._urls = ways, folder, dict(urls or {})
        self._askers: dict[tuple[str, ...], Asker] = {}
        # Between the pods of a cluster is no proxy. How many calls there are is for steps to say.
        self._client = httpx.AsyncClient(trust_env=False, limits=httpx.Limits(max_connections=None))

    def asker(self, name: str, model: Model) -> Asker:
        """Who is asked for a model.

        Args:
            name: in the pipeline.
            model: as the definition has it.

        Raises:
            InvalidInput: it cannot be reached from here.
        """
        if name in self._urls:
            return HttpAsker(self._client, infer_url(self._urls[name], model.model_name or name))
        for way in self._ways:
            if (url := url_of(name, model, way)) is not None:
                return HttpAsker(self._client, url)
            if way is Way.IN_PROCESS and model.in_process is not None:
                local = model.in_process
                folder = (self._folder / local.model_dir).resolve()
                key = (way.value, local.predictor, str(folder))
                if key not in self._askers:
                    self._askers[key] = LocalAsker(local.predictor, folder)
                return self._askers[key]
        known = " or ".join(way.value for way in self._ways)
        raise InvalidInput(f"model {name} cannot be asked here; one that has {known} is accepted")

    async def close(self) -> None:
        """Let go of models and connections; no call may be in progress."""
        for asker in self._askers.values():
            await asker.close()
        await self._client.aclose()


def url_of(name: str, model: Model, way: Way, *, namespace: str | None = None) -> str | None:
    """Where a model takes V2's inference requests; None where the definition names no server of that kind.

    Args:
        name: in the pipeline, and at the server where nothing else is said.
        model: as the definition has it.
        way: to it.
        namespace: of an InferenceService that does not say its own; None takes this pod's.

    Raises:
        InvalidInput: there is no namespace, and this is no pod that has one.
    """
    if way is Way.URL and model.url is not None:
        return infer_url(model.url, model.model_name or name)
    if way is Way.INFERENCE_SERVICE and model.inference_service is not None:
        service = model.inference_service
        return infer_url(_address_of(service, namespace), model.model_name or service.name)
    return None


def _address_of(service: InferenceService, namespace: str | None) -> str:
    """An InferenceService's address within its cluster.

    That of a component, as every cluster has it: one of the whole service is there with Istio only.
    """
    namespace = service.namespace or namespace
    if namespace is None:
        try:
            namespace = _NAMESPACE.read_text("utf-8").strip()
        except OSError as error:
            raise InvalidInput(
                f"inferenceService {service.name} has no namespace and this is no pod of a cluster; "
                "a namespace, or another way to the model, is accepted"
            ) from error
    return f"http://{service.name}-{service.component}.{namespace}.svc.cluster.local"
