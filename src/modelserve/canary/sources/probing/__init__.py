"""Measurements of calls that a rollout makes itself, to each revision at its own address."""
