"""A canary's report for people: what was decided, by which findings, and what was measured over time."""
