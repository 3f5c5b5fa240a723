"""Removing an image and the steps behind it, without taking anything that something else needs."""

from __future__ import annotations

import contextlib

import docker


def remove_untagged(client: docker.DockerClient, image: str | None) -> bool:
    """Remove an image that has no name, and the nameless steps that it was built in; True if the image is gone.

    An engine refuses to remove what another image is built on: that ends the walk. The containerd store does not
    remove an image's steps along with it, hence the walk.
    """
    gone = False
    with contextlib.suppress(docker.errors.APIError):
        while image and not (about := client.api.inspect_image(image)).get("RepoTags"):
            client.api.remove_image(image)
            gone, image = True, about.get("Parent")
    return gone
