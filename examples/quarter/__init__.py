"""A simulated quarter of one ward and three pharmacies, with its problems known beforehand.

``python -m examples.quarter`` writes what the hospital and the pharmacies would have sent, ``truth.jsonl`` with the problems that
were put in, and ``lookalikes.jsonl`` with what only looks like one. Nothing here but ``score`` knows rxvigil: every name, code
and limit was written for this simulation from the published sources that the cases name.
"""
