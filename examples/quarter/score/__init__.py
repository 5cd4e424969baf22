"""What rxvigil made of a quarter, beside its truth: the one part here that knows rxvigil."""
