"""Cited summaries of one chart: the same cards, marks and checks as answers, for many questions at once."""

from agent.summaries.build import summarise
from agent.summaries.render import data_of, render
from agent.summaries.types import KINDS, Cited, Line, Plot, Section, Summary

__all__ = ["KINDS", "Cited", "Line", "Plot", "Section", "Summary", "data_of", "render", "summarise"]
