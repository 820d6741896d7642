"""Rollouts: plans, where they stand, the ticker that moves them, and what people tell them."""
