"""Backends, capabilities and routes: reading and editing them, and the flip."""
