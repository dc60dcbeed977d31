"""CLIP's scores of crops against texts."""
