"""The kill switch: everything to legacy, at once."""
