"""What every pool shares: the worker process, the stage task, and what a model must offer."""
