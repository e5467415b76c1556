"""Finds drift in KServe's request log: a sink for its events, and what watches them."""
