"""Containers in the forms that Docker's clients read: `inspect`, and one line of `ps`."""

from __future__ import annotations

import time

from . import config, mounts, published_ports
from .container import Container
from .state_file import NEVER, seconds, timestamp

SECOND, MINUTE, HOUR, DAY = 1, 60, 3600, 86400


def inspection(container: Container, size: bool = False) -> dict:
    """GET /containers/{id}/json."""
    record = container.record
    program, *arguments = config.command(record.config)
    found = {
        "Id": record.id,
        "Created": timestamp(record.created),
        "Path": program,
        "Args": arguments,
        "State": state(container),
        "Image": record.image_id,
        "ResolvConfPath": "",
        "HostnamePath": "",
        "HostsPath": "",
        "LogPath": str(container.log.folder),
        "Name": f"/{record.name}",
        "RestartCount": 0,
        "Driver": "pocket",
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "",
        "ExecIDs": [run.id for run in list(container.execs.values()) if run.running] or None,
        "HostConfig": _host(record.host),
        "GraphDriver": {"Name": "pocket", "Data": {"Root": str(container.folder / "root" / "root")}},
        "Mounts": mounts.inspect_json(mounts.requested(record.host)),
        "Config": {"Domainname": "", "OnBuild": None, **record.config, "Image": record.image},
        "NetworkSettings": _network(container),
    }
    if size:
        found |= {"SizeRw": 0, "SizeRootFs": container.rootfs.size()}
    return found


def _host(asked: dict) -> dict:
    """HostConfig with the defaults that clients look at without asking whether they are there."""
    log = asked.get("LogConfig") or {}
    return {
        "NetworkMode": "default",
        "AutoRemove": False,
        **asked,
        "LogConfig": {"Type": log.get("Type") or "json-file", "Config": log.get("Config") or {}},
    }


def state(container: Container) -> dict:
    """State of `inspect`."""
    record = container.record
    found = {
        "Status": record.status,
        "Running": container.running,
        "Paused": False,
        "Restarting": False,
        "OOMKilled": False,
        "Dead": False,
        "Pid": record.pid,
        "ExitCode": record.exit_code,
        "Error": record.error,
        "StartedAt": record.started_at,
        "FinishedAt": record.finished_at,
    }
    if container.health:
        found["Health"] = container.health.shown()
    return found


def summary(container: Container, size: bool = False) -> dict:
    """One entry of GET /containers/json."""
    record = container.record
    found = {
        "Id": record.id,
        "Names": [f"/{record.name}"],
        "Image": record.image,
        "ImageID": record.image_id,
        "Command": " ".join(config.command(record.config)),
        "Created": int(record.created),
        "Ports": _port_list(container),
        "Labels": record.config["Labels"],
        "State": record.status,
        "Status": status(container),
        "HostConfig": {"NetworkMode": record.host.get("NetworkMode") or "default"},
        "NetworkSettings": {"Networks": _networks(container)},
        "Mounts": mounts.inspect_json(mounts.requested(record.host)),
    }
    if size:
        found |= {"SizeRw": 0, "SizeRootFs": container.rootfs.size()}
    return found


def status(container: Container) -> str:
    """ "Up 3 seconds (healthy)", "Exited (0) About a minute ago", "Created"."""
    record = container.record
    if container.running:
        health = f" ({_health(container.health.status)})" if container.health else ""
        return f"Up {duration(time.time() - seconds(record.started_at))}{health}"
    if record.finished_at == NEVER:
        return "Created"
    return f"Exited ({record.exit_code}) {duration(time.time() - seconds(record.finished_at))} ago"


def _health(status: str) -> str:
    return "health: starting" if status == "starting" else status


def duration(span: float) -> str:
    """A length of time for people, in the words of Docker's go-units.HumanDuration."""
    whole = int(span)
    if whole < 1:
        return "Less than a second"
    if whole < MINUTE:
        return "1 second" if whole == 1 else f"{whole} seconds"
    if whole < HOUR:
        return "About a minute" if whole < 2 * MINUTE else f"{whole // MINUTE} minutes"
    hours = int(span / HOUR + 0.5)
    if hours < 48:
        return "About an hour" if hours == 1 else f"{hours} hours"
    days = hours // 24
    if days < 14:
        return f"{days} days"
    if days < 60:
        return f"{days // 7} weeks"
    return f"{days // 30} months" if days < 730 else f"{days // 365} years"


def _network(container: Container) -> dict:
    record = container.record
    networks = _networks(container)
    return {
        "Bridge": "",
        "SandboxID": "",
        "HairpinMode": False,
        "Ports": published_ports.inspect_json(record.ports, record.config.get("ExposedPorts"))
        if container.running
        else {},
        "SandboxKey": "",
        "EndpointID": "",
        "Gateway": "",
        "IPAddress": "",  # none of its own: its published ports are on 127.0.0.1
        "IPPrefixLen": 0,
        "MacAddress": "",
        "Networks": networks,
    }


def _networks(container: Container) -> dict:
    mode = container.record.host.get("NetworkMode") or "default"
    name = "bridge" if mode == "default" else mode
    return {
        name: {
            "IPAMConfig": None,
            "Links": None,
            "Aliases": None,
            "NetworkID": "",
            "EndpointID": "",
            "Gateway": "",
            "IPAddress": "",
            "IPPrefixLen": 0,
            "MacAddress": "",
            "DriverOpts": None,
        }
    }


def _port_list(container: Container) -> list[dict]:
    if not container.running:
        return []
    record, entries = container.record, []
    for key, bindings in published_ports.inspect_json(record.ports, record.config.get("ExposedPorts")).items():
        number, kind = key.split("/")
        if bindings is None:
            entries.append({"PrivatePort": int(number), "Type": kind})
        for binding in bindings or []:
            entries.append(
                {
                    "IP": binding["HostIp"],
                    "PrivatePort": int(number),
                    "PublicPort": int(binding["HostPort"]),
                    "Type": kind,
                }
            )
    return entries
