"""What was found of drift, for people (HTML) and for programs (JSON)."""
