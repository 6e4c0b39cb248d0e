"""The statements as a table, as JSON and as the errata."""
