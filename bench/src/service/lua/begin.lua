-- Every request signs somebody else in, from elsewhere. BODY says NUMBER and ADDRESS for them.
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
local number = 0
function request()
  number = number + 1
  local address = ("10.%d.%d.7"):format(math.floor(number / 256) % 256, number % 256)
  local body = BODY:gsub("NUMBER", number):gsub("ADDRESS", address)
  return wrk.format(nil, nil, nil, body)
end
