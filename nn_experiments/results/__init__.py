"""Results on disk: blocks, curves, records, merging (NumPy only, no torch)."""
