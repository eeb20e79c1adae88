"""What an outcome means: signatures, controls, attribution."""
