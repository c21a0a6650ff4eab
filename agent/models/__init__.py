"""Chat models: what the llm reasoner talks to. Weights in this process, a model server, or a script."""
