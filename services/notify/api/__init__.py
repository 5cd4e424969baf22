"""Alerts, answers and pictures as JSON, for programs."""
