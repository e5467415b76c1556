"""The controller of ``CanaryPolicy`` objects: a new model is tried, whoever brings it."""
