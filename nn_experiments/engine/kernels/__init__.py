"""One chain at a time: kernels that apply a run of maps to one state, and the choice between them."""
