"""Many chains at once: stacked states, the wavefront, and what a GPU needs for both."""
