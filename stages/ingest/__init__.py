"""A dataset in its own format -> samples: 8-bit pictures, masks under canonical labels, orientation, spacing, licence; faults as values."""
