"""The ground that every process stands on: timers, batched writes, tasks, channels, events."""
