"""What the repository says of Kafka outside of the code agrees with itself."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_one_version_of_kafka() -> None:
    """The image that users are given is the version that the tests run on."""
    pom = re.search(r"kafka_2\.13</artifactId>\s*<version>([^<]+)", (ROOT / "docker/kafka/pom.xml").read_text())
    image = re.search(r"image: apache/kafka:(\S+)", (ROOT / "docker/compose.yaml").read_text())
    assert pom
    assert image
    assert pom[1] == image[1]
