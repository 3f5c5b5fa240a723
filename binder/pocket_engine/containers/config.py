"""What `create` was asked for: checked, completed from the image, and sorted into done, not enforced, and refused."""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping
from typing import Any

from ..errors import BadRequest, Unsupported

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NETWORKS = ("", "default", "bridge", "host", "none")
STOP_TIMEOUT = 10  # seconds between the stop signal and SIGKILL

# What would have to reach into the kernel; asked for and not given, a program would fail in strange ways.
_REFUSED = {
    "Privileged": "privileged containers",
    "CapAdd": "adding capabilities",
    "Devices": "devices",
    "DeviceRequests": "devices",
    "DeviceCgroupRules": "devices",
    "VolumesFrom": "volumes of other containers; bind a folder of the host instead",
    "VolumeDriver": "volume drivers; bind a folder of the host instead",
    "Links": "links between containers; publish a port instead",
}
# Limits and settings without which a program runs as well, only less confined.
_UNENFORCED = (
    "Memory MemoryReservation MemorySwap KernelMemory CpuShares NanoCpus CpuPeriod CpuQuota CpuRealtimePeriod "
    "CpuRealtimeRuntime CpusetCpus CpusetMems CpuCount CpuPercent BlkioWeight BlkioWeightDevice BlkioDeviceReadBps "
    "BlkioDeviceWriteBps BlkioDeviceReadIOps BlkioDeviceWriteIOps PidsLimit Ulimits OomKillDisable OomScoreAdj ShmSize "
    "StorageOpt Sysctls CapDrop SecurityOpt ReadonlyRootfs ExtraHosts Dns DnsOptions DnsSearch PidMode UTSMode "
    "UsernsMode CgroupParent GroupAdd"
).split()
_PORT = re.compile(r"(\d{1,5})(?:/(tcp|udp|sctp))?")


def merged_config(asked: Mapping[str, Any], image: Mapping[str, Any], short_id: str) -> dict:
    """The container's Config: what was asked, over what the image's config says. Raises BadRequest."""
    config = {key: value for key, value in asked.items() if key not in ("HostConfig", "NetworkingConfig")}
    config["Env"] = _environment(image.get("Env"), asked.get("Env"))
    config["Labels"] = {**(image.get("Labels") or {}), **(asked.get("Labels") or {})}
    config["Entrypoint"], config["Cmd"] = _command(asked, image)
    for key in ("User", "WorkingDir", "StopSignal"):
        config[key] = asked.get(key) or image.get(key) or ""
    for key in ("Volumes", "ExposedPorts"):
        config[key] = {**(image.get(key) or {}), **(asked.get(key) or {})} or None
    if not asked.get("Healthcheck") and image.get("Healthcheck"):
        config["Healthcheck"] = image["Healthcheck"]
    config["Hostname"] = asked.get("Hostname") or short_id
    for key in ("Tty", "OpenStdin", "StdinOnce", "AttachStdin", "AttachStdout", "AttachStderr"):
        config[key] = bool(asked.get(key))
    if not command(config):
        raise BadRequest("No command specified")
    signal_number(config["StopSignal"] or "SIGTERM")
    if config["WorkingDir"] and not config["WorkingDir"].startswith("/"):
        raise BadRequest(f"the working directory '{config['WorkingDir']}' is invalid, it needs to be an absolute path")
    return config


def command(config: Mapping[str, Any]) -> list[str]:
    """The program and its arguments."""
    return [*(config.get("Entrypoint") or []), *(config.get("Cmd") or [])]


def _command(asked: Mapping[str, Any], image: Mapping[str, Any]) -> tuple[list[str] | None, list[str] | None]:
    """An entrypoint of one's own drops the image's Cmd; [""] removes the image's entrypoint (`--entrypoint ""`)."""
    entrypoint, cmd = _words(asked.get("Entrypoint")), _words(asked.get("Cmd"))
    if not entrypoint:
        entrypoint, cmd = image.get("Entrypoint"), cmd or image.get("Cmd")
    elif entrypoint == [""]:
        entrypoint = None
    return entrypoint or None, cmd or None


def _words(value: object) -> list[str] | None:
    """A command is a list of strings, or one string."""
    if value is None or isinstance(value, str):
        return [value] if value is not None else None
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise BadRequest("invalid command: it has to be a list of strings")
    return value


