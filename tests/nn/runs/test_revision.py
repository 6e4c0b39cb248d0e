"""What results record as the version of the code: the commit, whether files differ from it, or the version."""

from __future__ import annotations

import subprocess

import pytest

pytest.importorskip("torch")

from nn_experiments.runs import job

GIT = ("git", "-c", "user.name=one", "-c", "user.email=one@example.org")


def test_the_commit_is_named_and_changes_are_told(tmp_path, monkeypatch):
    file = tmp_path / "package" / "runs" / "job.py"
    file.parent.mkdir(parents=True)
    file.write_text("one")
    monkeypatch.setattr(job, "__file__", str(file))
    without = job.revision.__wrapped__()
    assert isinstance(without, str)
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run([*GIT, *words], cwd=tmp_path, check=True)
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout.strip()
    assert job.revision.__wrapped__() == commit[:12] != without
    file.write_text("two")
    assert job.revision.__wrapped__() == f"{commit[:12]}+changes"
