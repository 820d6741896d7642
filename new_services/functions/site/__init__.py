"""Single pages of the site that have moved."""
