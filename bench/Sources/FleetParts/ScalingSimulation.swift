/// A fleet in virtual time: one Redis that does one thing after the other, an issuer, validators far and near. It has
/// the protocol's traffic and costs, not its contents; that it is right is shown elsewhere.
package struct ScalingSimulation {
    package struct Outcome: Sendable {
        /// Part of the time that Redis was busy.
        package var utilisation = 0.0
        /// From a request at the issuer until one validator has applied it.
        package var applied = Latencies()
        /// From a request until the last word that is confirmed.
        package var confirmed = Latencies()
        /// Confirmations that were asked for, and had not come by the end.
        package var unconfirmed = 0
        /// Grants that came later than the lease before them had ended, among all.
        package var lateGrants = 0
        package var grants = 0
        /// Longest line before Redis, in microseconds of work.
        package var longestLine = 0.0
    }

    private enum Event {
        case renewalArrives(validator: Int, sent: Double, upTo: Int)
        case renewalAnswered(validator: Int, sent: Double, upTo: Int)
        case renewalDue(validator: Int, generation: Int)
        case requested
        case commitArrives(Int)
        case heard(validator: Int, revocation: Int)
        case acknowledged(validator: Int, upTo: Int)
        case questionArrives(Int)
    }

    private struct Node {
        var oneWay: Double
        var region: Int
        var isAsking = false
        var heard = -1
        var stated = -1
        var leaseEnds = Double.infinity
        /// Of the next renewal: an earlier wish is replaced.
        var generation = 0
        var acknowledged = -1
    }

    private struct Request {
        let begun: Double
        let isAwaited: Bool
        var missing = 0
        var isCounted: Bool
    }

    private let costs: ScalingCosts
    private let shape: FleetShape
    private let end: Double
    private let warmUp: Double
    private var queue = EventQueue<Event>()
    private var random: SeededNumbers
    private var nodes: [Node] = []
    private var requests: [Request] = []
    private var redisFree = 0.0
    private var redisBusy = 0.0
    private var issuerFree = 0.0
    /// Revocations that are waited for.
    private var waiting = 0
    private var replicaFree: [Double]
    private var outcome = Outcome()

    /// - Parameter seconds: of virtual time, behind two intervals in which the fleet finds its rhythm.
    package init(_ shape: FleetShape, _ costs: ScalingCosts, seconds: Double, seed: UInt64 = 1) {
        self.shape = shape
        self.costs = costs
        warmUp = shape.renewInterval * 2e6
        end = warmUp + seconds * 1e6
        random = SeededNumbers(seed: seed)
        replicaFree = [Double](repeating: 0, count: shape.regions.count)
    }

    /// Runs it to its end. A seed gives the same outcome again.
    package mutating func run() -> Outcome {
        placeNodes()
        if shape.revocations > 0 { queue.add(.requested, at: random.exponential(1e6 / shape.revocations)) }
        while let (time, event) = queue.next(), time < end { handle(event, at: time) }
        outcome.utilisation = min(1, redisBusy / (end - warmUp))
        outcome.unconfirmed = requests.count { $0.isCounted && $0.isAwaited && $0.missing > 0 }
        return outcome
    }

    private mutating func placeNodes() {
        for number in 0..<shape.validators {
            // Regions take turns, so that no region's messages leave before all of another's.
            let place = (Double(number) * 0.618_033_988_749_895).truncatingRemainder(dividingBy: 1)
            var region = 0
            var sum = shape.regions[0].share
            while place >= sum, region + 1 < shape.regions.count {
                region += 1
                sum += shape.regions[region].share
            }
            nodes.append(Node(oneWay: shape.regions[region].oneWay, region: region))
            queue.add(
                .renewalDue(validator: number, generation: 0), at: random.uniform(0..<shape.renewInterval * 1e6))
        }
    }

    private mutating func handle(_ event: Event, at now: Double) {
        switch event {
        case .renewalDue(let validator, let generation):
            if nodes[validator].generation == generation, !nodes[validator].isAsking { ask(validator, at: now) }
        case .renewalArrives(let validator, let sent, let upTo):
            renew(validator, sent: sent, upTo: upTo, at: now)
        case .renewalAnswered(let validator, let sent, let upTo): answered(validator, sent: sent, upTo: upTo, at: now)
        case .requested: request(at: now)
        case .commitArrives(let index): commit(index, at: now)
        case .heard(let validator, let index): heard(validator, index, at: now)
        case .acknowledged(let validator, let upTo): acknowledged(validator, upTo: upTo, at: now)
        case .questionArrives(let index):
            let done = serve(costs.question + costs.registryEntry * Double(shape.validators), at: now) + home
            waiting -= 1
            if requests[index].isCounted { outcome.confirmed.add(microseconds: done - requests[index].begun) }
        }
    }

    private var home: Double { shape.regions[0].oneWay }

    /// One thing after the other.
    ///
    /// - Returns: when it is done.
    private mutating func serve(_ cost: Double, at now: Double) -> Double {
        let begun = max(now, redisFree)
        redisFree = begun + cost
        outcome.longestLine = max(outcome.longestLine, begun - now)
        redisBusy += max(0, min(redisFree, end) - max(begun, warmUp))
        return redisFree
    }

    // MARK: Renewals

    private mutating func ask(_ validator: Int, at now: Double) {
        nodes[validator].isAsking = true
        nodes[validator].generation += 1
        queue.add(
            .renewalArrives(validator: validator, sent: now, upTo: nodes[validator].heard),
            at: now + nodes[validator].oneWay)
    }

    private mutating func renew(_ validator: Int, sent: Double, upTo: Int, at now: Double) {
        let acknowledges = upTo > nodes[validator].stated
        let done = serve(costs.renewal + (acknowledges ? costs.delivery : 0), at: now)
        queue.add(
            .renewalAnswered(validator: validator, sent: sent, upTo: upTo), at: done + nodes[validator].oneWay)
        if acknowledges { queue.add(.acknowledged(validator: validator, upTo: upTo), at: done + home) }
    }

    private mutating func answered(_ validator: Int, sent: Double, upTo: Int, at now: Double) {
        nodes[validator].isAsking = false
        nodes[validator].stated = max(nodes[validator].stated, upTo)
        if now >= warmUp {
            outcome.grants += 1
            if now > nodes[validator].leaseEnds { outcome.lateGrants += 1 }
        }
        nodes[validator].leaseEnds = sent + shape.lease * 1e6
        if nodes[validator].heard > nodes[validator].stated { return ask(validator, at: now) }
        let pause = shape.renewInterval * 1e6 * random.uniform(0.9..<1.1)
        queue.add(.renewalDue(validator: validator, generation: nodes[validator].generation), at: now + pause)
    }

    // MARK: Revocations

    private mutating func request(at now: Double) {
        let isAwaited = random.uniform(0..<1) < shape.confirmations / shape.revocations
        requests.append(Request(begun: now, isAwaited: isAwaited, isCounted: now >= warmUp))
        queue.add(.commitArrives(requests.count - 1), at: now + costs.issuing + home)
        queue.add(.requested, at: now + random.exponential(1e6 / shape.revocations))
    }

    private mutating func commit(_ index: Int, at now: Double) {
        let isAwaited = requests[index].isAwaited
        let answering = isAwaited ? costs.registryEntry * Double(shape.validators) : 0
        let sending = costs.delivery * Double(shape.directSubscribers)
        let done = serve(costs.commit + answering + sending, at: now)
        requests[index].missing = isAwaited ? shape.validators : 0
        waiting += isAwaited ? 1 : 0
        var sent = done - sending
        var toReplica = [Double](repeating: 0, count: shape.regions.count)
        if shape.hasReplicas {
            for region in shape.regions.indices {
                sent += costs.delivery
                toReplica[region] = max(sent + shape.regions[region].oneWay, replicaFree[region])
            }
        }
        // Of what nobody waits for, some validators are looked at; Redis works for all.
        let stride = isAwaited ? 1 : max(1, shape.validators / 30)
        for validator in nodes.indices {
            let region = nodes[validator].region
            let arrives: Double
            if shape.hasReplicas {
                toReplica[region] += costs.delivery
                arrives = toReplica[region] + 250
            } else {
                sent += costs.delivery
                arrives = sent + nodes[validator].oneWay
            }
            guard validator.isMultiple(of: stride) else { continue }
            if requests[index].isCounted, arrives < end {
                outcome.applied.add(microseconds: arrives - requests[index].begun)
            }
            if isAwaited { queue.add(.heard(validator: validator, revocation: index), at: arrives) }
        }
        for region in shape.regions.indices { replicaFree[region] = max(replicaFree[region], toReplica[region]) }
    }

    /// Nodes spread the renewals that somebody waits for over 20 µs for each node, at most 10 ms.
    private mutating func heard(_ validator: Int, _ index: Int, at now: Double) {
        nodes[validator].heard = max(nodes[validator].heard, index)
        guard !nodes[validator].isAsking else { return }
        let spread = min(20 * Double(shape.validators), 10_000)
        guard spread >= 1000 else { return ask(validator, at: now) }
        nodes[validator].generation += 1
        queue.add(
            .renewalDue(validator: validator, generation: nodes[validator].generation),
            at: now + random.uniform(0..<spread))
    }

    private mutating func acknowledged(_ validator: Int, upTo: Int, at now: Double) {
        let looking = costs.acknowledgementEntry * Double(shape.validators) * Double(waiting)
        issuerFree = max(issuerFree, now) + costs.acknowledgement + looking
        let first = nodes[validator].acknowledged + 1
        guard first <= upTo else { return }
        nodes[validator].acknowledged = upTo
        for index in first...upTo where requests[index].isAwaited {
            requests[index].missing -= 1
            if requests[index].missing == 0 { queue.add(.questionArrives(index), at: issuerFree + home) }
        }
    }
}
