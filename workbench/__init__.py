"""Cosmos Policy Workbench: see what a world-action model believes."""
