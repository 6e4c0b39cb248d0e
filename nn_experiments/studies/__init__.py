"""Studies: experiments that the paper does not have, with many small networks in both orders (torch)."""
