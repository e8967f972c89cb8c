"""The human audit: a page of samples to judge blindly, and the answers folded back into figures."""
