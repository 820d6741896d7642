"""From a table to a decision: compile once, then match, split and decide each request."""
