// Nothing of this is needed.
