"""The form of what people write in files and in Kubernetes objects, and what is wrong with it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel


class Written(BaseModel):
    """What people write: in camelCase as Kubernetes has it, and nothing that has no meaning."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid")


def first_mistake(error: ValidationError, whole: str) -> str:
    """The first thing that is wrong with what somebody wrote: where, and what.

    Args:
        error: with at least one mistake, as all of them have.
        whole: what it is called where no part of it is named.
    """
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or whole}: {first['msg']}"