def _environment(image: list[str] | None, asked: list[str] | None) -> list[str]:
    """Variables of the image, then those that were asked for; "NAME" without "=" removes one, as in Docker."""
    known: dict[str, str | None] = {}
    for variable in [*(image or []), *(asked or [])]:
        name, equals, value = variable.partition("=")
        if not name:
            raise BadRequest(f"invalid environment variable: {variable}")
        known[name] = value if equals else None
    return [f"{name}={value}" for name, value in known.items() if value is not None]


def environment(config: Mapping[str, Any], home: str, extra: list[str] | None = None) -> dict[str, str]:
    """The whole environment of a program: Docker's own variables, where Config does not say otherwise."""
    env = {"PATH": DEFAULT_PATH, "HOSTNAME": config["Hostname"]}
    if config.get("Tty"):
        env["TERM"] = "xterm"
    env["HOME"] = home
    for variable in [*(config.get("Env") or []), *(extra or [])]:
        name, _, value = variable.partition("=")
        env[name] = value
    return env


def host_config_warnings(host: Mapping[str, Any], config: Mapping[str, Any]) -> list[str]:
    """The warnings for a HostConfig. Raises NotDone for what would not work here, BadRequest for what is invalid."""
    for key, what in _REFUSED.items():
        if host.get(key):
            raise Unsupported(f"The pocket engine does not do {what} (HostConfig.{key}).")
    network = host.get("NetworkMode") or ""
    if network not in NETWORKS:
        raise Unsupported(f'The pocket engine has no network "{network}": use bridge, host or none.')
    if host.get("AutoRemove") and _restarts(host):
        raise BadRequest("can't set both auto-remove and restart policy at the same time")
    warnings = [
        f"HostConfig.{key} is accepted, but the pocket engine does not enforce it."
        for key in _UNENFORCED
        if host.get(key) and not (key == "SecurityOpt" and _only_no_new_privileges(host[key]))
    ]
    if network == "none":
        warnings.append("NetworkMode none: programs in the pocket engine still reach the host's network.")
    if _restarts(host):
        warnings.append("RestartPolicy: the pocket engine does not start containers again by itself.")
    if (host.get("LogConfig") or {}).get("Type", "") not in ("", "json-file", "local"):
        warnings.append("LogConfig.Type: the pocket engine keeps logs in its own files.")
    for bindings in (host.get("PortBindings") or {}).values():
        for binding in bindings or []:
            address = binding.get("HostIp") or "0.0.0.0"
            if address not in ("127.0.0.1", "localhost"):
                warnings.append(f"A port published on {address} is reached on 127.0.0.1 only.")
    return list(dict.fromkeys(warnings))


def _restarts(host: Mapping[str, Any]) -> bool:
    return ((host.get("RestartPolicy") or {}).get("Name") or "no") != "no"


def _only_no_new_privileges(options: list[str]) -> bool:
    """This one is always so."""
    return all(option.split(":")[0].split("=")[0] == "no-new-privileges" for option in options)


def port_key(text: str) -> tuple[int, str]:
    """ "5000/tcp" or "5000" as (5000, "tcp"). Raises BadRequest, and NotDone for what is not TCP."""
    found = _PORT.fullmatch(text)
    if not found or not 0 < int(found[1]) < 65536:
        raise BadRequest(f"invalid port specification: {text}")
    if (found[2] or "tcp") != "tcp":
        raise Unsupported(f"The pocket engine publishes TCP ports only, not {text}.")
    return int(found[1]), "tcp"


def signal_number(name: str | int) -> int:
    """9, "9", "KILL" or "SIGKILL" as 9. Raises BadRequest."""
    text = str(name).upper()
    if text.isdecimal() and 0 < int(text) <= 64:
        return int(text)
    try:
        return int(signal.Signals[text if text.startswith("SIG") else f"SIG{text}"])
    except KeyError:
        raise BadRequest(f"Invalid signal: {name}") from None


def host_config_with_defaults(asked: dict) -> dict:
    """A HostConfig with the defaults that clients read without asking whether they are there."""
    given = {key: value for key, value in asked.items() if value is not None}
    log = {"Type": "json-file", "Config": {}, **{k: v for k, v in (given.pop("LogConfig", None) or {}).items() if v}}
    return {"NetworkMode": "default", "PortBindings": {}, "AutoRemove": False, **given, "LogConfig": log}
