"""Text embeddings: a BERT encoder, a content-hash cache in front of it, and Ray actors that serve it."""
