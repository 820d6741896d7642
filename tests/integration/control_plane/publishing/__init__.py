"""The publisher: one truth among control planes."""
