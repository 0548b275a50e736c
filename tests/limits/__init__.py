"""The limits suite: each script measures one bound on real processes, prints a row and writes JSON."""
