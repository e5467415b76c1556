"""Detectors of alibi-detect, for what scipy has no test of.

alibi-detect is under the Business Source License 1.1 (docs/adr/0015-drift.md). Nothing else in this project
imports it, and importing this package imports neither it nor TensorFlow.
"""
