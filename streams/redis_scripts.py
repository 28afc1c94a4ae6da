"""The scripts that read and write a batch in Redis, each in one round trip, and how their argument is packed.

KEYS[1] is a partition's bookkeeping: a hash with `fence` and `off`. The partition's keys begin with its name and a
colon, which puts them under the same hash tag.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

Changes = Mapping[int, bytes | None]
"""Window number -> new value, None to delete it."""

# One packed argument costs the client a tenth of a thousand single ones.
# ARGV: the keys. Gives the bookkeeping and every key's fields and values, all of one moment.
READ: Final = """
local found = {}
for place, key in ipairs(cmsgpack.unpack(ARGV[1])) do
  found[place] = redis.call('HGETALL', KEYS[1] .. ':' .. key)
end
return {redis.call('HMGET', KEYS[1], 'fence', 'off'), found}
"""

_APPLY: Final = """
local function apply(packed)
  for _, change in ipairs(cmsgpack.unpack(packed)) do
    local key = KEYS[1] .. ':' .. change[1]
    if #change[2] > 0 then redis.call('HSET', key, unpack(change[2])) end
    if #change[3] > 0 then redis.call('HDEL', key, unpack(change[3])) end
  end
end
local fence, off = unpack(redis.call('HMGET', KEYS[1], 'fence', 'off'))
"""

# ARGV: fence, changes, changelog offset they reach, the one expected to be there. 1 written, 0 fenced, -1 lost.
WRITE: Final = (
    _APPLY
    + """
if not fence or not off then return -1 end
if tonumber(fence) > tonumber(ARGV[1]) then return 0 end
if fence ~= ARGV[1] then return -1 end
if off == ARGV[3] then return 1 end -- a repeat of this very write, whose answer was lost
if off ~= ARGV[4] then return -1 end
apply(ARGV[2])
redis.call('HSET', KEYS[1], 'off', ARGV[3])
return 1
"""
)

# ARGV: fence, changes, changelog offset they reach, or '' for not yet. Takes the fence unless a newer one is there.
RESTORE: Final = (
    _APPLY
    + """
if fence and tonumber(fence) > tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'fence', ARGV[1])
apply(ARGV[2])
if ARGV[3] ~= '' then redis.call('HSET', KEYS[1], 'off', ARGV[3]) end
return 1
"""
)


def packed_keys(keys: Sequence[str]) -> bytes:
    """Pack keys as `READ` takes them."""
    return msgspec.msgpack.encode(keys)


def packed(changes: Mapping[str, Changes]) -> bytes:
    """Pack changes as the scripts read them: [key, [field, value, …], [field to delete, …]] each, in MessagePack."""
    return msgspec.msgpack.encode(
        [
            [
                key,
                [part for field, value in own.items() if value is not None for part in (str(field), value.decode())],
                [str(field) for field, value in own.items() if value is None],
            ]
            for key, own in changes.items()
        ]
    )
