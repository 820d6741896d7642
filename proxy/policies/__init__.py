"""Route policies in the data plane: what is asked of a request before a backend is."""
