"""The process of `benchmarks/marian.py`: runs under a Python that has the wheel `bergamot`.

Takes one request a line on its input, the path of a model's options and a text, as JSON, and
translates it. Answers with the seconds of CPU that this process has used so far; so it does to an
empty line.

The wheel's extension is loaded without its package, which downloads lists of models at import.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from pathlib import Path

TOKENS = int(sys.argv[1])

package = importlib.util.find_spec("bergamot")
(path,) = Path(package.submodule_search_locations[0]).glob("_bergamot*.so")
spec = importlib.util.spec_from_file_location("_bergamot", path)
bergamot = importlib.util.module_from_spec(spec)
spec.loader.exec_module(bergamot)

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
