"""Judges of conversions. None of them ever trains a model or selects one."""
