"""Stand-ins for official base images: what is said where none can be made."""

from __future__ import annotations

import os
import re
import shutil

import pytest
from workshop.bases import debian_root, standins


def test_a_host_without_debians_tools_is_told_what_to_do(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda program: None)
    assert "Debian or Ubuntu" in standins.can_build("busybox:1.37")
    assert "python:3.11" in standins.can_build("golang:1.24-bookworm")


def test_a_user_who_may_not_make_a_root_is_told_what_to_install(monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    monkeypatch.setattr(shutil, "which", lambda program: None if program.startswith(("fake", "new")) else program)
    assert "apt-get install fakeroot fakechroot" in standins.can_build("busybox:1.37")


def test_a_hosts_mirror_is_used_during_the_build_only():
    dockerfile = standins._context("python:3.11-slim", ("http://near/debian", debian_root.SECURITY))[
        "Dockerfile"
    ].decode()
    final = dockerfile.split("\nFROM ")[-1]
    there = final.index("sed -i 's|http://deb.debian.org/debian |http://near/debian |'")
    back = final.index("sed -i 's|http://near/debian |http://deb.debian.org/debian |'")
    assert there < final.index("apt-get update") < back
    assert "http://deb.debian.org/debian-security" not in final


@pytest.mark.parametrize("name", standins.NAMES)
def test_a_recipe_keeps_to_one_debian(name):
    """What says which Debian a stand-in is from is its first stage; another stage, or a line for apt, would make it a lie."""
    one = standins.release(name)
    text = standins._context(name)["Dockerfile"].decode()
    assert set(re.findall(r"bookworm|trixie", text)) == {one}
