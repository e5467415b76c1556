"""Managed node groups: their machines, their disks, and what schedules, idle models and spot save of both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from modelserve.cost.cron import ScheduleError, parse_cron
from modelserve.cost.lines import Group, Line, NotEstimated, Saving, Way
from modelserve.cost.plan import NotTold, Plan, Resource
from modelserve.cost.prices import NotPriced, Prices
from modelserve.cost.references import References
from modelserve.cost.schedule import Action, Sizes, average, find_zone

_UNCHANGED = -1
"""What an action's size is where it stays as it was."""


@dataclass(frozen=True, slots=True)
class Nodes:
    """What all node groups come to."""

    lines: tuple[Line, ...]
    savings: tuple[Saving, ...]
    not_estimated: tuple[NotEstimated, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Disk:
    gib: int
    type: str


def estimate_nodes(plan: Plan, prices: Prices, *, idle_share: Decimal) -> Nodes:
    """What the plan's node groups cost.

    A group is paid for its desired size, by its first instance type. Scheduled actions change the size by the
    hour. Machines of a group whose least size is 0 are taken away while models are idle.

    Args:
        plan: with the groups.
        prices: of its region.
        idle_share: of the hours, in which nobody calls the models, 0 to 1.
    """
    references = References(plan)
    lines: list[Line] = []
    savings: list[Saving] = []
    missing: list[NotEstimated] = []
    growing: list[str] = []
    actions, lost = _actions(plan, references)
    missing += lost
    for group in plan.of_type("aws_eks_node_group"):
        try:
            found = _of_group(group, references, prices, actions.get(group.address, []), idle_share)
        except (NotPriced, NotTold) as error:
            missing.append(NotEstimated(group.type, str(error), (group.address,)))
            continue
        lines += found.lines
        savings += found.savings
        missing += found.not_estimated
        growing += found.left_out
    left_out = [f"machines beyond a group's size: {', '.join(growing)}"] if growing else []
    if any(saving.way is Way.SPOT for saving in savings):
        left_out.append("spot prices as they are: a share of the on-demand price is assumed for each family")
    return Nodes(tuple(lines), tuple(savings), tuple(missing), tuple(left_out))


def _of_group(
    group: Resource, references: References, prices: Prices, actions: list[Action], idle_share: Decimal
) -> Nodes:
    """What one group comes to; what it may grow to is what is left out.

    Raises:
        NotPriced: there is no price for its machines.
        NotTold: its size or its machines are not known.
    """
    name, template = _name(group), _template(group, references)
    machine, sizes = _machine(group, template), _sizes(group)
    top = max(sizes.most, *(action.most or 0 for action in actions)) if actions else sizes.most
    growth = (f"{name} has up to {top} x {machine}",) if top > sizes.desired else ()
    found = average(sizes, actions)
    always, scheduled = Decimal(sizes.desired), _decimal(found.machines)
    paid = _decimal(found.while_called(1 - Fraction(idle_share)))
    if not any((always, scheduled, paid)):
        none = Line(Group.COMPUTE, f"nodes {name}: {machine}", Decimal(), "machines", Decimal())
        return Nodes((none,), (), (), growth)
    is_spot = group.text("capacity_type") == "SPOT"
    share = prices.spot_share(machine) if is_spot else Decimal(1)
    usd, disk = prices.machine_a_month("ec2", machine), _disk(template)
    how = "spot" if is_spot else "on demand"
    lines = [Line(Group.COMPUTE, f"nodes {name}: {machine}, {how}", paid, "machines", usd * share)]
    missing: tuple[NotEstimated, ...] = ()
    disk_usd = Decimal()
    if disk is None:
        missing = (NotEstimated(group.type, "its disks are not known", (group.address,)),)
    else:
        gib_usd = prices.a_month(f"ebs_{disk.type}_gb")
        disk_usd = disk.gib * gib_usd
        what = f"disks of nodes {name}: GB of {disk.type}"
        lines.append(Line(Group.COMPUTE, what, paid * disk.gib, "GB", gib_usd))
    savings = (
        Saving(Way.SCHEDULES, f"nodes {name}", (always - scheduled) * (usd + disk_usd)),
        Saving(Way.SCALE_TO_ZERO, f"nodes {name}", (scheduled - paid) * (usd + disk_usd)),
        Saving(Way.SPOT, f"nodes {name}", paid * usd * (1 - share)),
    )
    return Nodes(tuple(lines), tuple(saving for saving in savings if saving.usd), missing, growth)


def _name(group: Resource) -> str:
    """The key of ``for_each``, which is what people call it, else the name."""
    if group.index is not None:
        return str(group.index)
    prefix = (group.text("node_group_name_prefix") or "").rstrip("-")
    return group.text("node_group_name") or prefix or group.name


def _decimal(value: Fraction) -> Decimal:
    return Decimal(value.numerator) / value.denominator


def _sizes(group: Resource) -> Sizes:
    found = [group.number("scaling_config", key) for key in ("min_size", "max_size", "desired_size")]
    least, most, desired = found
    if least is None or most is None or desired is None:
        raise NotTold("its size is not known before it is made")
    return Sizes(least, most, desired)


def _machine(group: Resource, template: Resource | None) -> str:
    types = group.at("instance_types")
    found = types[0] if isinstance(types, list) and types else template and template.text("instance_type")
    if not isinstance(found, str):
        raise NotTold("its machines' type is not known")
    return found


def _template(group: Resource, references: References) -> Resource | None:
    """The launch template, by its id where it is there, and by what the code refers to where it is not."""
    identity = group.text("launch_template", "id")
    if identity is not None:
        for template in references.plan.of_type("aws_launch_template"):
            if template.text("id") == identity:
                return template
        return None
    return references.one(group, "launch_template", "id", of_type="aws_launch_template")


def _disk(template: Resource | None) -> _Disk | None:
    if template is None:
        # Without a template EKS makes the disk, of a type that the group does not tell.
        return None
    for mapping in template.blocks("block_device_mappings"):
        ebs = mapping.get("ebs") or [{}]
        size, type_ = ebs[0].get("volume_size"), ebs[0].get("volume_type")
        if isinstance(size, int) and type_ in ("gp2", "gp3"):
            return _Disk(size, type_)
    return None


def _actions(plan: Plan, references: References) -> tuple[Mapping[str, list[Action]], list[NotEstimated]]:
    """The scheduled actions by the addresses of their groups, in the order of their names."""
    found: dict[str, list[Action]] = {}
    missing: list[NotEstimated] = []
    groups = plan.of_type("aws_eks_node_group")
    schedules = plan.of_type("aws_autoscaling_schedule")
    for schedule in sorted(schedules, key=lambda one: one.text("scheduled_action_name") or one.address):
        group = _group_of(schedule, groups, references)
        try:
            if group is None:
                raise NotTold("the node group that it moves is not known: that is paid without it")
            action = _action(schedule)
        except (ScheduleError, NotTold) as error:
            missing.append(NotEstimated(schedule.type, str(error), (schedule.address,)))
            continue
        found.setdefault(group.address, []).append(action)
    return found, missing


def _group_of(schedule: Resource, groups: list[Resource], references: References) -> Resource | None:
    name = schedule.text("autoscaling_group_name")
    if name is None:
        return references.one(schedule, "autoscaling_group_name", of_type="aws_eks_node_group")
    for group in groups:
        if group.text("resources", "autoscaling_groups", "name") == name:
            return group
    return None


def _action(schedule: Resource) -> Action:
    recurrence = schedule.text("recurrence")
    if recurrence is None:
        raise NotTold("it does not recur: it is left out")
    sizes = [schedule.number(key) for key in ("min_size", "max_size", "desired_capacity")]
    if None in sizes:
        raise NotTold("its sizes are not known: its group is paid without it")
    least, most, desired = (None if size == _UNCHANGED else size for size in sizes)
    return Action(parse_cron(recurrence), find_zone(schedule.text("time_zone")), least, most, desired)
