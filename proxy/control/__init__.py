"""Calls to the control plane: the one place that speaks HTTP to it."""
