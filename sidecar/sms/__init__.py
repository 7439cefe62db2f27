"""Texts: Twilio's webhooks in, the outbox out."""
