"""Masks to anchors: components, shape, appearance, location, ranks and relations of every target."""
