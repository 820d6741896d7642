"""Who runs and who watches: supervisor, workers, shadow worker."""
