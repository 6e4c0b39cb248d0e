"""Results on disk: blocks, files of record, loading and merging (NumPy only, no torch)."""
