"""Evidence bundles for an entropy source validation, and the rules they are checked by."""
