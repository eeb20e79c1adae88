"""The plan, the scheduling, one cell's life, and the ledger."""
