"""The patient's state and how an event changes it. Pure."""
