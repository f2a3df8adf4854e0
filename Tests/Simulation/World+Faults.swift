import Quash

extension World {
    func perform(_ event: Schedule.Event) {
        note("\(event)")
        switch event {
        case .revoke(let token, let issuer, let isAwaited, let request):
            traffic.revoke(token, at: issuer, isAwaited: isAwaited, request: request)
        case .freeze(let node, let length): machines[node].freeze(for: length)
        case .pauseMachine(let node, let length):
            guard machines[node].isRunning else { return }
            machines[node].clock.pause(at: now, for: length)
            machines[node].freeze(for: length)
        case .setWall(let node, let jump, let length): setWalls(of: [machines[node]], by: jump, for: length)
        case .setAllWalls(let jump, let length): setAllWalls(by: jump, for: length)
        case .crash(let node, let down): restart(node, after: down)
        case .leave(let node, let down): leave(node, down)
        case .copy(let node): _ = addValidator(named: machines[node].name)
        case .partition(let node, let length): cut(machines[node], for: length)
        case .disconnect(let node): route(machines[node]).disconnect(machines[node])
        case .disturb(let node, let mood, let length): disturb(machines[node], mood, for: length)
        case .fillDisk(let issuer, let length): disks[issuer].fullUntil = now + length
        case .excuse(let issuer, let other): excuse(issuer, at: other)
        case .failOver(let lag, let staying, let length): failOver(lag: lag, staying: staying, for: length)
        case .revisit(let node, let length): revisit(machines[node], for: length)
        default: disturbRedis(event)
        }
    }

    private func disturbRedis(_ event: Schedule.Event) {
        let redis: RedisHost = master
        switch event {
        case .freezeRedis(let length): redis.machine.freeze(for: length)
        case .setRedisWall(let jump, let length): setWalls(of: [redis.machine], by: jump, for: length)
        case .restartRedis(let finding, let down): restart(redis, finding, down)
        case .flush:
            history.tookAway(redis)
            redis.data.deleteAll()
        case .delete(let key):
            history.tookAway(redis)
            redis.data.delete(key)
        case .deleteChunk:
            history.tookAway(redis)
            if let name = redis.data.chunks.keys.min(by: { ($0.period, $0.number) < ($1.period, $1.number) }) {
                redis.data.delete(name)
            }
        case .trim: redis.data.log = redis.data.log.suffix(1)
        case .failScripts(let length): redis.failsScriptsUntil = now + length
        case .damage(let damage):
            history.tookAway(redis)
            redis.data.take(damage)
        default: preconditionFailure("no fault of redis")
        }
    }

    private func restart(_ node: Schedule.Node, after down: Int64) {
        guard machines[node].isUp else { return }
        end(node)
        plan(at: now + down) { [self] in
            if !machines[node].isUp { boot(node) }
        }
    }

    private func leave(_ node: Schedule.Node, _ down: Int64) {
        guard let follower = follower(node), machines[node].isRunning, !follower.isLeaving else { return }
        follower.leave { [self] in restart(node, after: down) }
    }

    private func excuse(_ issuer: Int, at other: Int) {
        guard issuers[issuer] == nil, let process = issuers[other] else { return }
        process.machine.run { [self] in
            // Only who knows that it will not come back says so.
            let name = issuerName(issuer)
            if issuers[issuer] == nil, process.publisher.waitingFor.contains(name) {
                note("\(name) is excused")
                process.publisher.excuse([name])
            }
        }
    }

    private func restart(_ redis: RedisHost, _ finding: Schedule.Finding, _ down: Int64) {
        guard !redis.isDown else { return }
        let data =
            switch finding {
            case .everything: redis.data
            case .all(let lost): redis.past(lost)
            case .nothing: ModelRedis(runID: "")
            }
        redis.stop()
        plan(at: now + down) { redis.start(with: data) }
    }
}

extension ModelRedis {
    fileprivate mutating func take(_ damage: Schedule.Damage) {
        let first = chunks.keys.min { ($0.period, $0.number) < ($1.period, $1.number) }
        switch damage {
        case .key(let key): spoil(key)
        case .record:
            guard let last = log.popLast() else { return }
            log.append(LogItem(sequence: last.sequence, record: [0xFF, 1, 2]))
        case .chunk: if let first { spoil(first) }
        case .bytes: if let first { overwrite(first, at: 0, with: [0xFF]) }
        case .moreBytes: if let first { append([0xFF, 1, 2], to: first, expiringAtSeconds: 0) }
        case .directory: if let first { spoil(first.period) }
        case .endlessDirectory: if let first { spoil(first.period, with: 1 << 52) }
        }
    }
}
