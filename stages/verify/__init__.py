"""Queries to verdicts: text read as claims, claims executed on every anchor, priors, and a look at the picture."""
