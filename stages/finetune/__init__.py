"""Corpus -> adapters: LoRA on the base, one arm on referring queries, one on class names."""
