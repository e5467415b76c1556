"""Dynamic batching in the process: what is computed together, when, and what becomes of the answers."""
