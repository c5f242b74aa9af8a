-- The figures of a run of wrk on one line: requests, microseconds, errors, and p50, p99, p99.9 in microseconds.
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format("figures %d %d %d %f %f %f\n", summary.requests, summary.duration,
    e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
