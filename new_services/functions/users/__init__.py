"""The user profile service: six functions on one application layer."""
