"""Of EC2: launch templates' own tags, and what a rule between security groups is there for."""

from __future__ import annotations

from moto.core.responses import ActionResult
from moto.ec2 import urls
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.ec2.responses import EC2Response


class _Ec2(EC2Response):  # type: ignore[misc]
    def create_launch_template(self) -> ActionResult:
        """The template's own tags are not those of what it starts."""
        answer = super().create_launch_template()
        template = self.ec2_backend.get_launch_template_by_name(self._get_param("LaunchTemplateName"))
        data = template.default_version().data
        data["TagSpecifications"] = [
            one for one in data.get("TagSpecifications", []) if one["ResourceType"] != "launch-template"
        ]
        return answer


def _description(rule: SecurityGroupRule) -> str | None:
    """What a rule is there for, of which moto tells for addresses only."""
    description: str | None = rule.ip_range.get("Description") or rule.source_group.get("Description")
    return description


def extend() -> None:
    """Have moto's server answer so."""
    SecurityGroupRule.description = property(_description)
    for path in urls.url_paths:
        urls.url_paths[path] = _Ec2.dispatch
