"""The stories behind the demo charts, and what they are told with."""

__all__: list[str] = []
