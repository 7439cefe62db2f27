"""Local stand-ins for Twilio and Stripe: small HTTP servers reached by the providers' own client libraries.

They keep everything in memory, listen on 127.0.0.1 only, log no request, and can be told to fail in
the ways a network fails (see `faults`). `twilio` and `stripe` each hold one application factory and can
be run with `python -m`.
"""
