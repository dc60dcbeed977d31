"""SAM3 behind its text encoder, as four passes of tensors."""
