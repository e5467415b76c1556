"""Pipelines in the terms of other runners: an InferenceGraph of KServe, a WorkflowTemplate of Argo."""
