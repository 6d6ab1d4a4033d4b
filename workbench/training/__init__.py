"""Training: data to loss to checkpoint. Uses the same encode, inject and denoiser as inference."""
