"""Tests of the local stand-ins, through the providers' own client libraries."""
