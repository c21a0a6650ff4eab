"""Questions that are on record before they are worked on, so that none is lost and none is answered twice."""
