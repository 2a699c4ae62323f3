"""The providers: over HTTP, a command that serves HTTP, a model in this process, a function."""
