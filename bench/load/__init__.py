"""Load generators: wrk with `load.lua`, and what wrk cannot do."""
