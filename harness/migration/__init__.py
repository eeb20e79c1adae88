"""CRIU's command lines, what a checkpoint is, where checkpoints are kept, and how they travel."""
