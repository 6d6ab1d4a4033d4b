"""Benchmarks: each measures something against the reference that it claims to beat, in the same run."""
