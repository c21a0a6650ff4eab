"""chartline as an MCP server: the typed tools, whole answers and cited resources, of the one patient that is bound."""
