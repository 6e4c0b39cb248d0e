"""Many chains at once: stacked states, the wavefront, and memory and CUDA graphs for both."""
