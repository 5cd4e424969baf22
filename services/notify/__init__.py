"""Notify: keeps alerts in Postgres, tells people of them, and takes their answers back to the monitor."""
