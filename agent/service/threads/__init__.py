"""Threads: conversations about one patient, kept for the one who began them."""
