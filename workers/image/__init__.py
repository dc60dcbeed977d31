"""One image's way through a worker: fetched, segmented, scored by CLIP, related."""
