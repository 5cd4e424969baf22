"""What is stored of the topics that notify reads: one file a topic, and the one discipline of batches for all."""
