"""What was seen of canaries and decided about them, kept: for whoever goes on with one, and for people."""

from modelserve.canary.journal.entries import Canary, Entry
from modelserve.canary.journal.journal import Journal

__all__ = ["Canary", "Entry", "Journal"]
