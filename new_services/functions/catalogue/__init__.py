"""Catalogue search: a read model fed from legacy's events, its page and its export."""
