import re
from pathlib import Path

from undertow.config import Receiver
from undertow.loading import load
from undertow.notify.sample import sample
from undertow.notify.story import tell

ALERTS = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text(encoding="utf-8")


def test_every_channel_has_its_section() -> None:
    """Whatever can be configured is explained."""
    for kind in Receiver.__args__:
        assert f"`[[alerts.{kind.KIND}]]`" in ALERTS


def test_the_example_of_filters_can_be_used(tmp_path: Path) -> None:
    """The TOML of the document is a configuration, but for the places of its secrets."""
    (example,) = re.findall(r"```toml\n(.*?)```", ALERTS, re.DOTALL)
    secret = tmp_path / "secret"
    secret.write_text("https://hooks.slack.com/services/T0/B0/x\n")
    path = tmp_path / "undertow.toml"
    path.write_text(re.sub(r'"/run/secrets/\w+"', f'"{secret}"', example))
    alerts = load(path, {}).alerts
    assert (alerts.pagerduty[0].min_severity, alerts.slack[0].models) == ("critical", ["gpt-*"])


def test_the_message_shown_is_one_that_is_sent() -> None:
    """The sentence of the document is that of the sample, up to the name of the gateway."""
    shown = " ".join(line.removeprefix("> ") for line in ALERTS.splitlines() if line.startswith("> "))
    told = tell(sample("opened", 1_763_635_321.0)[1]).sentence
    assert shown == told.replace("(sample)", "(prod)")
