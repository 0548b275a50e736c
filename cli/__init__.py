"""The command line, ``vox``. No logic of its own, and nothing heavy imported before it is needed."""
