"""Rules while a request is served: attempts, breakers, budgets, limits, claims."""
