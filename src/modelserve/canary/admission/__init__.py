"""What keeps a new model from having calls before its canary begins, whoever writes it."""
