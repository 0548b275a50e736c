"""Lua scripts that change jobs and units, each atomic, in the store of jobs.

Redis' own clock is the only one they look at, so machines need not agree on the time. Durations are
arguments; a unit is ``JOB|PART|INDEX``. What they share is in :mod:`~voxrelay.relay.lua`; what they are for is
said in :mod:`~voxrelay.relay.dispatch`.
"""

from voxrelay.relay.lua import COMMON, RELEASES

# id, manifest, windows, references, client, voice, backlog, client's limit, lifetime, missing references...
# -> {verdict, windows that wait, of this client}
OPEN = (
    COMMON
    + """
local id, windows = ARGV[1], tonumber(ARGV[3])
if redis.call('EXISTS', job(id)) == 1 then return {'accepted', 0, 0} end  -- asked twice: the first reply was lost
local waiting, mine = 0, 0
for _, other in ipairs(redis.call('ZRANGE', active, 0, -1)) do
  local left = number(other, 'windows_left')
  waiting = waiting + left
  if redis.call('HGET', job(other), 'client') == ARGV[5] then mine = mine + left end
end
if waiting > 0 and waiting + windows > tonumber(ARGV[7]) then return {'backlog', waiting, mine} end
if mine > 0 and mine + windows > tonumber(ARGV[8]) then return {'client', waiting, mine} end
redis.call('HSET', job(id), 'manifest', ARGV[2], 'state', 'running', 'created', now, 'updated', now,
           'windows', windows, 'next', 0, 'collected', 0, 'windows_left', windows, 'out', 0,
           'references', ARGV[4], 'references_left', #ARGV - 9, 'client', ARGV[5], 'voice', ARGV[6],
           'lifetime', ARGV[9])
for i = 10, #ARGV do redis.call('RPUSH', job(id, 'references'), ARGV[i]) end
if ARGV[6] ~= '' then redis.call('SADD', 'vox:voice:' .. ARGV[6] .. ':jobs', id) end
redis.call('ZADD', active, now, id)
redis.call('ZADD', 'vox:jobs', now, id)
seat(id)
say(id, 'accepted: ' .. windows .. ' windows, ' .. (#ARGV - 9) .. ' of ' .. ARGV[4] .. ' references to prepare')
renew(id)
prepared(id)
return {'accepted', waiting, mine}
"""
)

# patience, room if nobody has said -> units
RELEASE = COMMON + RELEASES + "return release(ARGV[1], ARGV[2])"

# unit, holder, lease, whether the holder has no other
# -> {0: not in flight, or another's; 1; 2: to be computed alone}, lines of its trace
TAKE = (
    COMMON
    + """
in_passing()
local lease = 'vox:lease:' .. ARGV[1]
local id, part, index = split(ARGV[1])
if not running(id) or not redis.call('ZSCORE', flight, ARGV[1]) then return {0, ''} end
if not redis.call('SET', lease, ARGV[2], 'NX', 'EX', ARGV[3]) and redis.call('GET', lease) ~= ARGV[2] then
  return {0, ''}
end
if ARGV[4] == '1' then
  redis.call('HSET', job(id, 'taken'), ARGV[1], 'alone ' .. ARGV[2])
  keep(id, 'taken')
end
return {1 + redis.call('HEXISTS', job(id, 'failures'), ARGV[1]),
        redis.call('HGET', job(id, 'trace'), part .. ':' .. index) or ''}
"""
)

# hash, most bytes, fields... -> their values, none of which is longer
SHORT = """
for i = 2, #ARGV do
  local size = redis.call('HSTRLEN', KEYS[1], ARGV[i])
  if size > tonumber(ARGV[1]) then return size end
end
return redis.call('HMGET', KEYS[1], unpack(ARGV, 2))
"""

# how and by whom units are computed, the units... -> of how many the job runs
BEGIN = (
    COMMON
    + """
in_passing()
local wanted = 0
for i = 2, #ARGV do
  local id = split(ARGV[i])
  if running(id) then
    wanted = wanted + 1
    redis.call('HSET', job(id, 'taken'), ARGV[i], ARGV[1])
    keep(id, 'taken')
  end
end
return wanted
"""
)

