"""Alerts and answers as JSON, for programs."""
