"""``python -m modelserve.cli``: the command where its script is not on the path."""

import sys

from modelserve.cli import main

sys.exit(main())
