"""Following the control plane's table, and keeping the last good one on disk."""
