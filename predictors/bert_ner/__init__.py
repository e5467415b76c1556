"""A BERT token classifier: names in texts, behind the V1 and V2 protocols."""
