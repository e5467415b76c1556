"""Explanations of what a predictor answers: what explainers work with (docs/adr/0012-explanations.md)."""
