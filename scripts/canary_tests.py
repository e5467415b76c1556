#!/usr/bin/env python3
"""``modelserve canary run`` for CI: the same arguments, the same exit status."""

from __future__ import annotations

import sys

from modelserve.cli import main

sys.exit(main(["canary", "run", *sys.argv[1:]]))
