"""Calls to AWS without an SDK, whose import alone would double a cold start."""
