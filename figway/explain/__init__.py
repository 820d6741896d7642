"""What would happen to one request, and why, in words."""
