"""The benchmark suite: modelserve against the same work done directly, and against other servers.

``python -m benchmarks`` measures, writes ``docs/benchmarks`` and exits 1 where a ratio is not met. It is
no part of the distribution.
"""
