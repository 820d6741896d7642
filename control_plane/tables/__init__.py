"""The whole table as a document: export, validate, apply."""
