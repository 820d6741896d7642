"""Bookings and their payments."""
