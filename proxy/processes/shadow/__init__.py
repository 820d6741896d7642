"""The shadow worker as a process, and the supervisor's side of it."""
