-- Presents the tokens of a file in turn, and says at the end what became of the requests, in one line that is read by a
-- program. `wrk ... URL -- FILE PATH`

local requests = {}
local last = 0

function init(args)
    for token in io.lines(args[1]) do
        requests[#requests + 1] = wrk.format("GET", args[2], { ["Authorization"] = "Bearer " .. token })
    end
end

function request()
    last = last + 1
    if last > #requests then last = 1 end
    return requests[last]
end

function done(summary, latency, _)
    local errors = summary.errors
    -- `status` counts answers above 399; a response callback would cost too much to look at each.
    io.write(string.format(
        "\nresult requests=%d microseconds=%d status=%d connect=%d read=%d write=%d timeout=%d p50=%d p99=%d\n",
        summary.requests, summary.duration, errors.status, errors.connect, errors.read, errors.write, errors.timeout,
        latency:percentile(50), latency:percentile(99)))
end
