"""The networks: SAM3 finds masks, CLIP compares crops with texts."""
