"""Captures of libraries for the JVM, `jvm-NAME.in`: what Maven resolves, what javac compiles, what Java runs.

NAME.in lists Maven's coordinates, one a line. A driver is a class in `drive/jvm`, beside `Calls.java`. Where
OpenTelemetry's Java agent is among the coordinates, it is loaded.
"""

import subprocess
from pathlib import Path

DRIVERS = Path(__file__).parent / "drive" / "jvm"
AGENT = "opentelemetry-javaagent-*.jar"
_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>captures</groupId><artifactId>captures</artifactId><version>1</version>
<dependencies>{}</dependencies></project>"""
_DEPENDENCY = "<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version></dependency>"


def environment(pins: Path, folder: Path) -> Path:
    """`folder` with the jars that `pins` names, and what they need, in its `lib`."""
    done = folder / "ok"
    if not done.exists():
        folder.mkdir(parents=True, exist_ok=True)
        wanted = [_DEPENDENCY.format(*line.split(":")) for line in pins.read_text().split()]
        (folder / "pom.xml").write_text(_POM.format("".join(wanted)))
        copy = ["mvn", "-B", "-q", "dependency:copy-dependencies", "-DoutputDirectory=lib"]
        subprocess.run(copy, check=True, cwd=folder)
        done.touch()
    return folder


def command(driver: str, folder: Path) -> list[str | Path]:
    """What runs the class `driver`, compiled against the jars of `folder`."""
    classes, jars = folder / "classes", folder / "lib" / "*"
    sources = [DRIVERS / "Calls.java", DRIVERS / f"{driver}.java"]
    subprocess.run(["javac", "-nowarn", "-d", classes, "-cp", jars, *sources], check=True)
    agents = [f"-javaagent:{found}" for found in (folder / "lib").glob(AGENT)]
    return ["java", *agents, "-cp", f"{classes}:{jars}", driver]
