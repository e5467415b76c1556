"""Documents of any length to the sentences that a token classifier reads, and its spans back."""
