"""The Open Inference (V2) protocol: tensors and messages as values, and their three wire forms."""
