"""`./just bench`: what things cost, measured side by side in one run. Not a test; see `bench/README.md`."""
