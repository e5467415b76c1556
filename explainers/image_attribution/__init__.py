"""Which regions of an image make the classifier name its class, behind V1's ``:explain``."""
