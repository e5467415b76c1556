"""Several models as one pipeline: one definition, three runners."""
