"""State that several detectors share in Redis, so that it does not matter which of them an event comes to.

All of it is short-lived: halves of calls, and samples of windows until they are judged. What lasts is in the
store, which several processes share where it is PostgreSQL.
"""
