"""Pipelines over REST: runs are begun, watched and ended by it."""
