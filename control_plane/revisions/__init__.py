"""The numbered tables of the past: list, compare, undo."""
