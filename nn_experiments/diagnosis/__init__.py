"""A diagnosis of one's own training: will backward iterates settle, and if not, why not."""
