"""What moves a canary's traffic, and tells where it stands: one protocol, a file for each kind of object."""

from modelserve.canary.rollout.protocol import (
    Away,
    CannotRollOut,
    Changed,
    Gone,
    NothingNew,
    Rollout,
    RolloutState,
)

__all__ = ["Away", "CannotRollOut", "Changed", "Gone", "NothingNew", "Rollout", "RolloutState"]
