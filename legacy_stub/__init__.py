"""Wayfarer, the old monolith of a travel shop, to be strangled; README.md has its shapes."""
