"""The local stack: Postgres, API, stand-ins and the demo. Nothing here runs in production."""
