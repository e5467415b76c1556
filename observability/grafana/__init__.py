"""Grafana's dashboards as code: ``python -m grafana`` writes the JSON beside this file.

What Grafana loads is checked in, so that a cluster needs no Python; a test fails where the two differ. The
builders are Grafana's own (grafana-foundation-sdk), which need Python 3.11.
"""
