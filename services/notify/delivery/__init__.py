"""How people and systems are told: one file a channel, one worker for the outbox of each."""
