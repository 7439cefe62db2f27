"""Stripe: events in, checkouts out."""
