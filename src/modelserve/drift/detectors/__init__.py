"""Two-sample tests behind one protocol, one file each."""

from modelserve.drift.detectors.protocol import Comparison, Detector

__all__ = ["Comparison", "Detector"]
