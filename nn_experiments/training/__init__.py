"""Training steps and their parts: batches, optimizers, initial states, models, and measurements of a state."""
