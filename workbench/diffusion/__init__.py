"""Noise levels, preconditioning and samplers. Nothing in here knows a network or a robot."""
