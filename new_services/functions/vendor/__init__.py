"""Helpers around the platform: events of the HTTP API, answers, storage, the event feed."""
