"""Wayfarer, the old monolith of a travel shop: somebody else's code, to be strangled (see README.md)."""
