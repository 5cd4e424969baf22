"""Delimited extracts (CSV): a mapping file in TOML says which columns are which fields of which events."""
