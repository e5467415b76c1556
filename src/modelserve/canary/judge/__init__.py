"""The judge: measurements of two revisions in, a verdict with its reasons out; nothing here does I/O."""
