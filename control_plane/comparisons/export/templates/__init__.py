"""Files that an export copies into what it writes."""
