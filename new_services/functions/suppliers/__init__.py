"""Prices that suppliers publish."""
