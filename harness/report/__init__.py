"""Reports, made from a run's folder alone: terminal, JSON, CSV, a page, one cell's evidence."""
