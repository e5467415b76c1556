"""Encoded images, or URLs of them, to the tensors that an image classifier takes."""
