"""A canary from its first share to its end: a pure course of phases, and what drives it."""
