/**
 * The scripts. Each is atomic on its server. The first key is that of the generation; a generation that is missing, because it was
 * evicted or another type stands there, is created from the candidate in `ARGV[1]`.
 */
import { createHash } from "node:crypto"

interface Script {
  readonly text: string
  readonly sha: string
}

const script = (text: string): Script => ({ text, sha: createHash("sha1").update(text).digest("hex") })

const currentGeneration = "local generation = redis.pcall('GET', KEYS[1])"

const generationOrCandidate = `${currentGeneration}
if type(generation) ~= 'string' or #generation ~= 8 then
  generation = ARGV[1]
  redis.call('SET', KEYS[1], generation)
end`

/** `millis` is empty for ever. */
const put = `local function put(key, item, millis)
  if millis == '' then redis.call('SET', key, item) else redis.call('SET', key, item, 'PX', millis) end
end`

/** Whether an item of this generation stands under the key. A value of another type or program counts as none. */
const lives = `local function lives(key)
  local header = redis.pcall('GETRANGE', key, 0, 19)
  return type(header) == 'string' and #header == 20 and string.sub(header, 1, 8) == generation
end`

/** `ARGV`: the candidate, then for each key the item without its generation, and its milliseconds. Returns the generation. */
const write = script(`${generationOrCandidate}
${put}
for index = 2, #KEYS do put(KEYS[index], generation .. ARGV[2 * index - 2], ARGV[2 * index - 1]) end
return generation`)

/** `ARGV`: as for `write`, of one key. Returns the generation, or nothing where an item lives. */
const add = script(`${generationOrCandidate}
${put}
${lives}
if lives(KEYS[2]) then return false end
put(KEYS[2], generation .. ARGV[2], ARGV[3])
return generation`)

/** `ARGV`: the header that was read, the new item without its generation, its milliseconds. Returns the generation, or nothing. */
const replace = script(`${currentGeneration}
${put}
if type(generation) ~= 'string' or string.sub(ARGV[1], 1, 8) ~= generation then return false end
if redis.pcall('GETRANGE', KEYS[2], 0, 19) ~= ARGV[1] then return false end
put(KEYS[2], generation .. ARGV[2], ARGV[3])
return generation`)

/**
 * `ARGV`: the header that was read, the new token and the new head of the record, how many bytes of the item they replace, the
 * milliseconds. Returns the generation, or nothing.
 */
const amend = script(`${currentGeneration}
${put}
if type(generation) ~= 'string' or string.sub(ARGV[1], 1, 8) ~= generation then return false end
if redis.pcall('GETRANGE', KEYS[2], 0, 19) ~= ARGV[1] then return false end
put(KEYS[2], generation .. ARGV[2] .. redis.call('GETRANGE', KEYS[2], ARGV[3], -1), ARGV[4])
return generation`)

/** Returns how many items there were. */
const remove = script(`${currentGeneration}
${lives}
local count = 0
for index = 2, #KEYS do
  if lives(KEYS[index]) then count = count + 1 end
  redis.call('UNLINK', KEYS[index])
end
return count`)

/** By the primitive that each carries out. */
export const scripts = { write, add, replace, amend, remove }
