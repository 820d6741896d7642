"""From a change to every proxy: validate, store as a revision, tell the streams."""
