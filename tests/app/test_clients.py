"""Programs of others, unmodified, each in a process of its own. `openai` is in
`tests/app/routes/test_openai.py`."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.app.fakes import REPLY
from tests.conftest import PATIENCE_SECONDS

LITELLM = """
import sys, litellm
asked = dict(model="openai/tiny", api_base=sys.argv[1], api_key="none",
             messages=[{"role": "user", "content": "hello"}])
done = litellm.completion(**asked, max_tokens=20, logprobs=True, top_logprobs=2)
print(done.choices[0].message.content, done.usage.completion_tokens > 0)
print("".join(c.choices[0].delta.content or "" for c in litellm.completion(**asked, stream=True)))
try:
    litellm.completion(**{**asked, "model": "openai/other"})
except litellm.NotFoundError as error:
    print(type(error).__name__)
"""


def run(package: str, arguments: list[str], folder: Path, **environment: str) -> list[str]:
    """Runs a Python program of `package`, if that is there. The lines that it prints."""
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"not a dependency, for its size: pip install {package}")
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "HOME": str(folder), **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.splitlines() if line]


def test_litellm_gets_replies_and_typed_errors(client: httpx.Client, tmp_path: Path) -> None:
    lines = run(
        "litellm",
        ["-c", LITELLM, f"{client.base_url}/v1"],
        tmp_path,
        LITELLM_LOCAL_MODEL_COST_MAP="True",  # else it looks for prices at another server
    )
    assert [line for line in lines if REPLY in line] == [f"{REPLY} True", REPLY]
    assert lines[-1] == "NotFoundError"


def test_llm_talks_with_the_model(client: httpx.Client, tmp_path: Path) -> None:
    (tmp_path / "extra-openai-models.yaml").write_text(
        f"- model_id: tiny\n  model_name: tiny\n  api_base: {client.base_url}/v1\n"
    )
    for question in (["-m", "tiny", "hello"], ["-c", "how are you"]):
        arguments = ["-m", "llm", *question]
        found = run("llm", arguments, tmp_path, LLM_USER_PATH=str(tmp_path), OPENAI_API_KEY="none")
        assert found == [REPLY]
