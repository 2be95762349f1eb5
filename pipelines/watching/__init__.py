"""What is seen of the waves of a rollout: how they stand, how fast they go, what has changed. Pure; draws nothing."""
