"""How the demo checkpoints were made: drawn scenes, training, measuring. Not shipped."""
