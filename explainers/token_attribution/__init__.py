"""Which words of a text make the token classifier find a name, behind V1's ``:explain``."""
