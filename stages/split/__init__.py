"""Accepted queries to a corpus that is split by patient, with near-duplicate pictures kept together."""
