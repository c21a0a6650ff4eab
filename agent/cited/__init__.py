"""What a citation rests on, for a reader: the resource, the element, the course of a value, the image. No model."""
