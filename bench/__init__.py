"""Benchmarks: `make bench`, `make bench-peers`. Machines are noisy, so every figure stands beside a peer's of the same round."""
