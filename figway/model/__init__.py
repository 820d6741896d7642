"""The nouns of a migration, how they are written down and how they change."""
