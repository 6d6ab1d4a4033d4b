"""The networks: denoiser, tokenizer, text; a `Bundle` holds one model's parts, `checkpoints` its files."""
