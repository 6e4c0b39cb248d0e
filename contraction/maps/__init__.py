"""Random maps: operators, spaces, orders of composition, iterates, and the constants that are known of them."""
