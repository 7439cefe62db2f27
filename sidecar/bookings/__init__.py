"""Bookings: what happens to them when nobody looks."""
