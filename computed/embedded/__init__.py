"""The one-host cloud: a small conductor, scheduler and store; with it the agent needs no cloud around it."""
