"""Model serving on KServe: predictors, rollout and observation that share one package.

Importing this package imports neither torch nor transformers nor kserve, so that command line
tools and small sidecars start quickly; each part is imported where it is used.
"""

__version__ = "0.1.0"
