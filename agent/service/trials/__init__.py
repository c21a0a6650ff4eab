"""Trials over HTTP: protocols read, patients held against them, populations and cohorts."""
