local place = 0

function request()
  place = place % #COOKIES + 1
  return wrk.format(nil, nil, { ["Cookie"] = COOKIES[place] })
end
