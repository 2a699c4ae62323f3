"""What the tests share: a small project, a provider, a model server, scores of known effects."""
