-- Every request signs somebody else in. BODY holds one `%d`, for the number of the person.
wrk.method = "POST"
local number = 0
function request()
  number = number + 1
  return wrk.format(nil, nil, nil, BODY:format(number))
end
