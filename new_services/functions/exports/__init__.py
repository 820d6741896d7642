"""Exports as jobs: accepted at once, worked off at a rate of their own."""
