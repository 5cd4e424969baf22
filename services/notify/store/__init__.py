"""What notify keeps in Postgres. SQL is in ``queries/`` and ``migrations/``; each module here gives one file of queries its
types. Functions take a connection, so that the caller decides what is one transaction."""
