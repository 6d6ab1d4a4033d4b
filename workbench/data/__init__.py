"""Recorded episodes on their way to training: readers, windows, samples, mixing; and writers."""
