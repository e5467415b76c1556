"""The form of what people write in files and in Kubernetes objects."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Written(BaseModel):
    """What people write: in camelCase as Kubernetes has it, and nothing that has no meaning."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid")
