"""Events for others: an outbox in the transaction of what happened, and signed deliveries."""
