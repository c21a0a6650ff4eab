"""Who may ask: the ways into the service, sessions, the SMART App Launch, and what a browser may do."""
