"""Sphinx's settings for the site that `make docs` builds of this repository's own documents.

The source folder is the repository, so that links between documents mean the same on the site as in a clone,
and nothing is copied. Nothing is fetched: Mermaid's diagrams are drawn by the package mermaidx, in Python.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

# Imported by autodoc, FastAPI's models cannot be made (Sphinx 9.0.4, pydantic 2.14): it is imported before.
import_module("kserve")

sys.path.insert(0, str(Path(__file__).parent))

project = "modelserve"
author = "the authors of modelserve"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinxcontrib.mermaid",
    "folder_links",
]
root_doc = "docs/site/index"
include_patterns = [
    "*.md",
    "docs/**",
    *(
        f"{shelf}/**README.md"
        for shelf in (
            "benchmarks",
            "examples",
            "explainers",
            "inferenceservices",
            "observability",
            "predictors",
            "samples",
            "terraform",
            "transformers",
        )
    ),
    "tests/e2e/README.md",
]
suppress_warnings = [
    # Code in documents is there to be read, with a placeholder where a name goes.
    "misc.highlighting_failure",
]
# Environments and builds, which are walked through otherwise.
exclude_patterns = [".*", "build", "dist", "terraform/**/.terraform"]

# Markdown as GitHub reads it.
myst_heading_anchors = 4
myst_fence_as_directive = ["mermaid"]
myst_enable_extensions = ["tasklist"]

mermaid_output_format = "svg"
mermaid_cmd = f"{sys.executable} -m mermaidx"
mermaid_cmd_shell = "False"
# Paths in boxes have no place to break at, and would be cut off at the usual width.
_mermaid = str(Path(__file__).with_name("mermaid.json"))
mermaid_params = ["--theme", "neutral", "--background", "white", "--quiet", "--config", _mermaid]

autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

html_theme = "furo"
html_title = "modelserve"
html_show_copyright = False
html_show_sourcelink = False
html_copy_source = False
templates_path = ["templates"]
# The root document is two folders down.
html_additional_pages = {"index": "to-root.html"}
