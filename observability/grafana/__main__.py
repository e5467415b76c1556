"""Writes the dashboards that Grafana loads: ``python -m grafana``."""

from __future__ import annotations

from pathlib import Path

from grafana.generating import render

FOLDER = Path(__file__).parent / "dashboards"


def main() -> None:
    """Write each dashboard, and remove what is none any more."""
    FOLDER.mkdir(exist_ok=True)
    rendered = render()
    for old in FOLDER.glob("*.json"):
        if old.name not in rendered:
            old.unlink()
    for name, text in rendered.items():
        (FOLDER / name).write_text(text, "utf-8")


if __name__ == "__main__":
    main()
