"""The checker of rows and mask objects, and the collector of objects that no row names."""
