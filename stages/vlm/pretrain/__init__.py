"""Pretraining of the nano base on endless generic scenes with everyday referring language."""
