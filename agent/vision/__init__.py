"""What models make of pixels: findings by a multimodal chat model, embeddings by MedSigLIP. Never a claim.

Light to import: torch, transformers and the vector library come with the first use.
"""
