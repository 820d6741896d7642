"""Approvals and freezes: what a change towards new needs besides being right."""
