"""Running: requests, jobs and their executors, on one machine or many."""
