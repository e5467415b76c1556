"""Runs a pipeline's steps in the process that asks for it."""
