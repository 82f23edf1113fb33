"""The options of librdkafka: how it reaches a broker, and how its consumers read."""

from typing import Any

from undertow.config import KafkaConfig

CONSUMER = {
    "allow.auto.create.topics": False,
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
    "auto.offset.reset": "error",  # else a lost range would be skipped silently
    "check.crcs": True,  # else a message damaged on disk or on its way would be taken for what was sent
    "isolation.level": "read_committed",
    "fetch.wait.max.ms": 100,
    "topic.metadata.refresh.interval.ms": 5_000,
    "queued.max.messages.kbytes": 32_768,
}


def connection(config: KafkaConfig) -> dict[str, Any]:
    """The options of librdkafka that reach and convince a broker."""
    options: dict[str, Any] = {
        "bootstrap.servers": config.bootstrap_servers,
        "security.protocol": config.security_protocol,
        "ssl.ca.location": config.ssl_cafile,
        "ssl.certificate.location": config.ssl_certfile,
        "ssl.key.location": config.ssl_keyfile,
        "ssl.key.password": config.ssl_password.reveal() if config.ssl_password else None,
        "ssl.endpoint.identification.algorithm": "https" if config.ssl_check_hostname else "none",
        "sasl.mechanism": config.sasl_mechanism,
        "sasl.username": config.sasl_username,
        "sasl.password": config.sasl_password.reveal() if config.sasl_password else None,
    }
    return {name: value for name, value in options.items() if value is not None}
