"""Jobs: long work in units that are kept as they are done, so that a restart goes on with the rest."""
