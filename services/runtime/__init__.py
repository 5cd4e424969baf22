"""What every process needs and no medicine: settings, clock, logging, metrics plumbing, topics."""
