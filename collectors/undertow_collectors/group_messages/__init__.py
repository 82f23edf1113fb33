"""Apache Kafka's messages that describe groups of the new protocol (KIP-848), which kafka-python 3.0 does not have.

The JSON files beside this one are Apache Kafka's own schemas (Apache License 2.0), without their comments.
"""

import warnings

from kafka.protocol.api_message import ApiMessage

MEMBER_TYPES = {0: "classic", 1: "consumer"}


with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # of Python 3.11, about how kafka-python reads its schemas

    class ConsumerGroupDescribeRequest(ApiMessage, load_json=__package__):  # type: ignore[misc, call-arg]  # no types in kafka-python
        """Which members the groups `group_ids` have."""

    class ConsumerGroupDescribeResponse(ApiMessage, load_json=__package__):  # type: ignore[misc, call-arg]  # no types in kafka-python
        """They, with what each holds."""
