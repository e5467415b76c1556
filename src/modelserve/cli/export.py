"""``modelserve export``: a model folder for the CPU flavour, which answers as the original does."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from modelserve.errors import ExportError, ModelLoadError


def add_parser(subparsers: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "export",
        help="convert a model folder to ONNX",
        description="Convert a model folder to one with model.onnx, unless that changes its answers.",
    )
    parser.add_argument("--model_dir", type=Path, required=True, help="the folder to convert")
    parser.add_argument("--output", type=Path, required=True, help="the folder to write")
    parser.add_argument(
        "--precision", choices=("fp32", "int8"), default="fp32", help="of the weights (%(default)s)"
    )
    parser.add_argument(
        "--samples",
        type=Path,
        help="a file with a text on each line, or a folder of images, to judge it by; int8 needs it",
    )
    parser.add_argument(
        "--tolerance", type=float, help="largest difference of a logit (fp32: 0.001; int8: no limit)"
    )
    parser.add_argument(
        "--agreement", type=float, default=0.99, help="least share of equal labels (%(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Export; 0 when the folder is written, 1 when it is refused, 2 for bad usage."""
    if options.precision == "int8" and options.samples is None:
        print("modelserve export: --precision int8 needs --samples", file=sys.stderr)
        return 2
    from modelserve.export import export_model

    try:
        report = export_model(
            options.model_dir,
            options.output,
            precision=options.precision,
            samples=options.samples,
            tolerance=options.tolerance,
            agreement=options.agreement,
        )
    except (ExportError, ModelLoadError) as error:
        print(f"modelserve export: {error}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps(asdict(report)))
    else:
        print(
            f"wrote {report.output} ({report.precision}, {report.bytes / 1e6:.1f} MB): of {report.judged} "
            f"labels {report.agreement:.2%} are torch's, and no logit differs by more than "
            f"{report.max_difference:.2g}"
        )
    return 0
