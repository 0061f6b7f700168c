"""Evidence bundles for an Entropy Source Validation, and the rules that check them."""
