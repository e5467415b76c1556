"""Drift: whether what a model is sent, and what it answers, is still what it was built for."""
