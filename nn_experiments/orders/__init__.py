"""The order of the batches: which law recorded indices have, and what exchanging two batches does to one step."""
