"""The colours of a picture of contributions, the same for texts and images.

Red and blue of ColorBrewer's RdBu, which people with any colour vision tell apart.
"""

from __future__ import annotations

SUPPORTING = (178, 24, 43)
"""For what speaks for the answer."""

OPPOSING = (33, 102, 172)
"""For what speaks against it."""
