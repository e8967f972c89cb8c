"""Predictions -> scores, metrics and intervals. Parse failures and extra boxes count against the contender."""
