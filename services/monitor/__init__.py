"""The monitor: keeps each patient's medication state, finds problems, and says when they open, change and end."""
