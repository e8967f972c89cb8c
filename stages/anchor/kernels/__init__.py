"""The compiled pass over runs of pixels; importing a module of this package imports numba (see ``measure.kernels``)."""
