"""A backend for one frontend: what a page shows, in one answer."""
