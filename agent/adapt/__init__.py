"""Adaptation: training rows from a site's own charts, LoRA on a Gemma 3, and what it has changed. Light to import."""
