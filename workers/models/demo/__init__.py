"""The demo checkpoints: a small Sam3Model and CLIPModel which know coloured shapes."""
