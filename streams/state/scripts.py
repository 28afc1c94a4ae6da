"""The scripts that read and write a batch in Redis, each in one round trip, and how their argument is packed.

KEYS[1] is a partition's bookkeeping; `streams.state.partitions` says what is in it. The partition's keys begin with its
name and a colon, which puts them under the same hash tag.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

Changes = Mapping[int, bytes | None]
"""Window number -> new value, None to delete it."""

Notes = Mapping[int, Mapping[str, Sequence[str]]]
"""Slot number -> field -> texts to note under it, each once."""

# One packed argument costs the client a tenth of a thousand single ones.
# ARGV: the keys; slot numbers and the fields looked for in each of them. Gives the bookkeeping, every key's fields and
# values, and every slot's values of those fields, all of one moment.
READ: Final = """
local found, noted = {}, {}
for place, key in ipairs(cmsgpack.unpack(ARGV[1])) do
  found[place] = redis.call('HGETALL', KEYS[1] .. ':' .. key)
end
local fields = cmsgpack.unpack(ARGV[3])
if #fields > 0 then
  for place, slot in ipairs(cmsgpack.unpack(ARGV[2])) do
    noted[place] = redis.call('HMGET', KEYS[1] .. ':' .. slot, unpack(fields))
  end
end
return {redis.call('HMGET', KEYS[1], 'fence', 'off', 'src'), found, noted}
"""

_APPLY: Final = """
local function in_pieces(command, key, list) -- Lua's stack takes some 8,000 at a time
  for from = 1, #list, 1000 do
    redis.call(command, key, unpack(list, from, math.min(from + 999, #list)))
  end
end
local function apply(packed)
  for _, change in ipairs(cmsgpack.unpack(packed)) do
    local key = KEYS[1] .. ':' .. change[1]
    in_pieces('HSET', key, change[2])
    in_pieces('HDEL', key, change[3])
    if change[4] > 0 then redis.call('EXPIRE', key, change[4]) else redis.call('PERSIST', key) end
  end
end
local function note(packed, seconds, limit)
  for _, slot in ipairs(cmsgpack.unpack(packed)) do
    local key = KEYS[1] .. ':' .. slot[1]
    for place = 1, #slot[2], 2 do
      local field, text = slot[2][place], slot[2][place + 1]
      if redis.call('HSETNX', key, field, text) == 0 then
        local known = redis.call('HGET', key, field)
        if #known < limit and not string.find(known, text, 1, true) then
          redis.call('HSET', key, field, known .. ',' .. text)
        end
      end
    end
    redis.call('EXPIRE', key, seconds)
  end
end
"""

# ARGV: fence; changelog offset that this reaches, and the one expected; source offset that this reaches, and the one
# expected; changes; notes, seconds that a slot is kept after its last note, bytes that a field's notes may reach; slots
# to delete. Gives 1 written, 0 fenced, -1 lost.
WRITE: Final = (
    _APPLY
    + """
local fence, off, src = unpack(redis.call('HMGET', KEYS[1], 'fence', 'off', 'src'))
if not (fence and off and src) then return -1 end
if tonumber(fence) > tonumber(ARGV[1]) then return 0 end
if fence ~= ARGV[1] then return -1 end
if off == ARGV[2] and src == ARGV[4] then return 1 end -- a repeat of this very write, whose answer was lost
if off ~= ARGV[3] or src ~= ARGV[5] then return -1 end
apply(ARGV[6])
note(ARGV[7], ARGV[8], tonumber(ARGV[9]))
for _, slot in ipairs(cmsgpack.unpack(ARGV[10])) do redis.call('UNLINK', KEYS[1] .. ':' .. slot) end
redis.call('HSET', KEYS[1], 'off', ARGV[2], 'src', ARGV[4], 'by', fence)
return 1
"""
)

# The four of a restore. `restoring` holds its token and how many steps have been done: if it is gone, or not as far as
# it was, what has been restored so far may be gone as well, as after a failover to a replica that lags. All give 1
# done, 0 fenced, -1 lost.

# ARGV: fence, token; '1' where what is there is to be deleted; a fence that is passed over, of another changelog.
RESTORE_BEGIN: Final = """
local fence = redis.call('HGET', KEYS[1], 'fence')
if fence and tonumber(fence) > tonumber(ARGV[1]) and fence ~= ARGV[4] then return 0 end
if ARGV[3] == '1' then redis.call('DEL', KEYS[1]) end
redis.call('HSET', KEYS[1], 'fence', ARGV[1], 'restoring', ARGV[2] .. ':0')
return 1
"""

# ARGV: fence, token, number of the step. A repeat, whose answer was lost, finds one step more.
_IS_RESTORING: Final = """
local fence, restoring = unpack(redis.call('HMGET', KEYS[1], 'fence', 'restoring'))
if fence and tonumber(fence) > tonumber(ARGV[1]) then return 0 end
local after = ARGV[2] .. ':' .. string.format('%d', ARGV[3] + 1)
if restoring ~= ARGV[2] .. ':' .. ARGV[3] and restoring ~= after then return -1 end
"""

# ARGV: as above; the keys to delete.
RESTORE_DELETE: Final = (
    _IS_RESTORING
    + """
for _, key in ipairs(cmsgpack.unpack(ARGV[4])) do redis.call('UNLINK', KEYS[1] .. ':' .. key) end
redis.call('HSET', KEYS[1], 'restoring', after)
return 1
"""
)

# ARGV: as above; changes; notes, seconds, bytes as of WRITE.
RESTORE: Final = (
    _APPLY
    + _IS_RESTORING
    + """
apply(ARGV[4])
note(ARGV[5], ARGV[6], tonumber(ARGV[7]))
redis.call('HSET', KEYS[1], 'restoring', after)
return 1
"""
)

# ARGV: as above; changelog offset, source offset: what was restored is whole up to there; fence of its last writer.
RESTORE_END: Final = (
    """
local fence, off, src, restoring = unpack(redis.call('HMGET', KEYS[1], 'fence', 'off', 'src', 'restoring'))
if fence == ARGV[1] and off == ARGV[4] and src == ARGV[5] and not restoring then return 1 end -- a repeat
"""
    + _IS_RESTORING
    + """
redis.call('HSET', KEYS[1], 'off', ARGV[4], 'src', ARGV[5], 'by', ARGV[6])
redis.call('HDEL', KEYS[1], 'restoring')
return 1
"""
)


def packed_names(names: Sequence[str]) -> bytes:
    """Pack keys, slots or fields as the scripts take them."""
    return msgspec.msgpack.encode(names)


def packed(changes: Mapping[str, Changes], seconds: Mapping[str, int]) -> bytes:
    """Pack changes as the scripts read them, in MessagePack: [key, [field, value, …], [field to delete, …], seconds].

    The seconds are those that the key is kept after this; 0 for good.
    """
    return msgspec.msgpack.encode(
        [
            [
                key,
                [part for field, value in own.items() if value is not None for part in (str(field), value.decode())],
                [str(field) for field, value in own.items() if value is None],
                seconds.get(key, 0),
            ]
            for key, own in changes.items()
        ]
    )


def packed_notes(notes: Mapping[str, Mapping[str, Sequence[str]]]) -> bytes:
    """Pack notes as the scripts read them: [slot, [field, text, …]] each, in MessagePack."""
    return msgspec.msgpack.encode(
        [
            [slot, [part for field, texts in own.items() for text in texts for part in (field, text)]]
            for slot, own in notes.items()
        ]
    )