# unit, field, by how much -> the count, or 0 if the job has ended
COUNT = (
    COMMON
    + """
local id = split(ARGV[1])
if not running(id) then return 0 end
local count = redis.call('HINCRBY', job(id, 'failures'), ARGV[2], ARGV[3])
keep(id, 'failures')
return count
"""
)

# unit, holder, seconds until it is overdue [, stage, worker, its facts, line of the trace]
# -> 1, or 0 if the lease is another's
PASS = (
    COMMON
    + """
local unit = ARGV[1]
local id, part, index = split(unit)
if redis.call('GET', 'vox:lease:' .. unit) ~= ARGV[2] or not running(id) then return 0 end
-- Redis 6 waits for its disk after any command that could have written, whether it did or not.
if ARGV[4] and redis.call('HEXISTS', job(id, 'trace'), ARGV[5]) == 0 then
  redis.call('HSETNX', job(id, 'trace'), ARGV[5], ARGV[6])
end
in_passing()  -- its line of the trace is written whole when the unit lands
redis.call('ZADD', flight, 'XX', now + ARGV[3], unit)
redis.call('DEL', 'vox:lease:' .. unit)
redis.call('HDEL', job(id, 'taken'), unit)
if ARGV[4] then
  trace(id, part, index, ARGV[5], ARGV[6], ARGV[7])
  tell(id, part, index, ARGV[4], '')
end
return 1
"""
)

# unit, stage, worker, its facts, line of the trace, output, lifetime of voices, patience, room if nobody has said
# -> units that are released: one script, and so one write to the disk
LAND = (
    COMMON
    + RELEASES
    + """
local unit = ARGV[1]
local id, part, index = split(unit)
if not running(id) or not ground(unit) then return release(ARGV[8], ARGV[9]) end  -- it had landed
trace(id, part, index, ARGV[3], ARGV[4], ARGV[5])
local new = part == 'window' and file(id, index, ARGV[6])
tell(id, part, index, ARGV[2], '')
if part == 'window' then
  redis.call('RPUSH', 'vox:landed', now)
  redis.call('LTRIM', 'vox:landed', -32, -1)
  redis.call('EXPIRE', 'vox:landed', 3600)
  if new then count_landed(id, ARGV[7]) end
elseif redis.call('HINCRBY', job(id), 'references_left', -1) <= 0 then
  if prepared(id) then let_voice_go(id, ARGV[7]) else seat(id) end
end
return release(ARGV[8], ARGV[9])
"""
)

# unit, stage, error, allow gaps, lifetime of voices
GIVE_UP = (
    COMMON
    + """
local unit = ARGV[1]
local id, part, index = split(unit)
if not running(id) or not ground(unit) then return end
local dead = 'vox:dead:' .. unit
local voice = redis.call('HGET', job(id), 'voice')
local inputs = part == 'window' and job(id, 'sources') or 'vox:voice:' .. voice .. ':sounds'
redis.call('HSET', dead, 'stage', ARGV[2], 'error', ARGV[3], 'time', now,
           'input', redis.call('HGET', inputs, index) or '')
redis.call('EXPIRE', dead, number(id, 'lifetime'))
redis.call('ZADD', 'vox:dead', now, unit)
redis.call('EXPIRE', 'vox:dead', number(id, 'lifetime'))
say(id, part .. ' ' .. index .. ' given up: ' .. ARGV[3])
if part == 'window' and ARGV[4] == '1' then
  local new = file(id, index, '')
  redis.call('HSET', job(id), 'gap:' .. index, now)
  tell(id, part, index, 'vocoder', '')
  if new then count_landed(id, ARGV[5]) end
else
  settle(id, 'failed', part .. ' ' .. index .. ': ' .. ARGV[3])
  tell(id, part, index, ARGV[2], ARGV[3])
end
"""
)

