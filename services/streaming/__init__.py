"""The batch engine: reads topics in batches, keeps a state per key, sends records. Knows nothing of medicine."""
