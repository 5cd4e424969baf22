"""The contracts: what crosses a process boundary, and nothing else. Imports nothing of ours."""
