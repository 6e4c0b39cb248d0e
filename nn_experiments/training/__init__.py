"""What a training step is: batches, steps, optimizers, initial states, models, and what is measured of a state."""
