"""Benchmarks: `make bench`. Machines are noisy, so every figure stands beside a peer's from the same run."""
