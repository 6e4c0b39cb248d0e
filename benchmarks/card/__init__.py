"""What is measured on a GPU: see `benchmarks.on_a_card`."""
