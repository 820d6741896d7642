"""A live sample of single decisions, kept in memory for those who watch a route."""
