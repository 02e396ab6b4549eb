/**
 * The Lua script inside HAProxy: one command line word, `kiwi`, behind which the fence token, the slots and the route live.
 * A command checks the token and the sequence number, writes the whole new state to the volume and only then applies it, without
 * ever giving up the interpreter in between, so two commands never mix. `protocol.ts` is the other end of this conversation.
 */
export const edgeScript = String.raw`
local DIRECTORY, LANES, WIDTH = os.getenv('KIWI_STATE'), tonumber(os.getenv('KIWI_LANES')), tonumber(os.getenv('KIWI_WIDTH'))
local FILE, PATHS = DIRECTORY .. '/state', '/tmp/paths.map'
local KINDS = {}
for kind in os.getenv('KIWI_KINDS'):gmatch('%S+') do KINDS[#KINDS + 1] = kind end
local state
local ring, turn = { 'none' }, 0

local function words(line)
  local list = {}
  for word in line:gmatch('%S+') do list[#list + 1] = word end
  return list
end

local function decoded(word)
  return (word:gsub('%%(%x%x)', function(hex) return string.char(tonumber(hex, 16)) end))
end

-- ---- the state as text, the same in the file and in the answer

local function written(s)
  local lines = { 'token ' .. s.token, 'seq ' .. s.seq, 'edge ' .. s.edge .. ' ' .. s.publish, 'route ' .. table.concat(s.route, ' ') }
  for number = 1, LANES do
    local lane = s.lanes[number]
    if lane then
      lines[#lines + 1] = table.concat({ 'lane', number, lane.slot, lane.generation, lane.kind, lane.port, lane.path, lane.seats, lane.note }, ' ')
    end
  end
  return table.concat(lines, '\n') .. '\n'
end

local function parsed(text)
  local s = { token = 0, seq = 0, edge = 0, publish = '-', route = {}, lanes = {} }
  for line in text:gmatch('[^\n]+') do
    local w = words(line)
    if w[1] == 'token' then s.token = assert(math.tointeger(tonumber(w[2])))
    elseif w[1] == 'seq' then s.seq = assert(math.tointeger(tonumber(w[2])))
    elseif w[1] == 'edge' then s.edge, s.publish = assert(math.tointeger(tonumber(w[2]))), w[3]
    elseif w[1] == 'route' then s.route = { table.unpack(w, 2) }
    elseif w[1] == 'lane' then
      s.lanes[tonumber(w[2])] = { slot = w[3], generation = math.tointeger(tonumber(w[4])), kind = w[5], port = math.tointeger(tonumber(w[6])),
        path = w[7], seats = w[8], note = w[9] }
    else error('unknown line in ' .. FILE .. ': ' .. line) end
  end
  return s
end

local function kept()
  local file, problem, code = io.open(FILE, 'r')
  if not file then
    if code == 2 then return parsed('') end
    error('cannot read ' .. FILE .. ': ' .. problem)
  end
  local text = file:read('a')
  file:close()
  return parsed(text)
end

-- Whole and atomic: a crash leaves the old file or the new one.
local function keep(s)
  local file = assert(io.open(FILE .. '.new', 'w'))
  assert(file:write(written(s)))
  assert(file:close())
  assert(os.rename(FILE .. '.new', FILE))
end

-- ---- lanes and servers

local function lane_of(s, slot)
  for number = 1, LANES do
    if s.lanes[number] and s.lanes[number].slot == slot then return number, s.lanes[number] end
  end
end

local function routed(s, slot)
  for _, name in ipairs(s.route) do if name == slot then return true end end
  return false
end

local function server(kind, number, index)
  return core.backends[kind .. number].servers['s' .. index]
end

local function is_up(kind, number, index)
  return (server(kind, number, index):get_stats().status or ''):sub(1, 2) == 'UP'
end

-- The instances that are counted on, by their numbers: '1,3', or '-' for none.
local function has(lane, index)
  return (',' .. lane.seats .. ','):find(',' .. index .. ',', 1, true) ~= nil
end

local function ups(number, lane)
  local count = 0
  for index = 1, WIDTH do
    if has(lane, index) and is_up(lane.kind, number, index) then count = count + 1 end
  end
  return count
end

-- Several routed slots share the requests in proportion to their healthy instances.
local function weigh()
  local fresh, fallback = {}, {}
  for _, slot in ipairs(state.route) do
    local number, lane = lane_of(state, slot)
    if number then
      fallback[#fallback + 1] = lane.kind .. number
      for _ = 1, ups(number, lane) do fresh[#fresh + 1] = lane.kind .. number end
    end
  end
  ring = #fresh > 0 and fresh or #fallback > 0 and fallback or { 'none' }
end

local function same(a, b)
  return a ~= nil and b ~= nil and a.generation == b.generation and a.kind == b.kind
end

local function enable(kind, number, index, lane, trusted)
  local s = server(kind, number, index)
  s:set_addr(s:get_addr():match('^(.*):'), lane.port)
  s:set_ready()
  -- A server that is switched on counts as up until its first failed check. Nothing is up here before a check has passed,
  -- except what carried the traffic before the edge itself started again.
  if not trusted then s:check_force_down() end
end

local function apply(before, after)
  for number = 1, LANES do
    local old, new = before and before.lanes[number], after.lanes[number]
    if old and not same(old, new) then
      for index = 1, WIDTH do server(old.kind, number, index):set_maint() end
    elseif old then
      for index = 1, WIDTH do
        if has(old, index) and not has(new, index) then server(new.kind, number, index):set_drain() end
      end
    end
    if new then
      if not same(old, new) then core.set_map(PATHS, new.kind .. number, decoded(new.path)) end
      for index = 1, WIDTH do
        if has(new, index) and not (same(old, new) and has(old, index)) then
          enable(new.kind, number, index, new, before == nil and routed(after, new.slot))
        end
      end
    end
  end
  state = after
  weigh()
end

-- ---- commands: each changes a copy of the state, or returns why not

local commands = {}

function commands.claim() end

-- Changes nothing but the number: what was decided on the state before this is refused from here on.
function commands.touch() end

function commands.publish(s, publish)
  s.edge, s.publish = s.edge + 1, publish
end

function commands.lane(s, number, slot, kind, port, path, seats, note)
  number = math.tointeger(tonumber(number))
  if s.lanes[number] or lane_of(s, slot) then return 'conflict the lane or the slot is in use' end
  s.lanes[number] = { slot = slot, generation = s.seq + 1, kind = kind, port = port, path = path, seats = seats, note = note }
end

function commands.scale(s, slot, seats)
  local _, lane = lane_of(s, slot)
  if not lane then return 'conflict there is no slot ' .. slot end
  lane.seats = seats
end

function commands.switch(s, from, to)
  if from ~= (#s.route == 0 and '-' or table.concat(s.route, ',')) then return 'conflict the route is on ' .. table.concat(s.route, ',') end
  s.route = {}
  for slot in to:gmatch('[^,]+') do
    if slot ~= '-' then
      local number, lane = lane_of(s, slot)
      if not lane then return 'conflict there is no slot ' .. slot end
      if ups(number, lane) == 0 then return 'conflict nothing of slot ' .. slot .. ' is healthy' end
      s.route[#s.route + 1] = slot
    end
  end
end

function commands.drop(s, slot)
  if routed(s, slot) then return 'conflict slot ' .. slot .. ' is routed' end
  local number = lane_of(s, slot)
  if number then s.lanes[number] = nil end
end

local function write(verb, token, seq, ...)
  token = assert(math.tointeger(tonumber(token)), 'token')
  if token < state.token then return 'fenced ' .. state.token end
  if verb == 'claim' and token == state.token then return 'ok' end
  if verb ~= 'claim' and tonumber(seq) ~= state.seq then return 'conflict the edge changed meanwhile' end
  local fresh = parsed(written(state))
  local refusal = commands[verb](fresh, ...)
  if refusal then return refusal end
  fresh.token, fresh.seq = token, state.seq + 1
  fresh = parsed(written(fresh))
  keep(fresh)
  apply(state, fresh)
  return 'ok'
end

-- ---- what is seen

local function seen()
  local lines, draining = {}, 0
  for number = 1, LANES do
    local lane = state.lanes[number]
    for _, kind in ipairs(KINDS) do
      if not (lane and lane.kind == kind and routed(state, lane.slot)) then
        draining = draining + (core.backends[kind .. number]:get_stats().scur or 0)
      end
    end
    if lane then
      for index = 1, WIDTH do
        local stats = server(lane.kind, number, index):get_stats()
        if has(lane, index) then
          lines[#lines + 1] = table.concat({ 'server', number, index, (stats.status:match('^%a+')), stats.check_status or '-', stats.last_chk or '' }, ' ')
        elseif routed(state, lane.slot) then
          draining = draining + (stats.scur or 0)
        end
      end
    end
  end
  lines[#lines + 1] = 'draining ' .. draining
  return table.concat(lines, '\n') .. '\n'
end

core.register_cli({ 'kiwi' }, 'kiwi : fence, slots and route of this target', function(applet, _, verb, ...)
  local arguments = { ... }
  local fine, answer = pcall(function()
    if verb == 'show' then return 'ok' end
    if not commands[verb or ''] then return 'failed unknown command' end
    return write(verb, table.unpack(arguments))
  end)
  if not fine then answer = 'failed ' .. tostring(answer):gsub('\n', ' ') end
  applet:send(answer .. '\n' .. written(state) .. seen() .. 'end\n')
end)

core.register_fetches('kiwi_backend', function()
  turn = turn % #ring + 1
  return ring[turn]
end)

core.register_init(function() apply(nil, kept()) end)

core.register_task(function()
  while true do
    core.msleep(200)
    weigh()
  end
end)
`
