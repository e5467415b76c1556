"""What a process in a container may do, asked of the kernel there: a manifest says only what was wished."""

from __future__ import annotations

import json
from typing import Any

# A process that is started in the container has the user, the rights and the file system of its server.
_ASK = """
import errno, json, os, sysconfig, tempfile
status = dict(line.rstrip().split(":\\t", 1) for line in open("/proc/self/status") if ":\\t" in line)
def refused(folder):
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        return errno.errorcode[error.errno]
print(json.dumps({
    "users": sorted({*status["Uid"].split(), *status["Gid"].split()}),
    "groups": status["Groups"].split(),
    "capabilities": sorted({status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}),
    "no_new_privileges": status["NoNewPrivs"],
    "seccomp": status["Seccomp"],
    "writing": {at: refused(at) for at in ("/", "/usr/bin", "/etc", sysconfig.get_path("purelib"))},
    "devices": [name for name in os.listdir("/dev") if name.startswith(("sd", "vd", "nvme", "mem", "kmsg"))],
}))
"""
_NOBODY_MAY = {
    "users": ["65532"],
    "capabilities": ["0000000000000000"],
    "no_new_privileges": "1",
    "seccomp": "2",  # a filter
    "devices": [],
}


def assert_confined(namespace: Any, *names: str) -> None:
    """Every container of these names runs as nobody, without rights, on a file system that it cannot change.

    Args:
        namespace: that the pods run in.
        names: of containers; each has to be there.
    """
    seen = set()
    for pod in namespace.list("pods", "--field-selector=status.phase=Running"):
        for container in pod["spec"]["containers"]:
            name = container["name"]
            if name not in names:
                continue
            said = namespace.kubectl(
                "exec", pod["metadata"]["name"], f"--container={name}", "--", "python", "-c", _ASK
            )
            found = json.loads(said)
            whose = (pod["metadata"]["name"], name, found)
            assert {**found, **_NOBODY_MAY} == found, whose
            assert set(found["groups"]) <= {"65532"}, whose
            assert set(found["writing"].values()) == {"EROFS"}, whose
            seen.add(name)
    assert seen == set(names)
