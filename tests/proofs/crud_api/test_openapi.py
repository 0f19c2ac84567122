"""The OpenAPI document that the API serves, against the API: requests made from it, and no answer outside of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import requests

from blueprints.local.running import Running

# Not the schemas of bodies: a document is whatever bytes its writer has sent.
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance"


def test_requests_made_from_the_document_find_no_fault(running: Running, tmp_path: Path) -> None:
    base = running.urls["HttpApi"]
    options = ["--url", base, "--checks", CHECKS, "--max-examples", "60", "--generation-deterministic"]
    program = Path(sys.executable).with_name("schemathesis")
    done = subprocess.run(
        [program, "run", f"{base}/openapi.json", *options, "--no-color", "--request-timeout", "20"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert "Tested: 4" in done.stdout, done.stdout[-2000:]


def test_the_document_names_every_route(running: Running) -> None:
    document = requests.get(f"{running.urls['HttpApi']}/openapi.json", timeout=30).json()
    described = {f"{verb.upper()} {path}" for path, verbs in document["paths"].items() for verb in verbs
                 if verb in ("get", "put", "delete", "post", "patch", "head")}  # fmt: skip
    served = {route.key for route in running.apis[0].routes} - {"GET /openapi.json"}
    assert served <= described
    assert described - served <= {"GET /openapi.json"}
