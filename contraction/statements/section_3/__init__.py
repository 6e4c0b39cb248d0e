"""Section 3 of the paper: SGD on a quadratic, and SGD with the Hessian near a minimum."""
