"""Whole images in every layout that their formats allow, with the pixels that must come out."""
