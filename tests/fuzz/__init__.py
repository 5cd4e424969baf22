"""Coverage-guided fuzzing of ingest: ``make fuzz``."""
