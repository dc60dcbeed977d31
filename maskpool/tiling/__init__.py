"""Large images looked at in overlapping tiles, too: how they are cut, and masks joined again."""
