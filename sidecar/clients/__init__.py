"""Clients: pushes to their devices."""
