"""All datasets together: totals, and pictures that stand in more than one of them."""
