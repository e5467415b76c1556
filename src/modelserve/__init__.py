"""Model serving on KServe: predictors, rollout and observation that share one package.

Importing this package imports neither torch nor transformers nor kserve, so that command line
tools and small sidecars start quickly; each part is imported where it is used.
"""

import os

# From 1.29 on, ONNX Runtime writes an identifier of the machine into the home folder and sends events to
# its maker, unless this is set before it is imported. Whoever wants that says 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"
