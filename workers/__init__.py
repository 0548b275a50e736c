"""The four stages, each a pool of its own in an environment of its own."""