# patience -> {unit, holder that died with it or '', ...} that are overdue and that nobody holds
OVERDUE = (
    COMMON
    + """
local out = {}
for _, unit in ipairs(redis.call('ZRANGEBYSCORE', flight, '-inf', now)) do
  local id = split(unit)
  if redis.call('EXISTS', 'vox:lease:' .. unit) == 0 then
    if running(id) then
      redis.call('ZADD', flight, now + ARGV[1], unit)
      out[#out + 1] = unit
      out[#out + 1] = redis.call('HGET', job(id, 'taken'), unit) or ''
      redis.call('HDEL', job(id, 'taken'), unit)
      say(id, string.gsub(unit, '^.-|', '') .. ' is sent again' .. (out[#out] ~= '' and ', last ' .. out[#out] or ''))
    else
      ground(unit)
    end
  end
end
return out
"""
)

# Messages are lost: whatever nobody holds is overdue.
HURRY = (
    COMMON
    + """
for _, unit in ipairs(redis.call('ZRANGE', flight, 0, -1)) do
  if redis.call('EXISTS', 'vox:lease:' .. unit) == 0 then redis.call('ZADD', flight, now, unit) end
end
"""
)

# window, references... that have to be prepared again before it: it makes room for them
PREPARE = (
    COMMON
    + """
local id, _, index = split(ARGV[1])
if ground(ARGV[1]) then
  redis.call('RPUSH', job(id, 'again'), index)
  keep(id, 'again')
end
for i = 2, #ARGV do
  if not redis.call('ZSCORE', flight, id .. '|reference|' .. ARGV[i])
     and not redis.call('LPOS', job(id, 'references'), ARGV[i]) then
    redis.call('RPUSH', job(id, 'references'), ARGV[i])
    keep(id, 'references')
    redis.call('HINCRBY', job(id), 'references_left', 1)
    say(id, 'reference ' .. ARGV[i] .. ' is lost, and prepared again')
  end
end
if running(id) then seat(id) end
"""
)

# id -> 1, or 0 if it does not run
PAUSE = (
    COMMON
    + """
local id = ARGV[1]
if not running(id) then return 0 end
ground_all(id)
redis.call('HSET', job(id), 'state', 'paused', 'updated', now)
say(id, 'paused')
return 1
"""
)

# id, missing references... -> 1, or 0 if it is neither paused nor failed
RESUME = (
    COMMON
    + """
local id = ARGV[1]
local state = redis.call('HGET', job(id), 'state')
if state ~= 'paused' and state ~= 'failed' then return 0 end
redis.call('DEL', job(id, 'references'), job(id, 'again'))
for i = 2, #ARGV do redis.call('RPUSH', job(id, 'references'), ARGV[i]) end
for i = number(id, 'collected'), number(id, 'next') - 1 do
  if redis.call('HEXISTS', job(id, 'results'), i) == 0 then redis.call('RPUSH', job(id, 'again'), i) end
end
redis.call('HSET', job(id), 'state', 'running', 'error', '', 'references_left', #ARGV - 1, 'updated', now)
redis.call('HDEL', job(id), 'finished')
redis.call('ZADD', active, now, id)
say(id, 'resumed')
seat(id)
renew(id)
prepared(id)
return 1
"""
)

# id, window, lifetime of voices: the window becomes a gap -> 1, or 0 if it has a result
DROP = (
    COMMON
    + """
local id = ARGV[1]
if not file(id, ARGV[2], '') then return 0 end
redis.call('HSET', job(id), 'gap:' .. ARGV[2], now)
say(id, 'window ' .. ARGV[2] .. ' dropped')
count_landed(id, ARGV[3])
return 1
"""
)

# id, state, error, lifetime of voices: for good; only the record stays
END = (
    COMMON
    + """
local id = ARGV[1]
if redis.call('EXISTS', job(id)) == 0 then return end
settle(id, ARGV[2], ARGV[3])
let_voice_go(id, ARGV[4])
for _, part in ipairs({'sources', 'results', 'events', 'references', 'again', 'taken', 'failures'}) do
  redis.call('DEL', job(id, part))
end
"""
)

# id: keep a job for another lifetime
RENEW = COMMON + "renew(ARGV[1])"
