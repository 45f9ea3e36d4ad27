-- One line of JSON for the program that started wrk; times in microseconds.
function done(summary, latency)
  local errors = summary.errors
  local line = '{"requests":%d,"micros":%d,"p50":%d,"p99":%d,"refused":%d,"broken":%d}'
  local broken = errors.connect + errors.read + errors.write + errors.timeout
  local p50, p99 = latency:percentile(50), latency:percentile(99)
  print(line:format(summary.requests, summary.duration, p50, p99, errors.status, broken))
end
