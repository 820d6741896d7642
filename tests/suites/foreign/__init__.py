"""Suites of other projects, run against a server directly and through the facade without routes."""
