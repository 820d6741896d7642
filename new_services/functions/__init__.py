"""The functions as they are deployed: a folder a service, `vendor` for platform and storage."""
