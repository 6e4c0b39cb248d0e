"""What people look at: figures and the page (matplotlib, no torch)."""
