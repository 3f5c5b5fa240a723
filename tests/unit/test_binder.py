"""What binder/ asks of those who host it."""

import installer
import yaml
from at_hand import ROOT


def test_the_values_for_a_hub_ask_for_no_privilege():
    values = yaml.safe_load((ROOT / "binder" / "jupyterhub.yaml").read_text())
    security = values["hub"]["config"]["KubeSpawner"]["container_security_context"]
    assert security == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    seat = values["singleuser"]
    assert seat["uid"] == 1000 and seat["extraPodConfig"]["securityContext"]["runAsNonRoot"] is True
    assert seat["cloudMetadata"]["blockWithIptables"] is False  # that would be a privileged container in each pod
    assert seat["cmd"] == "jupyterhub-singleuser" and seat["defaultUrl"] == "/lab/tree/00_start_here.ipynb"
    assert seat["storage"]["type"] == "none"  # a volume on the home folder would hide the course


def test_the_image_is_filled_by_a_uv_that_the_set_up_would_take():
    assert f'"uv>={installer.at_least()}"' in (ROOT / "binder" / "Dockerfile").read_text()
