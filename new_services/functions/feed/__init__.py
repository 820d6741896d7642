"""Keeps the read model up to date with legacy's outbox."""
