"""Coach OS sidecar: Stripe and Twilio in and out, and the worker. The rules live in Postgres."""
