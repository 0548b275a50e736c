"""What was said: a recording becomes content frames, 50 a second."""
