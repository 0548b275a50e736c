"""Whose voice: a recording becomes a speaker embedding."""
