/**
 * The protocol of `cache-store.ts` as Redis runs it: one script a step, each atomic on the keys of one path, which share a hash tag
 * and so a cluster's slot. A generation is a hash: `v` its version, `t:<token>` until when a writer counts (milliseconds of the server).
 * Every key that is written gets a time to live.
 */

const NOW = `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)`

/** Forgets writers whose time is over; each moves the version on. Sets `live` to the number of others. */
const PURGE = `local live = 0
local fields = redis.call('HGETALL', KEYS[1])
for index = 1, #fields, 2 do
  if string.sub(fields[index], 1, 2) == 't:' then
    if tonumber(fields[index + 1]) <= now then
      redis.call('HDEL', KEYS[1], fields[index])
      redis.call('HINCRBY', KEYS[1], 'v', 1)
    else
      live = live + 1
    end
  end
end`

/** A generation that was not there begins at a number that none had before. */
const CREATE = `if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('HSET', KEYS[1], 'v', ARGV[1]) end`

/** Keeps the generation for at least `kept` milliseconds; never shorter than somebody else wants it. */
const KEEP = `if redis.call('PTTL', KEYS[1]) < kept then redis.call('PEXPIRE', KEYS[1], kept) end`

/** KEYS generation facts content · ARGV seed token lifeMs generationMs channel message */
export const BEGIN: string = `${NOW}
${CREATE}
redis.call('HSET', KEYS[1], 't:' .. ARGV[2], now + ARGV[3])
redis.call('HDEL', KEYS[1], 'filler', 'filling')
redis.call('HINCRBY', KEYS[1], 'v', 1)
if KEYS[2] then redis.call('UNLINK', KEYS[2], KEYS[3]) end
local kept = math.max(tonumber(ARGV[4]), tonumber(ARGV[3]) + 60000)
${KEEP}
redis.call('PUBLISH', ARGV[5], ARGV[6])`

/** KEYS generation facts content · ARGV seed token generationMs channel message */
export const END: string = `${CREATE}
redis.call('HDEL', KEYS[1], 't:' .. ARGV[2], 'filler', 'filling')
redis.call('HINCRBY', KEYS[1], 'v', 1)
if KEYS[2] then redis.call('UNLINK', KEYS[2], KEYS[3]) end
local kept = tonumber(ARGV[3])
${KEEP}
redis.call('PUBLISH', ARGV[4], ARGV[5])`

/**
 * KEYS generation content · ARGV seed generationMs owner lockMs → nothing while somebody writes, else the version, whether another
 * owner fills, and whether the content is there. Without an owner nobody is told.
 */
export const PREPARE: string = `${NOW}
${CREATE}
${PURGE}
local kept = tonumber(ARGV[2])
${KEEP}
if live > 0 then return false end
local version = redis.call('HGET', KEYS[1], 'v')
if not ARGV[3] then return { version, 0, 0 } end
if redis.call('EXISTS', KEYS[2]) == 1 then return { version, 0, 1 } end
local lock = redis.call('HMGET', KEYS[1], 'filler', 'filling')
local busy = lock[1] and lock[1] ~= ARGV[3] and tonumber(lock[2]) > now
if not busy then redis.call('HSET', KEYS[1], 'filler', ARGV[3], 'filling', now + ARGV[4]) end
return { version, busy and 1 or 0, 0 }`

/** KEYS generation · ARGV owner */
export const RELEASE: string = `if redis.call('HGET', KEYS[1], 'filler') == ARGV[1] then redis.call('HDEL', KEYS[1], 'filler', 'filling') end`

/** KEYS generation facts content · ARGV version file ttlMs facts content → 1 when it was stored. Facts of another version of the file end the content. */
export const COMMIT: string = `${NOW}
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
${PURGE}
if live > 0 or redis.call('HGET', KEYS[1], 'v') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[4], 'PX', ARGV[3])
if ARGV[5] then
  redis.call('HDEL', KEYS[1], 'filler', 'filling')
  redis.call('SET', KEYS[3], ARGV[5], 'PX', ARGV[3])
  redis.call('HSET', KEYS[1], 'file', ARGV[2])
elseif redis.call('HGET', KEYS[1], 'file') ~= ARGV[2] then
  redis.call('UNLINK', KEYS[3])
end
return 1`
