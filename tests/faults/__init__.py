"""The faults suite: each script breaks one thing on real processes, prints a row and writes JSON."""
