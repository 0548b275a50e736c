"""Lua functions that the scripts of :mod:`~voxrelay.relay.scripts` share: what befalls jobs and units."""

COMMON = """
local rota, flight, active = 'vox:rota', 'vox:flight', 'vox:active'
local time = redis.call('TIME')
local now = time[1] + time[2] / 1e6

local function job(id, part) return 'vox:job:' .. id .. (part and ':' .. part or '') end
local function split(unit) return string.match(unit, '^([^|]+)|([^|]+)|([^|]+)$') end
local function number(id, field) return tonumber(redis.call('HGET', job(id), field) or 0) end
local function running(id) return redis.call('HGET', job(id), 'state') == 'running' end

-- What follows is written to memory alone: a disk takes longer than all else that a stage asks of Redis. It is lost
-- if Redis dies: then nobody holds a lease, and units are sent again.
local function in_passing() redis.set_repl(redis.REPL_NONE) end

local function say(id, line)
  redis.call('RPUSH', job(id, 'log'), string.format('%.3f', now) .. ' ' .. line)
  redis.call('LTRIM', job(id, 'log'), -500, -1)
end

-- A part of a job that may have come into being just now does not outlive it, whoever dies.
local function keep(id, part)
  if redis.call('TTL', job(id, part)) < 0 then redis.call('EXPIRE', job(id, part), number(id, 'lifetime')) end
end

local function tell(id, part, index, stage, error)
  redis.call('XADD', job(id, 'events'), 'MAXLEN', '~', 1000, '*',
             'part', part, 'index', index, 'stage', stage, 'error', error)
  keep(id, 'events')
end

-- What a stage did is a line of its unit; who did it is said once.
local function trace(id, part, index, worker, facts, line)
  local unit = part .. ':' .. index
  local before = redis.call('HGET', job(id, 'trace'), unit)
  redis.call('HSETNX', job(id, 'trace'), worker, facts)
  redis.call('HSET', job(id, 'trace'), unit, (before and before .. '\\n' or '') .. line)
  redis.call('HSET', job(id), 'updated', now)
  keep(id, 'trace')
end

-- File what a window became, or nothing for a gap; whether it is the first.
local function file(id, index, output)
  local new = redis.call('HSETNX', job(id, 'results'), index, output) == 1
  keep(id, 'results')
  return new
end

-- A job's place among those that wait: fewest units in flight first, then in turn.
local function seat(id)
  redis.call('ZADD', rota, number(id, 'out') * 1e10 + redis.call('INCR', 'vox:turn'), id)
  redis.call('EXPIRE', rota, number(id, 'lifetime'))
end

-- Take a unit out of flight; whether it was.
local function ground(unit)
  if redis.call('ZREM', flight, unit) == 0 then return false end
  local id = split(unit)
  redis.call('DEL', 'vox:lease:' .. unit)
  redis.call('HDEL', job(id, 'taken'), unit)
  if redis.call('EXISTS', job(id)) == 1 then redis.call('HINCRBY', job(id), 'out', -1) end
  if redis.call('ZSCORE', rota, id) then seat(id) end
  return true
end

local function ground_all(id)
  for i = number(id, 'collected'), number(id, 'next') - 1 do ground(id .. '|window|' .. i) end
  for i = 0, number(id, 'references') - 1 do ground(id .. '|reference|' .. i) end
  redis.call('ZREM', rota, id)
end

local parts = {'trace', 'log', 'sources', 'results', 'events', 'references', 'again', 'taken', 'failures'}

-- Everything of a job, and every index, goes some time after its last renewal.
local function renew(id)
  local seconds = number(id, 'lifetime')
  for _, part in ipairs(parts) do redis.call('EXPIRE', job(id, part), seconds) end
  redis.call('EXPIRE', job(id), seconds)
  for _, index in ipairs({rota, flight, active, 'vox:jobs', 'vox:turn'}) do redis.call('EXPIRE', index, seconds) end
  local voice = redis.call('HGET', job(id), 'voice')
  if voice and voice ~= '' then
    redis.call('EXPIRE', 'vox:voice:' .. voice .. ':sounds', seconds)
    redis.call('EXPIRE', 'vox:voice:' .. voice .. ':jobs', seconds)
  end
end

-- Nobody works on this job any more; it may be resumed unless its voice is let go.
local function settle(id, state, error)
  ground_all(id)
  redis.call('ZREM', active, id)
  redis.call('HSET', job(id), 'state', state, 'error', error, 'updated', now)
  redis.call('HSETNX', job(id), 'finished', now)
  say(id, state .. (error ~= '' and ': ' .. error or ''))
  renew(id)
end

local function let_voice_go(id, seconds)
  local voice = redis.call('HGET', job(id), 'voice')
  if not voice or voice == '' then return end
  redis.call('SREM', 'vox:voice:' .. voice .. ':jobs', id)
  if redis.call('SCARD', 'vox:voice:' .. voice .. ':jobs') == 0 then
    redis.call('EXPIRE', 'vox:voice:' .. voice .. ':sounds', seconds)
  end
end

local function count_landed(id, voices)
  if redis.call('HINCRBY', job(id), 'windows_left', -1) == 0 then
    settle(id, 'done', '')
    let_voice_go(id, voices)
  end
end

-- A job without windows prepares a voice, and is done when that is; whether it is one, and done.
local function prepared(id)
  if number(id, 'windows_left') > 0 or number(id, 'references_left') > 0 then return false end
  settle(id, 'done', '')
  return true
end
"""

# Release units: fewest in flight first, as long as there is room.
RELEASES = """
local function release(patience, most)
  local room, out = tonumber(redis.call('GET', 'vox:room') or most), {}
  while redis.call('ZCARD', flight) < room do
    local id = redis.call('ZRANGE', rota, 0, 0)[1]
    if not id then break end
    local part, index = 'reference', false
    if running(id) then
      index = redis.call('LPOP', job(id, 'references'))
      if not index and number(id, 'references_left') <= 0 then
        part, index = 'window', redis.call('LPOP', job(id, 'again'))
        if not index and number(id, 'next') < number(id, 'windows') then
          index = redis.call('HINCRBY', job(id), 'next', 1) - 1
        end
      end
    end
    if index then
      local unit = id .. '|' .. part .. '|' .. index
      if redis.call('ZADD', flight, 'NX', now + patience, unit) == 1 then
        redis.call('HINCRBY', job(id), 'out', 1)
        redis.call('EXPIRE', flight, number(id, 'lifetime'))
        out[#out + 1] = unit
      end
      seat(id)
    else
      redis.call('ZREM', rota, id)
    end
  end
  return out
end
"""
