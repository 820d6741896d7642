"""Benchmarks. `python -m bench` runs Figway beside its peers; the other modules measure parts."""
