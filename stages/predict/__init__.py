"""Weights -> predictions: batched generation of one contender, or one picture from the command line."""
