"""The life of an alert: its identity, how it opens, changes and ends. Pure."""
