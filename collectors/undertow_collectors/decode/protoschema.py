"""Protobuf message classes from tables of fields: of a foreign schema only what is read is written down."""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_FIELD = descriptor_pb2.FieldDescriptorProto
BOOL, BYTES, DOUBLE, FIXED64 = _FIELD.TYPE_BOOL, _FIELD.TYPE_BYTES, _FIELD.TYPE_DOUBLE, _FIELD.TYPE_FIXED64
INT32, INT64, STRING, UINT64 = _FIELD.TYPE_INT32, _FIELD.TYPE_INT64, _FIELD.TYPE_STRING, _FIELD.TYPE_UINT64

Schema = dict[str, dict[str, tuple[int, int | str]]]
"""Message -> field -> its number and its type: a scalar, a message by name, `*` before it for a list, or `map`.

`*bytes` is a list of messages that stay encoded.
A `map` is from strings to bytes, which serves for lists of any entries with a key in field 1 and a value in field 2.
"""


def message_classes(package: str, schema: Schema, *names: str) -> list[Any]:
    """The classes of the messages with these names; `package` keeps schemas apart."""
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    for message, fields in schema.items():
        described = file.message_type.add(name=message)
        for field, (number, kind) in fields.items():
            _describe(package, described, field, number, kind)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return [message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}")) for name in names]


def _describe(package: str, message: descriptor_pb2.DescriptorProto, name: str, number: int, kind: int | str) -> None:
    field = message.field.add(name=name, number=number, label=_FIELD.LABEL_OPTIONAL)
    if isinstance(kind, int):
        field.type = kind  # type: ignore[assignment]
        return
    if kind == "*bytes":
        field.type, field.label = BYTES, _FIELD.LABEL_REPEATED
        return
    field.type = _FIELD.TYPE_MESSAGE
    field.type_name = f".{package}.{kind.lstrip('*')}"
    if kind.startswith("*") or kind == "map":
        field.label = _FIELD.LABEL_REPEATED
    if kind == "map":
        entry_name = f"{name.title().replace('_', '')}Entry"
        field.type_name = f".{package}.{message.name}.{entry_name}"
        entry = message.nested_type.add(name=entry_name)
        entry.options.map_entry = True
        entry.field.add(name="key", number=1, type=STRING, label=_FIELD.LABEL_OPTIONAL)
        entry.field.add(name="value", number=2, type=BYTES, label=_FIELD.LABEL_OPTIONAL)
