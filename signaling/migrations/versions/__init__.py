"""One module a step, each with the one before it."""
