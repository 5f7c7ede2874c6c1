"""The process of `benchmarks/marian.py`: runs under a Python that has the wheel `bergamot`.

Takes one request a line on its input, the path of a model's options and a text, as JSON, and
translates it. Answers with the seconds of CPU that this process has used so far; so it does to an
empty line.

The wheel's extension is loaded without its package, which downloads lists of models at import.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.machinery import ExtensionFileLoader, ModuleSpec
from importlib.metadata import distribution
from importlib.util import module_from_spec
from pathlib import Path

TOKENS = int(sys.argv[1])

folder = Path(str(distribution("bergamot").locate_file("bergamot")))
(path,) = folder.glob("_bergamot*.so")
loader = ExtensionFileLoader("_bergamot", str(path))
bergamot = module_from_spec(ModuleSpec("_bergamot", loader))
loader.exec_module(bergamot)

service = bergamot.Service(bergamot.ServiceConfig(numWorkers=1, logLevel="off"))
options = bergamot.ResponseOptions(
    qualityScores=False, alignment=False, HTML=False, sentenceMappings=False
)
models = {}
for line in sys.stdin:
    if line.strip():
        config, text = json.loads(line)
        if config not in models:
            models[config] = service.modelFromConfigPath(config)
        (answer,) = service.translate(models[config], bergamot.VectorString([text]), options)
        target = answer.target
        for sentence in range(text.count("\n") + 1):
            if target.numWords(sentence) != TOKENS:
                raise SystemExit(f"{target.numWords(sentence)} tokens instead of {TOKENS}")
    print(time.process_time(), flush=True)
