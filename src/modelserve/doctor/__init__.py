"""What keeps InferenceServices from answering, each fault in a sentence, and how it is mended.

``reading`` collects what the cluster says, ``checks`` are functions of that, and ``diagnosis`` puts what
they find in order: causes, and no symptoms of them.
"""
