"""What must hold of a table before it is saved or served, as findings with stable codes."""
